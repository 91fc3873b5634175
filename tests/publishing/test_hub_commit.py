"""Publishing over HTTP: what arrives, what a stranger's process makes of it, and what a failure leaves behind."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, ModelCard, ModelCardData, constants
from transformers import AutoTokenizer

from modeling_dlfa import DLFAForSequenceClassification
from modeling_dlfa.publishing.__main__ import main
from modeling_dlfa.tasks.registry import TASKS
from tests.elsewhere import run_elsewhere
from tests.hub import HubServer


ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "tester/dlfa"
FILES = {
    *("README.md", "all_results.json", "config.json", "tokenizer.json", "tokenizer_config.json"),
    *("configuration_dlfa.py", "modeling_dlfa.py", "model.safetensors"),
}
PAIRS = [["n1 d2 a", "yes v3"], ["o", "no"]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The server, with this process logged in there and not waiting between two tries."""
    with HubServer() as server:
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        monkeypatch.setenv("HF_TOKEN", server.token)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1,localhost")
        yield server


@pytest.fixture
def publish(
    hub: HubServer, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """publish(*flags): exit code, output and errors of the command; no token is ever among them."""

    def command(*flags: str, repository: str = REPOSITORY) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(run_folder), repository, *flags])
        printed = capsys.readouterr()
        for token in (hub.token, hub.read_token, "hf_wrong"):
            assert token not in printed.out + printed.err
        assert code == 0 or (printed.out == "" and re.fullmatch(r"error: [^\n]+\n", printed.err))
        return code, printed.out, printed.err

    return command


def remote(hub: HubServer):
    """The repository of these tests, on the server."""
    return hub.repositories["model", REPOSITORY]


# ---------------------------------------------------------------------------------------------------------------------
# From one process to another, which has nothing but transformers
# ---------------------------------------------------------------------------------------------------------------------

PROGRAM = """
import json, re, sys

import torch
from huggingface_hub import hf_hub_download
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

commits, pairs = json.loads(sys.argv[1]), json.loads(sys.argv[2])
report = {}
for repository, commit in commits.items():
    card = open(hf_hub_download(repository, "README.md", revision=commit)).read()
    (code,) = re.findall("```python\\n(.*?)```", card, flags=re.DOTALL)
    names = {}
    exec(code.replace("<commit>", commit), names)
    report[repository] = [type(names[name]).__name__ for name in ("classify", "parser", "heads") if name in names]

repository, commit = list(commits.items())[0]
trust = {"revision": commit, "trust_remote_code": True}
model, info = AutoModelForSequenceClassification.from_pretrained(repository, output_loading_info=True, **trust)
tokenizer = AutoTokenizer.from_pretrained(repository, **trust)
with torch.no_grad():
    report["logits"] = model(**tokenizer(pairs, padding=True, return_tensors="pt")).logits.tolist()
report["missing"] = sorted(info["missing_keys"])
report["module"] = type(model).__module__
classify = pipeline("text-classification", repository, **trust)
report["label"] = classify({"text": pairs[0][0], "text_pair": pairs[0][1]})["label"]
print(json.dumps(report))
"""


