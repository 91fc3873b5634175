"""The test server against the real client, which is what makes the tests that use it worth something."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.hub import HubServer
from tests.marks import rest_is_slow


FILES = {
    "README.md": b"---\nlicense: apache-2.0\n---\n# A card\n",
    "a/b c.txt": b"text",
    "empty.txt": b"",
    "model.safetensors": bytes(range(256)) * 2000,
}

PRELUDE = """
import sys
from pathlib import Path
from huggingface_hub import *
from huggingface_hub.errors import *

folder, work, words = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
api = HfApi()

def outcome(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except (HfHubHTTPError, OSError, RuntimeError) as error:
        status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
        return type(error), status
"""


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> Callable[..., str]:
    """Function (code, *words, token, home) -> what the code prints in a fresh process."""
    folder = tmp_path / "folder"
    for path, content in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    def run(code: str, *words: str, token: str | None = None, home: str = "home") -> str:
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + code, str(folder), str(tmp_path), *words],
            env=hub.environment(tmp_path / home, token),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()

    return run


PUBLISH = """
assert (me := api.whoami())["name"] == "tester" and me["auth"]["accessToken"]["role"] == "write"
assert str(api.create_repo("model", private=True)) == f"{api.endpoint}/tester/model"
assert api.create_repo("tester/model", exist_ok=True).repo_id == "tester/model"
commit = api.upload_folder(repo_id="tester/model", folder_path=folder, commit_message="A model")
assert commit.commit_url == f"{api.endpoint}/tester/model/commit/{commit.oid}"
again = api.upload_folder(repo_id="tester/model", folder_path=folder, commit_message="The same")
assert again.oid == commit.oid
"""
DOWNLOAD = """
first, last = words
info = api.model_info("tester/model")
assert (info.sha, info.private) == (last, True)
assert [file.rfilename for file in info.siblings] == [
    ".gitattributes", "README.md", "a/b c.txt", "empty.txt", "model.safetensors"
]
assert api.model_info("tester/model", revision=first).sha == first
assert api.list_repo_files("tester/model", revision=first) == [".gitattributes"]
files = {file.path: file for file in api.list_repo_tree("tester/model")}
assert sorted(files) == [".gitattributes", "README.md", "a", "empty.txt", "model.safetensors"]
assert files["model.safetensors"].lfs.size == files["model.safetensors"].size == 512000
assert files["README.md"].lfs is None and isinstance(files["a"], RepoFolder)
assert [file.path for file in api.list_repo_tree("tester/model", "a")] == ["a/b c.txt"]
assert [file.path for file in api.get_paths_info("tester/model", ["a", "README.md", "x"])] == ["README.md", "a"]
assert api.file_exists("tester/model", "a/b c.txt") and not api.file_exists("tester/model", "a/b")
for name in ("README.md", "model.safetensors"):
    facts = get_hf_file_metadata(hf_hub_url("tester/model", name, revision=last))
    assert (facts.commit_hash, facts.size) == (last, (folder / name).stat().st_size)
    assert facts.etag == (files[name].lfs.sha256 if files[name].lfs else files[name].blob_id)
for revision in (None, last):
    snapshot = Path(snapshot_download("tester/model", revision=revision, cache_dir=work / str(revision)))
    assert snapshot.name == last
    for path in folder.rglob("*.*"):
        assert (snapshot / path.relative_to(folder)).read_bytes() == path.read_bytes()
"""


def test_a_folder_goes_up_in_one_commit_and_comes_down_the_same(hub: HubServer, client: Callable[..., str]):
    client(PUBLISH, token=hub.token)
    repository = hub.repositories["model", "tester/model"]
    first, last = repository.commits
    assert (repository.private, last.message, list(first.files)) == (True, "A model", [".gitattributes"])
    assert {path: content for path, content in last.files.items() if path not in first.files} == FILES
    uploads = [path for method, path, _ in hub.requests if method == "PUT"]
    assert uploads == ["/lfs/" + hashlib.sha256(FILES["model.safetensors"]).hexdigest()]
    client(DOWNLOAD, first.oid, last.oid, token=hub.read_token, home="empty")


EDIT = """
oid = words[0]
edit = [CommitOperationDelete("a/"), CommitOperationAdd("new.txt", b"new"), CommitOperationDelete("empty.txt")]
where = {"repo_id": "tester/data", "repo_type": "dataset", "commit_message": "Edit"}
assert outcome(api.create_commit, operations=edit, parent_commit="0" * 40, **where) == (HfHubHTTPError, 412)
api.create_commit(operations=edit, parent_commit=oid, **where)
"""


def test_a_commit_may_delete(hub: HubServer, client: Callable[..., str]):
    oid = hub.add("dataset", "tester/data", FILES)
    client(EDIT, oid, token=hub.token)
    commits = hub.repositories["dataset", "tester/data"].commits
    assert [commit.message for commit in commits[1:]] == ["Edit"]
    assert commits[-1].files.keys() == {"README.md", "model.safetensors", "new.txt"}
    assert commits[0].files == FILES


# What a stranger, a reader and the owner get: one line per call, the same for all three.
REFUSED = """
def upload(name):
    api.upload_folder(repo_id=name, folder_path=folder)

for line in (
    outcome(api.whoami) if words[0] != "stranger" else None,
    outcome(api.model_info, "tester/private"),
    outcome(hf_hub_download, "tester/private", "README.md"),
    outcome(api.model_info, "tester/none"),
    outcome(api.model_info, "tester/public"),
    outcome(api.model_info, "tester/public", revision="0" * 40),
    outcome(hf_hub_download, "tester/public", "none.txt"),
    outcome(api.create_repo, "tester/new"),
    outcome(api.create_repo, "other/new"),
    outcome(upload, "tester/public"),
):
    print(*(("fine",) if line is None else (line[0].__name__, line[1])))
"""
ANSWERS = {
    "stranger": "fine|RepositoryNotFoundError 401|RepositoryNotFoundError 401|RepositoryNotFoundError 401|fine"
    "|RevisionNotFoundError 404|RemoteEntryNotFoundError 404" + 3 * "|HfHubHTTPError 401",
    "wrong": "|".join(10 * ["HfHubHTTPError 401"]),
    "reader": "fine|fine|fine|RepositoryNotFoundError 404|fine|RevisionNotFoundError 404|RemoteEntryNotFoundError 404"
    "|HfHubHTTPError 403|HfHubHTTPError 403|HfHubHTTPError 403",
    "owner": "fine|fine|fine|RepositoryNotFoundError 404|fine|RevisionNotFoundError 404|RemoteEntryNotFoundError 404"
    "|fine|HfHubHTTPError 403|fine",
}


@pytest.mark.parametrize("who", rest_is_slow([*ANSWERS]))
def test_everybody_gets_what_is_theirs(hub: HubServer, client: Callable[..., str], who: str):
    for name in ("public", "private"):
        hub.add("model", f"tester/{name}", {"README.md": b"# A card\n"}, private=name == "private")
    token = {"stranger": None, "wrong": "hf_wrong", "reader": hub.read_token, "owner": hub.token}[who]
    assert "|".join(client(REFUSED, who, token=token).splitlines()) == ANSWERS[who]
    assert ("model", "tester/new") in hub.repositories or who != "owner"
    assert len(hub.repositories["model", "tester/public"].commits) == (2 if who == "owner" else 1)


def test_a_broken_download_goes_on_where_it_was(hub: HubServer, client: Callable[..., str]):
    content = bytes(range(256)) * 50_000  # the client keeps what it has in pieces of 10 MiB
    oid = hub.add("model", "tester/model", {"model.safetensors": content})
    hub.fail("GET", "/model.safetensors", after_bytes=12_000_000)
    path = client('print(hf_hub_download("tester/model", "model.safetensors"))')
    assert Path(path).read_bytes() == content and oid in path
    answers = [status for method, path, status in hub.requests if method == "GET" and path.startswith("/lfs/")]
    assert answers == [0, 206]


BROKEN = """
print(outcome(api.upload_folder, repo_id="tester/model", folder_path=folder))
"""


@pytest.mark.parametrize(
    ("method", "part", "how", "error"),
    [
        ("POST", "/commit/", {"status": 500}, "HfHubHTTPError'>, 500"),
        ("PUT", "/lfs/", {"status": 507}, "RuntimeError'>, None"),
    ],
)
def test_a_fault_leaves_nothing_behind(hub: HubServer, client: Callable[..., str], method, part, how, error):
    hub.add("model", "tester/model", {"README.md": b"old"})
    hub.fail(method, part, **how)
    assert error in client(BROKEN, token=hub.token)
    (commit,) = hub.repositories["model", "tester/model"].commits
    assert commit.files == {"README.md": b"old"}
    assert client(BROKEN, token=hub.token) == "None"
    assert hub.repositories["model", "tester/model"].commits[-1].files == FILES


def test_a_broken_upload_is_sent_again(hub: HubServer, client: Callable[..., str]):
    hub.add("model", "tester/model", {"README.md": b"old"})
    hub.fail("PUT", "/lfs/", after_bytes=100_000)
    assert client(BROKEN, token=hub.token) == "None"
    assert [status for method, _, status in hub.requests if method == "PUT"] == [0, 200]
    assert hub.repositories["model", "tester/model"].commits[-1].files == FILES
