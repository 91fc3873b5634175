"""What must not leave this machine: secrets, and the paths of its folders.

Secrets come from the environment and are written nowhere. Paths may stand in the folder of a run, which knows by them
where its data are; whatever is made to be shared (cards, records and reports of studies, what is published) has the
last part of each alone.
"""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any


# Tokens by the form that their makers give them, private keys, and the password in a URL.
_SECRET = re.compile(
    r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}|\bgithub_pat_\w{20,}|\bgh[opsru]_[A-Za-z0-9]{30,}|\bsk-[\w-]{20,}"
    r"|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|(?<=://)[^\s/:@'\"]*:[^\s/@'\"]+(?=@)"
)
_SECRET_NAME = re.compile(
    r"(?:^|[_-])(?:(?:hub|hf|access|auth|api)_?token|api_?key|passw(?:or)?d|secret|secret_key|credentials?)$", re.I
)
_HOME = re.compile(r"(?<![\w./:-])(?:/home/|/Users/)[\w.-]+|\b[A-Za-z]:\\+Users\\+[\w.-]+")
SHORTEST_SECRET = 12  # shorter values of the environment stand in any text by chance


@lru_cache(10_000)
def is_secret_name(name: str) -> bool:
    """Whether what has this name (an argument, an environment variable) is secret whatever it says."""
    return _SECRET_NAME.search(name) is not None


def without_secrets(text: str) -> str:
    """A text with stars in place of tokens, private keys and passwords in URLs."""
    text = _SECRET.sub(lambda match: f"{match[0].partition(':')[0]}:***" if "@" in _next(match) else "***", text)
    for value in _of_environment() if len(text) >= SHORTEST_SECRET else ():
        text = text.replace(value, "***")
    return text


def has_secret(text: str) -> bool:
    """Whether a text holds a token, a private key, a password in a URL, or a secret of this process's environment."""
    return without_secrets(text) != text


def _next(match: re.Match[str]) -> str:
    return match.string[match.end() : match.end() + 1]


def _of_environment() -> list[str]:
    """Values of variables such as HF_TOKEN and WANDB_API_KEY."""
    found = (os.environ[name] for name in os.environ if is_secret_name(name))
    return [value for value in found if len(value) >= SHORTEST_SECRET]


def secret_place(value: Any, where: str = "") -> str | None:
    """Where in a value of mappings and lists something secret stands ("arguments.hub_token"); None if nowhere.

    Args:
        where: the value is from.
    """
    if isinstance(value, Mapping):
        for key, entry in value.items():
            place = f"{where}.{without_secrets(str(key))}" if where else without_secrets(str(key))
            if has_secret(str(key)) or (is_secret_name(str(key)) and entry not in (None, "")):
                return place
            if found := secret_place(entry, place):
                return found
    elif isinstance(value, (list, tuple)):
        return next((found for entry in value if (found := secret_place(entry, where))), None)
    elif isinstance(value, str) and has_secret(value):
        return where
    return None


def without_paths(value: Any) -> Any:
    """A JSON value in which every absolute path, of a key too, has become its last part. Labels are no paths."""
    if isinstance(value, Mapping):
        return {_last_part(key): entry if key in _OF_LABELS else without_paths(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_paths(entry) for entry in value]
    return _last_part(value)


_OF_LABELS = ("id2label", "label2id", "labels", "label_aliases")


def _last_part(value: Any) -> Any:
    """The last part of an absolute path, or of one from a home folder; anything else as it is."""
    if not isinstance(value, str) or len(value.splitlines()) != 1:
        return value
    windows = PureWindowsPath(value)
    absolute = value.startswith("~") or PurePosixPath(value).is_absolute() or windows.is_absolute()
    return windows.name if absolute and len([part for part in windows.parts if part not in "\\/"]) > 1 else value


def names_machine(text: str, *folders: Path) -> str | None:
    """The first folder of this machine, or home folder of any, that a text names; None if there is none.

    Args:
        folders: to look for, beside the home folders.
    """
    for folder in (*folders, Path.home()):
        # Not a part of a longer name: "/root" stands in "/rooted" too.
        if folder.name and re.search(rf"(?<![\w./:-]){re.escape(str(folder))}(?![\w-])", text):
            return str(folder)
    found = _HOME.search(text)
    return found[0] if found else None
