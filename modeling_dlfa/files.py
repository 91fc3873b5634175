"""Files: text that is read with the place of every fault, and written whole or not at all."""

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xxhash
import yaml

from .errors import InputError, one_line, shortened


def expanded(path: str | Path) -> str:
    """A path as a shell would give it: a leading `~` is the home folder. Everything else stays, a Hub id too.

    Every path that a user gives goes through here once, so that no folder called `~` comes about.

    Raises:
        InputError: a `~name` that nobody here has, or a name that no file can have.
    """
    path = str(path)
    if "\0" in path or any(len(os.fsencode(part)) > 255 for part in path.split(os.sep)):
        raise InputError(f"{shortened(path)}: no file can be called so")
    if not path.startswith("~"):
        return path
    home = os.path.expanduser(path)
    if home.startswith("~"):
        raise InputError(f"{path}: there is no home folder of {path.partition('/')[0]}; ./{path} is the one called so")
    return home


def missing_file(path: Path) -> str:
    """What is to be said of a path at which a file was expected, and is none."""
    return f"{path} is a folder, expected a file" if path.is_dir() else f"no file {path}"


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file without their ends; a byte order mark and CRLF are tolerated.

    Raises:
        InputError: it cannot be read, or is not UTF-8 (with the line).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from error
    return decoded_lines(content, str(path))


def decoded_lines(content: bytes, where: str) -> list[str]:
    """The lines of what a file, or standard input, holds; as `read_lines`.

    Args:
        where: it is from, for messages.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{where}:{line}: byte 0x{content[error.start]:02x} is not UTF-8") from error
    # Not splitlines(): sentences may hold its other separators, such as U+2028.
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def stamp(path: Path) -> tuple[str | int, ...]:
    """What changes when a file does: equal ones, and what was read of it is still right."""
    status = path.stat()
    return str(path.resolve()), status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size


_HASHED: dict[tuple[str | int, ...], str] = {}


def content_hash(path: Path) -> str:
    """Hash of a file's content, 16 digits; read again only when the file has changed.

    Raises:
        InputError: it cannot be read.
    """
    try:
        key = stamp(path)
        if key not in _HASHED:
            digest = xxhash.xxh3_64()
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
            _HASHED[key] = digest.hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from error
    return _HASHED[key]


def text_hash(text: str) -> str:
    """Hash of a text, 16 digits."""
    return xxhash.xxh3_64_hexdigest(text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        InputError: it cannot be read, or holds something else.
    """
    return read_object(path)[1]


def read_object(path: Path) -> tuple[bytes, dict[str, Any]]:
    """The bytes of a file, and the JSON object that they are.

    Raises:
        InputError: as `read_json`.
    """
    try:
        content = path.read_bytes()
        values = json.loads(content.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a JSON object")
    return content, values


def read_yaml(path: Path, what: str) -> Any:
    """The content of a YAML file (JSON is YAML too).

    Args:
        what: what is read, for messages: "cannot read the study small.yaml: ...".

    Raises:
        InputError: it cannot be read, or a key stands there twice; YAML itself would take the last one.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Unique)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: a number or date that is none
        reason = error.strerror if isinstance(error, OSError) and error.strerror else one_line(error)
        raise InputError(f"cannot read {what} {path}: {reason}") from error


class _Unique(yaml.SafeLoader):
    """YAML's safe loader, for mappings whose keys are all different."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen and key.value != "<<":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"line {key.start_mark.line + 1}: {key.value!r} stands there twice"
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def check_writable(output: Path, flag: str = "--output_dir") -> None:
    """See that a folder can be made, or written to, without making it.

    Raises:
        InputError: naming the folder or file that is in the way.
    """
    try:
        there = next(path for path in (output.absolute(), *output.absolute().parents) if path.exists())
    except (OSError, ValueError) as error:  # too long a name, or one that cannot be
        raise InputError(f"{flag} {output}: {one_line(error)}") from error
    if not there.is_dir():
        raise InputError(f"{flag} {output}{'' if there == output.absolute() else f': {there}'} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{flag} {output}: {there} cannot be written to")


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: under a temporary name beside it first."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


LONGEST_NAME = 100  # with layer, condition and seed, file systems take 255 bytes


def table_text(header: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; what a row lacks is empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(header), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; numbers to six digits, what is unknown is empty."""
    values = [{name: _csv_value(value) for name, value in row.items()} for row in rows]
    return table_text(list(rows[0]) if rows else [], values)


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return value


def name_problem(name: Any) -> str | None:
    """Why a name cannot be that of a file or folder inside another one, on any system; None if it can."""
    if not isinstance(name, str) or not name.strip():
        return f"{name!r} is no name: expected text, in quotation marks where it is a number"
    if re.search(r"[/\\:*?\"<>|\x00-\x1f\x7f]", name) or name != name.strip(" .") or name.startswith(("-", "~")):
        return f"{shortened(name)} cannot be the name of a folder: expected letters, digits, and . _ + - between them"
    if len(name.encode()) > LONGEST_NAME:
        return f"{shortened(name)} is longer than {LONGEST_NAME} bytes"
    if name.partition(".")[0].casefold() in _RESERVED:
        return f"{name!r} is the name of a device on Windows: give another one"
    return None


_RESERVED = frozenset(("con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))))
