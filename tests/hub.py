"""A small Hugging Face Hub on loopback, for tests that drive the real `huggingface_hub` and `datasets` clients.

`HF_ENDPOINT` is read when those packages are imported, so tests talk to the server from a fresh process that gets
`HubServer.environment`. As on the Hub, large files go through LFS (uploaded by oid before the commit, downloaded from
another host by a redirect), a commit appears as a whole or not at all, and a private repository does not exist for
strangers. Of the Hub's API there is what creating, publishing, reading and downloading repositories needs; the rest
is answered with 404.
"""

import os
import secrets
import threading
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path

from tests.hub_api import Handler, Repository, is_lfs, oid_of


@dataclass
class Fault:
    method: str
    path_part: str
    status: int
    times: int
    after_bytes: int | None


class HubServer:
    """The server, running while it is entered as a context.

    Attributes:
        user: whose namespace the tokens may write to.
        token: the one token that may write.
        read_token: a token of the same user that may only read.
        repositories: ("model" or "dataset", "user/name") -> repository.
        requests: method, path without the query, and status of every answered request; 0 where a fault broke it off.
    """

    def __init__(self) -> None:
        self.user = "tester"
        self.token, self.read_token = (f"hf_{secrets.token_hex(17)}" for _ in range(2))
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.requests: list[tuple[str, str, int]] = []
        self.blobs: dict[str, bytes] = {}  # LFS objects by sha256
        self.lock = threading.Lock()
        self._faults: list[Fault] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"hub": self}))
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.storage_url = f"http://localhost:{self._http.server_port}"  # another host to the client

    def __enter__(self) -> "HubServer":
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def add(
        self, repo_type: str, name: str, files: dict[str, bytes], private: bool = False, branch: str = "main"
    ) -> str:
        """Put a repository there, or on top of one a commit of exactly these files; returns the commit's oid."""
        repository = self.repositories.setdefault((repo_type, name), Repository())
        repository.private = private
        self.blobs |= {oid_of(path, content): content for path, content in files.items() if is_lfs(path)}
        return repository.commit(dict(files), "added by the test", branch).oid

    def fail(
        self, method: str, path_part: str, status: int = 500, times: int = 1, after_bytes: int | None = None
    ) -> None:
        """Let the next `times` requests of this method fail whose path contains `path_part`.

        They get an error answer, or, with `after_bytes`, a connection that breaks after so many bytes of the body:
        the answer's for GET, the request's for others. Large files are read at `/lfs/<oid>/<path>` and written at
        `/lfs/<oid>`. The client tries 429 and 5xx again after 1, 2, 4, 8 and 8 seconds except at `/commit/`, so a
        fault that is to last costs time; 403 and 507 fail at once.
        """
        self._faults.append(Fault(method, path_part, status, times, after_bytes))

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            for fault in self._faults:
                if fault.times and fault.method == method and fault.path_part in path:
                    fault.times -= 1
                    return fault
        return None

    def environment(self, folder: str | Path, token: str | None = None) -> dict[str, str]:
        """The variables of a fresh process that talks to this server: this process's, without its Hub settings.

        Args:
            folder: where its `HF_HOME` goes; the same folder means the same cache.
            token: what it is logged in with.
        """
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        return mine | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(Path(folder) / "hf-home"),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",  # LFS instead, the other way the client knows
            "HF_TOKEN": token or "",
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
        }
