"""`dlfa demo`: what it refuses, in one line, before a page is served."""

import os
import socket
import sys
from pathlib import Path

import pytest

from modeling_dlfa.demo.__main__ import LOOPBACK, main, parser


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "modeling_dlfa.demo.page", raising=False)
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err == "error: gradio is not installed: pip install 'modeling-dlfa[demo]'\n"


def test_loopback_unless_asked():
    assert parser().parse_args(["run"]).host == LOOPBACK == "127.0.0.1"


def test_help_needs_no_extra(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["--help"]) == 0
    assert "dlfa demo RUN [RUN2]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: RUN"),
        (["{tmp}"], "no finished run"),
        (["{tmp}/none"], "no finished run"),
        (["{run}", "{run}"], "this is the same run twice"),
        (["{run}", "--port", "0"], "--port 0: expected a number from 1 to 65535"),
        (["{run}", "--port", "high"], "argument --port: invalid int value: 'high'"),
        (["{run}", "--port", "{taken}"], "--host 127.0.0.1 --port {taken}: nothing can listen there"),
        (["{run}", "--host", "no.such.host.invalid"], "--host no.such.host.invalid: nothing can listen there"),
        (["{run}", "--host", "::1"], "--host ::1: expected an IPv4 address or a name of one"),
        (["{run}", "{run}", "{run}"], "unrecognized arguments"),
    ],
)
def test_bad_input_is_one_line(argv: list[str], message: str, run_of, tmp_path: Path, capsys):
    pytest.importorskip("gradio")
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        named = {"tmp": tmp_path, "run": run_of("udpos"), "taken": taken.getsockname()[1]}
        assert main([argument.format(**named) for argument in argv]) == 2
    error = capsys.readouterr().err
    assert message.format(**named) in error and error.count("\n") == 1


@pytest.mark.parametrize("before", [{}, {"NO_PROXY": "one.org"}, {"no_proxy": "two.org", "NO_PROXY": "one.org"}])
def test_the_page_is_asked_for_without_a_proxy(before: dict[str, str], run_of, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("gradio")
    from modeling_dlfa.demo.page import serve
    from modeling_dlfa.demo.runs import open_runs

    for name in ("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as closed:  # nothing answers there
        closed.bind((LOOPBACK, 0))
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://{LOOPBACK}:{closed.getsockname()[1]}")
        for name, value in before.items():
            monkeypatch.setenv(name, value)
        with serve(open_runs([str(run_of("udpos"))]), LOOPBACK) as served:
            assert served.url.startswith("http://127.0.0.1:")
    assert {name: os.environ[name] for name in ("NO_PROXY", "no_proxy") if name in os.environ} == before
