"""Python processes without their ten seconds of imports: forked from one that has imported the libraries.

What such a process does is its own: memory, working directory, environment, exit code, signals; the package is not
among what it finds imported. Of every promise that is about processes one test starts a real interpreter, see
`subprocess`; the others come here.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path


LIBRARIES = ("torch", "seqeval.metrics", "datasets", "torch._dynamo", "torch.distributed.tensor")
"""What Transformers imports, or this package, and what does not import Transformers."""
TRANSFORMERS = (
    *LIBRARIES,
    "transformers.trainer",
    "transformers.pipelines",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
)

# Libraries read these as they are imported.
_READ_AT_IMPORT = ("HF_", "HUGGING", "TRANSFORMERS_", "OMP_", "MKL_", "CUDA_")
_WIDTH = 12  # of a number that is told

PATIENCE = 600.0
"""Seconds after which what has not ended, or not begun, hangs."""


class Fork:
    """A running program.

    Attributes:
        pid: its process.
        returncode: its exit code, or the negative number of the signal that ended it; None while it runs.
    """

    def __init__(self, pid: int, ends: socket.socket, output: tuple):
        self.pid = pid
        self.returncode: int | None = None
        self._ends, self._output = ends, output

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        if self.returncode is None and select.select([self._ends], [], [], 0)[0]:
            self.returncode = int(self._ends.recv(_WIDTH))
            self._ends.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, when it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not within so many seconds.
        """
        if self.returncode is None and not select.select([self._ends], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self.poll() or 0

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What it printed and its errors, when it has ended; raises as `wait`."""
        self.wait(timeout)
        for file in self._output:
            file.seek(0)
        return self._output[0].read(), self._output[1].read()

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def start(
    command: Sequence[object],
    *,
    environment: Mapping[str, str] = os.environ,
    cwd: Path | str = ".",
    text: str = "",
    imported: tuple[str, ...] = TRANSFORMERS,
) -> Fork:
    """Start what stands behind `python` in a command line: `-m MODULE`, `-c PROGRAM` or a file, before it `-P`.

    Args:
        environment: of the process; PYTHONPATH is heeded.
        text: what it reads.
        imported: modules that are there before it begins.
    """
    read = {name: value for name, value in environment.items() if name.startswith(_READ_AT_IMPORT)}
    key = json.dumps([imported, sorted(read.items())])
    asked = [str(word) for word in command], dict(environment), os.path.abspath(cwd), text
    try:
        return _server(key, imported, read).start(*asked)
    except (OSError, EOFError):  # it died meanwhile
        _SERVERS.pop(key).stop()
    return _server(key, imported, read).start(*asked)


def _server(key: str, imported: tuple[str, ...], read: Mapping[str, str]) -> "_Server":
    """The process that has the libraries, a new one where there is none that runs."""
    if key not in _SERVERS or _SERVERS[key].process.poll() is not None:
        _SERVERS[key] = _Server(imported, read)
    return _SERVERS[key]


def run(command: Sequence[object], *, timeout: float = PATIENCE, **how) -> subprocess.CompletedProcess[str]:
    """Run a program, as `start`, to its end.

    Raises:
        subprocess.TimeoutExpired: it has taken so many seconds, and was killed.
    """
    fork = start(command, **how)
    try:
        out, error = fork.communicate(timeout)
    finally:
        fork.kill()
    return subprocess.CompletedProcess([*map(str, command)], fork.wait(), out, error)


def run_two(command: Sequence[object], *, environment: Mapping[str, str], **how) -> subprocess.CompletedProcess[str]:
    """Run a program in two processes that know of one another as those of torchrun do; all that they print."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    group |= {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    ranks = [{"RANK": rank, "LOCAL_RANK": rank} for rank in "01"]
    forks = [start(command, environment={**environment, **group, **rank}, **how) for rank in ranks]
    try:
        printed = [fork.communicate(PATIENCE) for fork in forks]
    finally:
        for fork in forks:
            fork.kill()
    code = next((fork.wait() for fork in forks if fork.wait()), 0)
    return subprocess.CompletedProcess([*map(str, command)], code, *map("".join, zip(*printed)))


class _Server:
    """The process that has the libraries, and the way to it."""

    def __init__(self, imported: tuple[str, ...], read: Mapping[str, str]):
        others = {
            name: value for name, value in os.environ.items() if not name.startswith((*_READ_AT_IMPORT, "PYTHON"))
        }
        self.here, there = socket.socketpair()
        with there:
            argv = [sys.executable, "-P", __file__, str(there.fileno()), *imported]
            self.process = subprocess.Popen(argv, env={**others, **read}, pass_fds=[there.fileno()])
        atexit.register(self.stop)

    def start(self, command: list[str], environment: dict[str, str], cwd: str, text: str) -> Fork:
        output = tuple(tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2))  # noqa: SIM115
        with tempfile.TemporaryFile("w+", encoding="utf-8") as given:
            given.write(text)
            given.flush()
            given.seek(0)
            asked = json.dumps([command, environment, cwd]).encode()
            mine, its = socket.socketpair()
            with its:
                files = [given.fileno(), *(file.fileno() for file in output), its.fileno()]
                socket.send_fds(self.here, [len(asked).to_bytes(8, "big")], files)
                self.here.sendall(asked)
        mine.settimeout(PATIENCE)  # it may be importing still
        if not (number := mine.recv(_WIDTH)):
            raise EOFError("the process that has the libraries has ended")
        return Fork(int(number), mine, output)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