def fresh(*command: str, environment: dict[str, str], cwd: Path) -> str:
    done = subprocess.run([sys.executable, *command], env=environment, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.slow
def test_published_here_opened_elsewhere(hub: HubServer, finished: Callable[[str], Path], tmp_path: Path):
    command = ("-m", "modeling_dlfa.publishing", str(finished("xnli")), "tester/xnli", "--public")
    out = fresh(*command, environment=hub.environment(tmp_path / "here", hub.token), cwd=ROOT)
    for task in ("udpos", "uddep"):
        assert main([str(finished(task)), f"tester/{task}", "--public"]) == 0
    commits = {name: repository.commits[-1].oid for (_, name), repository in hub.repositories.items()}
    commit = commits["tester/xnli"]
    assert out.splitlines() == [
        f"published tester/xnli (public), commit {commit}",
        f"{hub.url}/tester/xnli/tree/{commit}",
        'AutoModelForSequenceClassification.from_pretrained("tester/xnli", '
        f'revision="{commit}", trust_remote_code=True)',
    ]
    for name in commits:
        hub.add("model", name, {"README.md": b"a later commit, which is not pinned"})
    elsewhere = hub.environment(tmp_path / "elsewhere")
    asked = json.dumps(commits), json.dumps(PAIRS)
    out = run_elsewhere(PROGRAM, *asked, cwd=tmp_path, environment=elsewhere, from_nothing=True)
    report = json.loads(out.splitlines()[-1])
    assert report["tester/xnli"] == ["TextClassificationPipeline"]
    assert report["tester/udpos"] == ["TokenClassificationPipeline"]
    assert report["tester/uddep"] == ["DLFAForDependencyParsing", "Tensor"]
    assert report["module"].startswith("transformers_modules.tester.") and commits["tester/xnli"] in report["module"]
    assert report["missing"] == []
    model = DLFAForSequenceClassification.from_pretrained(finished("xnli")).eval()
    tokenizer = AutoTokenizer.from_pretrained(finished("xnli"))
    with torch.no_grad():
        expected = model(**tokenizer(PAIRS, padding=True, return_tensors="pt")).logits
    assert torch.equal(torch.tensor(report["logits"]), expected)
    assert report["label"] == TASKS["xnli"].labels[int(expected[0].argmax())]


# ---------------------------------------------------------------------------------------------------------------------
# What arrives
# ---------------------------------------------------------------------------------------------------------------------


def test_one_commit_with_exactly_the_list(hub: HubServer, publish, run_folder: Path):
    (run_folder / "training_args.bin").write_bytes(b"a pickle")
    assert publish()[0] == 0
    first, second = remote(hub).commits
    assert remote(hub).private and second.message == "DLFA k=2 for xnli"
    assert set(first.files) == {".gitattributes"} and set(second.files) == FILES | {".gitattributes"}
    for name in ("model.safetensors", "modeling_dlfa.py", "config.json", "tokenizer.json"):
        assert second.files[name] == (run_folder / name).read_bytes()
    card = ModelCard(second.files["README.md"].decode())
    assert REPOSITORY in card.text
    scores = json.loads(second.files["all_results.json"])["scores"]
    assert isinstance(card.data, ModelCardData) and card.data.eval_results
    assert {one.dataset_config: one.metric_value for one in card.data.eval_results} == {
        code: round(value, 2) for code, value in scores.items()
    }


def test_a_second_time(hub: HubServer, publish, run_folder: Path):
    assert publish()[0] == 0
    commit = remote(hub).commits[-1].oid
    code, out, _ = publish()
    assert code == 0 and len(remote(hub).commits) == 2
    assert out.splitlines()[0] == f"nothing has changed: {REPOSITORY} holds all of this at commit {commit}"
    assert f'revision="{commit}"' in out
    with (run_folder / "README.md").open("a") as card:
        card.write("\nThanks to all.\n")
    code, out, _ = publish("--message", "Thanks")
    assert code == 0 and [one.message for one in remote(hub).commits[1:]] == ["DLFA k=2 for xnli", "Thanks"]
    assert out.startswith(f"published {REPOSITORY} (private), commit {remote(hub).commits[-1].oid}\n")


def test_leftovers_of_an_earlier_checkpoint_go_and_the_rest_stays(hub: HubServer, publish):
    old = {
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "pytorch_model.bin",
        "training_args.bin",
    }
    kept = {"LICENSE", "notes/model.safetensors", "models/b.safetensors", "onnx/model.onnx"}
    hub.add("model", REPOSITORY, dict.fromkeys(old | kept, b"old"), private=True)
    code, out, _ = publish()
    assert code == 0 and set(remote(hub).commits[-1].files) == FILES | kept
    assert f"deleted what an earlier checkpoint had: {', '.join(sorted(old))}\n" in out
    assert len(remote(hub).commits) == 2


@pytest.mark.parametrize("private", [True, False])
def test_visibility_is_never_changed(hub: HubServer, publish, private: bool):
    hub.add("model", REPOSITORY, {"LICENSE": b""}, private=private)
    code, _, error = publish(*(["--public"] if private else []))
    assert code == 2 and ("is private: change that" if private else "is public: add --public") in error
    assert remote(hub).private is private and len(remote(hub).commits) == 1
    assert publish(*([] if private else ["--public"]))[0] == 0
    assert remote(hub).private is private and len(remote(hub).commits) == 2


# ---------------------------------------------------------------------------------------------------------------------
# What fails
# ---------------------------------------------------------------------------------------------------------------------


def test_without_a_token(hub: HubServer, publish, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HF_TOKEN")
    code, _, error = publish()
    assert code == 2 and "no token of the Hub: log in with `hf auth login`, or set HF_TOKEN" in error
    assert hub.requests == []


def test_a_wrong_token(hub: HubServer, publish, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    code, _, error = publish()
    assert code == 1 and "the Hub does not know this token" in error and "nothing was published" in error
    assert hub.repositories == {}


@pytest.mark.parametrize("token", ["hf_oauth_abc-DEF", "eyJhbGciOi.of-another-kind"])
def test_an_error_does_not_say_the_token(hub: HubServer, publish, monkeypatch: pytest.MonkeyPatch, token: str):
    def whoami(self):
        raise ValueError(f"cannot send\nBearer {token} (or hf_oauth_1234)")

    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(HfApi, "whoami", whoami)
    assert publish()[::2] == (
        1,
        "error: the Hub failed: ValueError: cannot send Bearer *** (or ***); nothing was published\n",
    )


def test_a_token_that_may_only_read(hub: HubServer, publish, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", hub.read_token)
    code, _, error = publish()
    assert code == 1 and f"no right to write to {REPOSITORY}" in error and "nothing was published" in error
    assert hub.repositories == {}


@pytest.mark.parametrize("there", [False, True])
def test_a_repository_of_somebody_else(hub: HubServer, publish, there: bool):
    if there:
        hub.add("model", "jane/dlfa", {"README.md": b"hers"})
    code, _, error = publish("--public", repository="jane/dlfa")
    assert code == 1 and "no right to write to jane/dlfa" in error and "nothing was published" in error
    assert [one.files for one in (hub.repositories[key] for key in hub.repositories) for one in one.commits] == (
        [{"README.md": b"hers"}] if there else []
    )


@pytest.mark.parametrize(
    ("method", "path", "fault"),
    [
        ("GET", "/api/whoami-v2", {"status": 503, "times": 9}),
        ("POST", "/api/repos/create", {"status": 500, "times": 9}),
        ("POST", "/preupload/", {"status": 500, "times": 9}),
        ("POST", "/lfs/objects/batch", {"status": 500, "times": 9}),
        ("PUT", "/lfs/", {"status": 507, "times": 9}),
        ("PUT", "/lfs/", {"after_bytes": 1000, "times": 99}),
        ("POST", "/commit/", {"status": 500}),
        ("POST", "/commit/", {"after_bytes": 100}),
        ("POST", "/commit/", {"status": 412}),
    ],
)
def test_nothing_is_half_published(hub: HubServer, publish, method: str, path: str, fault: dict[str, int]):
    hub.fail(method, path, **fault)
    code, _, error = publish()
    assert code == 1 and "nothing was published" in error
    if hub.repositories:
        assert f"the new repository {REPOSITORY} is empty: run the same command again" in error
    assert all(set(commit.files) == {".gitattributes"} for one in hub.repositories.values() for commit in one.commits)
    hub._faults.clear()
    assert publish()[0] == 0  # the same command goes on
    assert set(remote(hub).commits[-1].files) == FILES | {".gitattributes"} and len(remote(hub).commits) == 2


def test_a_failure_leaves_an_earlier_checkpoint_alone(hub: HubServer, publish, run_folder: Path):
    assert publish()[0] == 0
    before = remote(hub).commits[-1]
    (run_folder / "README.md").write_text("---\nlicense: mit\n---\n# Another card\n")
    hub.fail("POST", "/commit/")
    code, _, error = publish()
    assert code == 1 and f"{REPOSITORY} is as before: run the same command again" in error
    assert remote(hub).commits[-1] is before


def test_a_commit_in_between_is_not_overwritten(hub: HubServer, publish, monkeypatch: pytest.MonkeyPatch):
    original, theirs = HfApi.create_commit, []

    def create_commit(self, *args, **kwargs):
        theirs.append(hub.add("model", REPOSITORY, {"README.md": b"theirs"}, private=True))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(HfApi, "create_commit", create_commit)
    code, _, error = publish()
    assert code == 1 and "changed by somebody else in the meantime" in error and theirs[0] in error
    assert remote(hub).commits[-1].files == {"README.md": b"theirs"}


def test_a_commit_whose_answer_is_lost(hub: HubServer, publish, monkeypatch: pytest.MonkeyPatch):
    original = HfApi.create_commit

    def create_commit(self, *args, **kwargs):
        original(self, *args, **kwargs)
        raise ConnectionResetError(f"connection of {hub.token} reset\nby peer")

    monkeypatch.setattr(HfApi, "create_commit", create_commit)
    code, _, error = publish()
    commit = remote(hub).commits[-1].oid
    assert code == 1 and "connection of *** reset by peer" in error
    assert f"has a new commit, {commit}: run the same command again" in error
    monkeypatch.setattr(HfApi, "create_commit", original)
    code, out, _ = publish()
    assert code == 0 and out.startswith("nothing has changed") and commit in out


def test_offline(hub: HubServer, publish, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    code, _, error = publish()
    assert code == 1 and "offline mode is enabled" in error and "nothing was published" in error
    assert hub.requests == [] and os.environ["HF_TOKEN"] == hub.token
