"""Processes forked from one that has the libraries: what happens when one of the two hangs or dies."""

import os
import socket
import subprocess
import time

import pytest

from tests import forks


@pytest.fixture
def own_servers(monkeypatch: pytest.MonkeyPatch):
    """Servers of this test alone."""
    servers: dict = {}
    monkeypatch.setattr(forks, "_SERVERS", servers)
    yield servers
    for server in servers.values():
        server.stop()


def printed(program: str, **how) -> str:
    return forks.run(["-c", program], imported=(), **how).stdout


@pytest.mark.parametrize("known_dead", [True, False])
def test_a_dead_server_is_started_anew(own_servers: dict, monkeypatch: pytest.MonkeyPatch, known_dead: bool):
    assert printed("print(1)") == "1\n"
    (first,) = own_servers.values()
    first.process.kill()
    first.process.wait()
    if not known_dead:
        monkeypatch.setattr(first.process, "poll", lambda: None)
    assert printed("print(2)") == "2\n"
    assert [server is first for server in own_servers.values()] == [False]


def test_what_hangs_is_killed(own_servers: dict):
    started: list[forks.Fork] = []
    real = forks.start
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forks, "start", lambda *command, **how: started.append(real(*command, **how)) or started[0])
        with pytest.raises(subprocess.TimeoutExpired):
            printed("import time; time.sleep(600)", timeout=0.5)
    assert started[0].wait(10) == -9


def test_a_server_ends_with_the_one_that_asks(own_servers: dict):
    server = forks._Server((), {})
    with open(os.devnull) as nothing:
        socket.send_fds(server.here, [(100).to_bytes(8, "big")], [nothing.fileno()] * 4)
    server.here.sendall(b"half of it")
    time.sleep(0.2)
    server.here.close()
    assert server.process.wait(20) == 0
