"""What the test server of `tests/hub.py` keeps, and how it answers: the part of the Hub's API that clients need."""

import base64
import hashlib
import json
import re
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import yaml


if TYPE_CHECKING:
    from tests.hub import HubServer


LFS_SUFFIXES = (".bin", ".model", ".onnx", ".parquet", ".pt", ".safetensors")
GITATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()


@dataclass(frozen=True)
class Commit:
    """A state of a repository. `oid` is 40 hexadecimal digits, `branch` what a revision may also name it by."""

    oid: str
    files: dict[str, bytes]
    message: str
    branch: str = "main"


@dataclass
class Repository:
    """Commits are in the order of their making. A repository that a client creates begins with `.gitattributes`."""

    private: bool = False
    commits: list[Commit] = field(default_factory=list)

    def commit(self, files: dict[str, bytes], message: str, branch: str = "main") -> Commit:
        self.commits.append(Commit(secrets.token_hex(20), files, message, branch))
        return self.commits[-1]

    def at(self, revision: str) -> Commit:
        for commit in reversed(self.commits):
            if revision in (commit.oid, commit.branch):
                return commit
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class HubError(Exception):
    """An answer that is an error: status, message, and the `X-Error-Code` by which the client tells them apart."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        self.reply = _json({"error": message}, status)
        self.reply.headers |= {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {}) | headers


class Handler(BaseHTTPRequestHandler):
    """One connection. The methods that `ROUTES` names take the parts of the path and answer."""

    hub: "HubServer"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    # ---------------------------------------------------------------- HTTP

    def _serve(self) -> None:
        path, query = urlsplit(self.path).path, urlsplit(self.path).query
        fault = self.hub.next_fault(self.command, path)
        limit = fault.after_bytes if fault else None
        reply = None
        if limit is not None and self.command != "GET":
            self.rfile.read(min(limit, int(self.headers.get("Content-Length", limit))))
        else:
            self.query, self.body = parse_qs(query), self._read_body()
            refused = HubError(fault.status, "as the test wants it").reply if fault and limit is None else None
            reply = refused or self._answer(path)
        # Noted before the client knows: a test may look as soon as it does.
        self.hub.requests.append((self.command, path, reply.status if reply and limit is None else 0))
        if reply:
            self.send_response(reply.status)
            for name, value in (reply.headers | {"Content-Length": str(len(reply.body))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body[:limit])
        if limit is not None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size + 2)[:size])
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `HubServer.requests` is the log."""

    def _answer(self, path: str) -> Reply:
        try:
            for method, pattern, name in ROUTES:
                if method == self.command.replace("HEAD", "GET") and (match := re.fullmatch(pattern, path)):
                    parts = {key: unquote(part or "") for key, part in match.groupdict().items()}
                    with self.hub.lock:
                        return getattr(self, name)(**parts)
            raise HubError(404, f"no {self.command} {path} here")
        except HubError as error:
            return error.reply

    # ---------------------------------------------------------------- who may what

    def _role(self) -> str | None:
        roles = {None: None, f"Bearer {self.hub.token}": "write", f"Bearer {self.hub.read_token}": "read"}
        if (authorization := self.headers.get("Authorization")) not in roles:
            raise HubError(401, "Invalid credentials in Authorization header")
        return roles[authorization]

    def _check_writer(self, name: str) -> None:
        if (role := self._role()) is None:
            raise HubError(401, "Invalid username or password.")
        if role != "write" or name.split("/")[0] != self.hub.user:
            raise HubError(403, f"You don't have the rights to write to {name}")

    def _repository(self, kind: str, name: str, write: bool = False) -> Repository:
        role = self._role()
        repository = self.hub.repositories.get((kind.rstrip("s") or "model", name))
        if repository is None or (repository.private and role is None):
            raise HubError(404 if role else 401, "Repository not found", "RepoNotFound")
        if write:
            self._check_writer(name)
        return repository

    def whoami(self) -> Reply:
        if (role := self._role()) is None:
            raise HubError(401, "Invalid username or password.")
        access = {"accessToken": {"displayName": "test", "role": role}}
        return _json({"type": "user", "id": "1", "name": self.hub.user, "orgs": [], "auth": access})

    # ---------------------------------------------------------------- reading

    def info(self, kind: str, name: str, revision: str = "main") -> Reply:
        repository = self._repository(kind, name)
        commit = repository.at(revision)
        entries = [_entry(path, content) for path, content in sorted(commit.files.items())]
        siblings = [{"rfilename": entry["path"], "size": entry["size"], "blobId": entry["oid"]} for entry in entries]
        facts = {"id": name, "sha": commit.oid, "private": repository.private, "gated": False, "tags": []}
        return _json(facts | {"siblings": siblings})

    def tree(self, kind: str, name: str, revision: str, folder: str) -> Reply:
        inside = f"{folder}/" if folder else ""
        entries = _entries(self._repository(kind, name).at(revision))
        below = [entry for entry in entries if entry["path"].startswith(inside)]
        if not below:
            raise HubError(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        if self.query.get("recursive", ["false"])[0].lower() not in ("true", "1"):
            below = [entry for entry in below if "/" not in entry["path"].removeprefix(inside)]
        return _json(below)

    def paths_info(self, kind: str, name: str, revision: str) -> Reply:
        wanted = parse_qs(self.body.decode()).get("paths", [])
        entries = _entries(self._repository(kind, name).at(revision))
        return _json([entry for entry in entries if entry["path"] in wanted])

    def resolve(self, kind: str, name: str, revision: str, path: str) -> Reply:
        commit = self._repository(kind, name).at(revision)
        facts = {"X-Repo-Commit": commit.oid}
        if path not in commit.files:
            raise HubError(404, "Entry not found", "EntryNotFound", **facts)
        content, oid = commit.files[path], oid_of(path, commit.files[path])
        if not is_lfs(path):
            return self._content(content, facts | {"ETag": f'"{oid}"'})
        facts |= {"X-Linked-Etag": f'"{oid}"', "X-Linked-Size": str(len(content))}
        return Reply(status=302, headers=facts | {"Location": f"{self.hub.storage_url}/lfs/{oid}/{quote(path)}"})

    def lfs_get(self, oid: str, path: str) -> Reply:
        if oid not in self.hub.blobs:
            raise HubError(404, f"no object {oid} of {path}")
        return self._content(self.hub.blobs[oid], {"ETag": f'"{oid}"'})

    def _content(self, content: bytes, headers: dict[str, str]) -> Reply:
        """A file, or the part of it that the request's range asks for."""
        headers = headers | {"Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None:
            return Reply(content, 200, headers)
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        if first > last:
            return Reply(b"", 416, {"Content-Range": f"bytes */{len(content)}"})
        part = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return Reply(content[first : last + 1], 206, headers | part)

    # ---------------------------------------------------------------- writing

    def create(self) -> Reply:
        wanted = json.loads(self.body)
        name, kind = f"{wanted.get('organization') or self.hub.user}/{wanted['name']}", wanted.get("type") or "model"
        self._check_writer(name)
        url = f"{self.hub.url}/{'' if kind == 'model' else kind + 's/'}{name}"
        if (kind, name) in self.hub.repositories:
            return _json({"error": "You already created this repo", "url": url}, 409)
        private = wanted.get("visibility") == "private" or wanted.get("private") is True
        self.hub.repositories[kind, name] = Repository(private)
        self.hub.repositories[kind, name].commit({".gitattributes": GITATTRIBUTES}, "initial commit")
        return _json({"url": url, "name": name})

    def validate_yaml(self) -> Reply:
        block = re.match(r"---\r?\n(.*?)\r?\n---", json.loads(self.body)["content"], re.DOTALL)
        try:
            valid = block is None or isinstance(yaml.safe_load(block[1]), dict)
        except yaml.YAMLError:
            valid = False
        errors = [] if valid else [{"message": "the metadata are no YAML mapping"}]
        return _json({"errors": errors, "warnings": []}, 200 if valid else 400)

    def preupload(self, kind: str, name: str, revision: str) -> Reply:
        there = self._repository(kind, name, write=True).at(revision).files
        files = []
        for path in (file["path"] for file in json.loads(self.body)["files"]):
            oid = oid_of(path, there[path]) if path in there else None
            mode = "lfs" if is_lfs(path) else "regular"
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return _json({"files": files})

    def lfs_batch(self, kind: str, name: str) -> Reply:
        self._repository(kind, name, write=True)
        objects = [{"oid": wanted["oid"], "size": wanted["size"]} for wanted in json.loads(self.body)["objects"]]
        for answer in objects:
            if answer["oid"] not in self.hub.blobs:
                answer["actions"] = {"upload": {"href": f"{self.hub.storage_url}/lfs/{answer['oid']}"}}
        return _json({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> Reply:
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise HubError(400, "the content does not have this sha256")
        self.hub.blobs[oid] = self.body
        return Reply()

    def commit(self, kind: str, name: str, revision: str) -> Reply:
        repository = self._repository(kind, name, write=True)
        head = repository.at(revision)
        files, message = dict(head.files), ""
        for line in self.body.splitlines():
            operation = json.loads(line)
            key, value = operation["key"], operation["value"]
            path = value.get("path", "")
            if key == "header":
                message = value["summary"]
                if value.get("parentCommit", head.oid) != head.oid:
                    raise HubError(412, "A commit has happened since. Please refresh and try again.")
            elif key == "file":
                files[path] = base64.b64decode(value["content"])
            elif key == "lfsFile" and value["oid"] in self.hub.blobs:
                files[path] = self.hub.blobs[value["oid"]]
            elif key == "deletedFile" and path in files:
                del files[path]
            elif key == "deletedFolder":
                files = {name: files[name] for name in files if not name.startswith(path.rstrip("/") + "/")}
            else:
                raise HubError(400, f"cannot do {key} of {path}: there is no such content")
        oid = repository.commit(files, message, head.branch).oid
        url = f"{self.hub.url}/{'' if kind == 'models' else kind + '/'}{name}/commit/{oid}"
        return _json({"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})


_API = r"/api/(?P<kind>models|datasets)/(?P<name>[^/]+/[^/]+)"
_WEB = r"/(?:(?P<kind>datasets)/)?(?P<name>[^/]+/[^/]+)"
_REVISION = r"/(?P<revision>[^/]+)"
ROUTES = (
    ("GET", "/api/whoami-v2", "whoami"),
    ("GET", _API, "info"),
    ("GET", f"{_API}/revision{_REVISION}", "info"),
    ("GET", f"{_API}/tree{_REVISION}(?:/(?P<folder>.*))?", "tree"),
    ("POST", f"{_API}/paths-info{_REVISION}", "paths_info"),
    ("GET", f"{_WEB}/resolve{_REVISION}/(?P<path>.+)", "resolve"),
    ("GET", "/lfs/(?P<oid>[0-9a-f]{64})/(?P<path>.+)", "lfs_get"),
    ("POST", "/api/repos/create", "create"),
    ("POST", "/api/validate-yaml", "validate_yaml"),
    ("POST", f"{_API}/preupload{_REVISION}", "preupload"),
    ("POST", rf"{_WEB}\.git/info/lfs/objects/batch", "lfs_batch"),
    ("PUT", "/lfs/(?P<oid>[0-9a-f]{64})", "lfs_put"),
    ("POST", f"{_API}/commit{_REVISION}", "commit"),
)


def _json(value: object, status: int = 200) -> Reply:
    return Reply(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


def is_lfs(path: str) -> bool:
    return path.endswith(LFS_SUFFIXES)


def oid_of(path: str, content: bytes) -> str:
    """What identifies a content: its sha256 in LFS, else git's hash."""
    if is_lfs(path):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _entry(path: str, content: bytes) -> dict[str, Any]:
    oid = oid_of(path, content)
    entry = {"type": "file", "path": path, "size": len(content), "oid": oid[:40]}
    return entry | ({"lfs": {"oid": oid, "size": len(content), "pointerSize": 130}} if is_lfs(path) else {})


def _entries(commit: Commit) -> list[dict[str, Any]]:
    """Files and folders of a commit, in the order of their paths."""
    folders = {str(folder) for path in commit.files for folder in PurePosixPath(path).parents[:-1]}
    entries = [{"type": "directory", "path": folder, "size": 0, "oid": "0" * 40} for folder in folders]
    entries += [_entry(path, content) for path, content in commit.files.items()]
    return sorted(entries, key=lambda entry: entry["path"])
