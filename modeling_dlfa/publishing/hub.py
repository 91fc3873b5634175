"""One commit on the Hub that makes a repository hold a checkpoint, or nothing at all."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelInfo, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id

from ..errors import InputError, one_line
from .checkpoint import Checkpoint
from .errors import PublishingError, without_tokens


# Files of an earlier checkpoint, which `from_pretrained` or a reader could take for those of this one. They are
# deleted in the same commit, and stay in the repository's history.
LEFTOVERS = (
    *("model*.safetensors", "model.safetensors.index.json", "pytorch_model*.bin", "pytorch_model.bin.index.json"),
    "training_args.bin",
)


@dataclass(frozen=True)
class Publication:
    """What a repository holds now.

    Attributes:
        repository: "user/name".
        commit: 40 hexadecimal digits, to pin the checkpoint with `revision=`.
        url: page of the repository at this commit.
        changed: whether the commit is new; False where the repository held all of it before.
        private: whether only its owners see it.
        deleted: files of an earlier checkpoint that the commit has removed.
    """

    repository: str
    commit: str
    url: str
    changed: bool
    private: bool
    deleted: list[str]


def check_repository(name: str) -> str:
    """The name of a repository.

    Raises:
        InputError: it is not "user/name", or not such as the Hub allows.
    """
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise InputError(f"repository {name!r}: {one_line(error)}") from error
    if "/" not in name:
        raise InputError(f"repository {name!r}: expected user/name or organisation/name")
    return name


def commit_message(checkpoint: Checkpoint) -> str:
    """What the commit says where nothing else is asked for, such as "DLFA k=8 for xnli"."""
    return f"{checkpoint.results.model_name} for {checkpoint.results.task}"


def publish(
    checkpoint: Checkpoint, repository: str, public: bool = False, message: str | None = None, api: HfApi | None = None
) -> Publication:
    """Make a model repository hold a checkpoint, in one commit. A repository that is not there is created.

    A commit appears on the Hub as a whole or not at all. A repository that was created for one that failed stays, and
    shows nothing; what has been uploaded to it is kept there, and the same call goes on.

    Args:
        checkpoint: what `read_checkpoint` returned for the same repository.
        repository: "user/name". Files in it that are no part of a checkpoint stay.
        public: whether everybody may see it; a repository that is there must already be as asked.
        message: first line of the commit's message; by default model and task.
        api: client; by default on `HF_ENDPOINT`, of who is logged in or of `HF_TOKEN`.

    Raises:
        InputError: there is no token, or the repository is there and more or less public than asked.
        PublishingError: the Hub refused or failed.
    """
    check_repository(repository)
    api = api or HfApi()
    token = api.token if isinstance(api.token, str) else get_token()
    if not token:
        raise InputError("no token of the Hub: log in with `hf auth login`, or set HF_TOKEN")
    before, created = None, False
    try:
        api.whoami()  # where the token is wrong, a repository seems to be missing
        before, created = _open_repository(api, repository, public)
        deleted = _leftovers(api, repository, before, checkpoint)
        commit = api.create_commit(
            repository,
            [*_additions(checkpoint), *(CommitOperationDelete(name) for name in deleted)],
            commit_message=message or commit_message(checkpoint),
            parent_commit=before.sha,
        )
    except InputError:
        raise
    except Exception as error:  # whatever comes from over there
        text = f"{_explain(error, repository)}; {_state(api, repository, before, created)}"
        raise PublishingError(without_tokens(text.replace(token, "***"))) from None  # nor in a traceback
    url = f"{api.endpoint}/{repository}/tree/{commit.oid}"
    return Publication(repository, commit.oid, url, commit.oid != before.sha, not public, deleted)


def _additions(checkpoint: Checkpoint) -> list[CommitOperationAdd]:
    """What is uploaded, which is what was checked: the Hub takes a large file by the hash that it was announced with.

    Raises:
        InputError: a file of weights has changed since.
    """
    additions = [CommitOperationAdd(name, content) for name, content in checkpoint.files.items()]
    for one in additions:
        if one.upload_info.sha256.hex() != checkpoint.hashes.get(one.path_in_repo, one.upload_info.sha256.hex()):
            path = checkpoint.folder / one.path_in_repo
            raise InputError(f"{path} has changed since it was checked: run the same command again")
    return additions


def _open_repository(api: HfApi, repository: str, public: bool) -> tuple[ModelInfo, bool]:
    """The repository before the commit, and whether it is a new one."""
    try:
        found = api.model_info(repository)
    except RepositoryNotFoundError:
        api.create_repo(repository, private=not public)
        return api.model_info(repository), True
    if found.private and public:
        raise InputError(f"{repository} is there and is private: change that in its settings, or leave out --public")
    if not found.private and not public:
        raise InputError(f"{repository} is there and is public: add --public, or give another repository")
    return found, False


def _leftovers(api: HfApi, repository: str, before: ModelInfo, checkpoint: Checkpoint) -> list[str]:
    names = (name for name in api.list_repo_files(repository, revision=before.sha) if "/" not in name)
    old = (name for name in names if any(fnmatchcase(name, pattern) for pattern in LEFTOVERS))
    return sorted(name for name in old if name not in checkpoint.files)


def _explain(error: Exception, repository: str) -> str:
    """What went wrong, in one line."""
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status == 401:
        return "the Hub does not know this token: log in again with `hf auth login`, or set HF_TOKEN"
    if status == 403:
        return f"the token has no right to write to {repository}: it needs the role write, there"
    if status == 409:
        return f"{repository} is there, and the token has no right to see it"
    if status == 412:
        return f"{repository} has been changed by somebody else in the meantime"
    return f"the Hub failed: {type(error).__name__}: {one_line(error, 300)}"


def _state(api: HfApi, repository: str, before: ModelInfo | None, created: bool) -> str:
    """What a failure has left behind, as far as the Hub says."""
    if before is None:
        return "nothing was published"
    try:
        now = api.model_info(repository).sha
    except Exception:
        now = None
    if now is None:
        return f"the state of {repository} is not known: run the same command again"
    if now != before.sha:
        return f"{repository} has a new commit, {now}: run the same command again to see whether it is this one"
    left = f"the new repository {repository} is empty" if created else f"{repository} is as before"
    return f"nothing was published, {left}: run the same command again"