_SERVERS: dict[str, _Server] = {}


# ---------------------------------------------------------------------------------------------------------------------
# In the process that has the libraries
# ---------------------------------------------------------------------------------------------------------------------


def _serve(way: socket.socket, imported: Sequence[str]) -> None:
    import gc
    import importlib

    for name in imported:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        size, files, _, _ = socket.recv_fds(way, 8, 4)
        if not size:
            return
        asked = b""
        while len(asked) < int.from_bytes(size, "big"):
            if not (part := way.recv(1 << 16)):
                return
            asked += part
        if os.fork() == 0:
            way.close()
            command, environment, cwd = json.loads(asked)
            _mind(command, environment, cwd, files)
        for file in files:
            os.close(file)


def _mind(command: list[str], environment: dict[str, str], cwd: str, files: list[int]) -> None:
    """Fork the program, and tell its number and how it ended."""
    *standard, tell = files
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.close(tell)
        for place, file in enumerate(standard):
            os.dup2(file, place)
            os.close(file)
        os._exit(_become(command, environment, cwd))
    os.write(tell, f"{child:{_WIDTH}}".encode())
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(tell, f"{ended:{_WIDTH}}".encode())
    os._exit(0)


def _become(command: list[str], environment: dict[str, str], cwd: str) -> int:
    """What the interpreter does with a command line; returns its exit code."""
    import runpy
    import threading
    import traceback
    import types

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("stdin", "stdout", "stderr"):  # a file's position and buffer are not those of the parent
        mode = "r" if name == "stdin" else "w"
        stream = open(("stdin", "stdout", "stderr").index(name), mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    safe = command[0] == "-P"
    kind, *argv = command[safe:]
    sys.path[:0] = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    code: object = 0
    try:
        if kind == "-m":
            sys.argv = argv
            sys.path[:0] = [] if safe else [cwd]
            runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
        elif kind == "-c":
            sys.argv = ["-c", *argv[1:]]
            sys.path[:0] = [] if safe else [""]
            exec(compile(argv[0], "<string>", "exec"), main.__dict__)
        else:
            sys.argv = [kind, *argv]
            sys.path[:0] = [] if safe else [str(Path(kind).resolve().parent)]
            runpy.run_path(kind, run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int) and code is not None:
        print(code, file=sys.stderr)
    threading._shutdown()  # pyright: ignore
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return (code if isinstance(code, int) else int(code is not None)) & 0xFF


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
