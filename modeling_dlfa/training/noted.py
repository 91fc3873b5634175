"""What files note of a run, so that the same run is found again: its settings, and what it used."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..privacy import without_paths


def as_noted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as files say them, which may be shared: without paths of this machine.

    A fingerprint of the whole stands for what is left out, so that data in two folders of one name stay two.
    """
    plain = json.loads(json.dumps(dict(settings)))
    short = without_paths(plain)
    if short == plain:
        return plain
    return {**short, "fingerprint": digest(plain)}


def digest(settings: Mapping[str, Any]) -> str:
    """16 digits that stand for settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def same_settings(noted: Any, settings: Mapping[str, Any]) -> bool:
    """Whether a file notes these settings; files of old versions have the paths, and lack what was not there yet."""
    if not isinstance(noted, Mapping):
        return False
    known = {name: value for name, value in settings.items() if name in noted or value not in (None, "")}
    return noted in (as_noted(known), json.loads(json.dumps(known)))


def first_difference(
    before: Mapping[str, Any], now: Mapping[str, Any], may_differ: Collection[str] = ()
) -> tuple[str, Any, Any] | None:
    """Name, old and new value of the first setting that differs; names that only one of the two has do not count."""
    now = json.loads(json.dumps(dict(now)))
    both = (name for name in now if name in before and name not in may_differ)
    return next(((name, before[name], now[name]) for name in both if before[name] != now[name]), None)


def notes(settings: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a file that say which run its other entries are of.

    Args:
        used: fingerprints, as `fingerprints.used`.
    """
    return {"settings": as_noted(settings), "used": dict(used)}


def are_noted(values: Mapping[str, Any], settings: Mapping[str, Any], used: Mapping[str, Any]) -> bool:
    """Whether a file's entries are of the run with these settings; of what both know, the same must have been used."""
    return same_settings(values.get("settings"), settings) and not first_difference(values.get("used") or {}, used)


def read_noted(path: Path, settings: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a file says of the run with these settings; None where there is none, or it is of another or damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return values if are_noted(values, settings, used) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
