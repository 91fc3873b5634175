"""Type a sentence into a page of your browser, and see what one or two finished runs make of it.

    dlfa demo runs/panx runs/panx_baseline

Two runs stand side by side; they are asked the same. The page is served to this machine alone, unless --host says
otherwise, and needs no network. It needs the extra `demo`: pip install 'modeling-dlfa[demo]'.
"""

import socket
import sys

from ..cli import CommandParser, guarded, needs_extra, quiet_libraries
from ..errors import InputError, one_line


LOOPBACK = "127.0.0.1"


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for something the user gave, 130 after control-C, else 1."""
    return guarded(_main, argv, interrupted="", failures=(ModuleNotFoundError,))


def _main(argv: list[str], debug: bool) -> None:
    arguments = parser().parse_args(argv)
    if arguments.port is not None and not 0 < arguments.port < 65536:
        raise InputError(f"--port {arguments.port}: expected a number from 1 to 65535")
    check_address(arguments.host, arguments.port)
    with needs_extra("demo"):  # not before the arguments are known, so that help is quick
        from .page import serve
    from .runs import open_runs

    if not debug:
        quiet_libraries()
    runs = open_runs([run for run in (arguments.run, arguments.run2) if run is not None])
    with serve(runs, arguments.host, arguments.port) as served:
        print(f"{served.url} (control-C ends it)", flush=True)
        served.wait()


def check_address(host: str, port: int | None) -> None:
    """See whether a page can be served there; gradio would try a hundred ports of an address that is not there.

    Raises:
        InputError: nothing can listen there, or it is an IPv6 address, which gradio makes no URL of.
    """
    try:
        found = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)
        family, kind, _, _, address = next((one for one in found if one[0] == socket.AF_INET), found[0])
        if family != socket.AF_INET:
            raise InputError(f"--host {host}: expected an IPv4 address or a name of one")
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        where = f"--host {host}" if port is None else f"--host {host} --port {port}"
        raise InputError(f"{where}: nothing can listen there: {one_line(error)}") from error


def parser() -> CommandParser:
    made = CommandParser("dlfa demo", (__doc__ or "").strip(), usage="dlfa demo RUN [RUN2] [--ARGUMENT VALUE ...]")
    made.add_argument("run", metavar="RUN", help="output folder of a finished run, or the Hub repository of one")
    made.add_argument("run2", metavar="RUN2", nargs="?", help="another one, to stand beside it")
    made.add_argument("--host", metavar="TEXT", default=LOOPBACK, help="where to listen; 0.0.0.0: to every network")
    made.add_argument("--port", metavar="INT", type=int, help="default: the first free one from 7860 on")
    made.add_common()
    return made


if __name__ == "__main__":
    sys.exit(main())
