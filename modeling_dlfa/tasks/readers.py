"""One set of readers for a benchmark's folder and for a user's own files: TSV, CSV, JSON lines, CoNLL and CoNLL-U.

Files are UTF-8; a byte order mark and CRLF are tolerated, white space around labels and named columns is stripped.
Whatever is wrong is said as `FILE:LINE: expected ..., found ...`.
"""

import csv
import json
import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import InputError, one_line, shortened
from ..files import read_lines


if TYPE_CHECKING:
    from .task import Task


TABLES = (".tsv", ".csv", ".jsonl")
SENTENCES = (".tsv", ".conll", ".txt", ".conllu", ".jsonl")


@dataclass(frozen=True)
class Record:
    """Some fields of a line.

    Attributes:
        where: "FILE:LINE".
        text: the line, for messages.
        values: name -> field, without white space around it.
        fields: all fields of the line, as far as the form has any.
    """

    where: str
    text: str
    values: Mapping[str, str]
    fields: Sequence[str] = ()

    def fault(self, expected: str, found: str) -> InputError:
        """The error of this line."""
        return InputError(f"{self.where}: expected {expected}, found {found}: {shortened(self.text)}")


def table(path: Path, names: Sequence[str], columns: Mapping[str, str | int]) -> Iterator[Record]:
    """The lines of a table.

    Args:
        path: `.csv` or `.tsv`, or `.jsonl` with an object a line.
        names: our names of the columns that are wanted.
        columns: our name -> that of the header or the object's key, or the place of the field from 0 on, for a file
            without header. Empty: our own names, in TSV files the places in this order.

    Raises:
        InputError: with file and line.
    """
    _check_form(path, TABLES)
    if path.suffix == ".jsonl":
        yield from _objects(path, {name: str(columns.get(name, name)) for name in names})
        return
    lines = _csv(path) if path.suffix == ".csv" else _tsv(path)
    asked = _asked(path, names, columns)
    if any(isinstance(column, str) for column in asked.values()):
        _, _, header = next(lines, (0, "", []))
        header = [field.strip() for field in header]
        for column in asked.values():
            if (count := header.count(str(column))) != 1:
                raise InputError(
                    f"{path}:1: expected a header with {', '.join(map(str, asked.values()))}, found "
                    f"{', '.join(header) or 'nothing'}{' (one name twice)' if count > 1 else ''}"
                )
        places = {name: header.index(str(column)) for name, column in asked.items()}
        width = len(header)
    else:
        places = {name: int(column) for name, column in asked.items()}
        width = 0 if columns else len(names)
    for number, text, fields in lines:
        if not text.strip() and (path.suffix == ".csv" or columns):
            continue
        width = width or len(fields)
        record = Record(f"{path}:{number}", text.partition("\n")[0], {}, fields)
        if len(fields) != width or max(places.values()) >= width:
            if not columns and path.suffix == ".tsv":
                malformed(record, names)
            raise record.fault(f"{max(width, max(places.values()) + 1)} fields", f"{len(fields)}")
        if any("\n" in field for field in fields) and all(len(line.split(",")) == width for line in text.split("\n")):
            found = "a quotation mark that is closed on a later line; a line that is whole without it has lost its own"
            raise record.fault("the fields of a row on one line", found)
        values = {name: _field(name, fields[place], columns) for name, place in places.items()}
        yield Record(record.where, record.text, values, fields)


def _field(name: str, field: str, columns: Mapping[str, str | int]) -> str:
    """A field without white space around it; the text of XTREME's files, which name no columns, stays as it is.

    A label is the same however its characters are composed, and its words are parted.
    """
    if name in ("label", "tag"):
        return as_label(field)
    return field.strip() if columns else field


def as_label(text: str) -> str:
    """A label in one spelling: Unicode's composed form, single spaces."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def _asked(path: Path, names: Sequence[str], columns: Mapping[str, str | int]) -> dict[str, str | int]:
    if columns:
        return {name: columns.get(name, name) for name in names}
    return dict(zip(names, names)) if path.suffix == ".csv" else {name: place for place, name in enumerate(names)}


def _tsv(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """A quotation mark is text, as in XTREME's files."""
    for number, line in enumerate(read_lines(path), start=1):
        yield number, line, line.split("\t")


def _csv(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Quotation marks as the module `csv` reads them strictly; a field may go over several lines."""
    lines = read_lines(path)
    csv.field_size_limit(2**31 - 1)  # a text may be long; a mark that is not closed is seen at the end of the file
    reader = csv.reader((f"{line}\n" for line in lines), strict=True)
    start = 1
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InputError(
                f"{path}:{start}: expected fields between commas, those with a quotation mark in quotation marks and "
                f"the mark doubled; found: {one_line(error)}: {shortened(lines[start - 1])}"
            ) from error
        yield start, "\n".join(lines[start - 1 : reader.line_num]), fields
        start = reader.line_num + 1


def json_objects(path: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """ "FILE:LINE", the line, and the JSON object that it is, of every line that is not blank.

    Raises:
        InputError: a line is no JSON object.
    """
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:  # ValueError: also of a number of thousands of digits
            raise InputError(
                f"{where}: expected a JSON object, found: {one_line(error)}: {shortened(line)}"
            ) from error
        if not isinstance(values, dict):
            raise InputError(f"{where}: expected a JSON object, found {shortened(line)}")
        yield where, line, values


def _objects(path: Path, keys: Mapping[str, str]) -> Iterator[Record]:
    for where, line, values in json_objects(path):
        found = {}
        for name, key in keys.items():
            value = values.get(key)
            if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not is_text(value):
                raise _not_under(where, "text", key, values)
            found[name] = as_label(str(value)) if name == "label" else str(value).strip()
        yield Record(where, line, found)


def _not_under(where: str, expected: str, key: str, values: Mapping[str, Any]) -> InputError:
    """The error of an object that has something else under a key, or nothing."""
    found, there = shortened(json.dumps(values.get(key))), ", ".join(values) or "nothing"
    return InputError(f"{where}: expected {expected} under {key!r}, found {found}; there is {there}")


def is_text(value: str | float) -> bool:
    """Whether a value can be written: no lone half of a character, and a number that is one."""
    if not isinstance(value, str):
        return isinstance(value, int) or math.isfinite(value)  # an integer may be larger than any float
    return not any("\ud800" <= character <= "\udfff" for character in value)


def sentences(
    path: Path, names: Sequence[str], columns: Mapping[str, str | int], separator: str = "\t"
) -> Iterator[list[Record]]:
    """The sentences of a file with a word a line, a blank line after each, or with an object a line.

    Args:
        path: CoNLL files in any form of columns (`.tsv`, `.conll`, `.txt`), or `.conllu`, of which comments,
            multiword ranges and empty nodes are passed over; or `.jsonl`, with a list of words and one of tags.
        names: our names of what is wanted of each word: "token", and "tag" where there are tags.
        columns: our name -> place of the field from 0 on, in CoNLL-U the name of the column, in JSON the key; empty:
            the fields in this order and no others, in CoNLL-U FORM and UPOS, in JSON "tokens" and "tags".
        separator: between the fields; " " is any white space.

    Raises:
        InputError: with file and line.
    """
    _check_form(path, SENTENCES)
    if path.suffix == ".jsonl":
        yield from _listed_words(path, {name: str(columns.get(name, f"{name}s")) for name in names})
        return
    words: list[Record] = []
    width = 0
    conllu = path.suffix == ".conllu"
    places = _places(path, names, columns)
    for number, line in enumerate([*read_lines(path), ""], start=1):
        if not line.strip():
            if words:
                yield words
            words = []
            continue
        if conllu and line.startswith("#"):
            continue
        fields = line.split("\t") if separator == "\t" or conllu else line.split()
        record = Record(f"{path}:{number}", line, {}, fields)
        if fields[0] == "-DOCSTART-":
            continue
        if conllu:
            if len(fields) != len(CONLLU_COLUMNS):
                raise record.fault("<tab>".join(CONLLU_COLUMNS), f"{len(fields)} fields")
            if not is_word(fields[0]):
                continue
            if fields[0] != str(len(words) + 1):
                raise record.fault(f"the word number {len(words) + 1}", repr(fields[0]))
        elif columns:
            width = width or len(fields)
            if len(fields) != width or max(places.values()) >= width:
                raise record.fault(f"{max(width, max(places.values()) + 1)} fields", f"{len(fields)}")
        elif len(fields) != len(names):
            malformed(record, names)
        values = {name: _field(name, fields[place], columns) for name, place in places.items()}
        record = Record(record.where, line, values, fields)
        if not values["token"]:
            if columns or conllu:
                raise record.fault("a word", "an empty one")
            malformed(record, names)
        words.append(record)


def _listed_words(path: Path, keys: Mapping[str, str]) -> Iterator[list[Record]]:
    """The sentences of a JSON lines file: our name -> key of a list with an entry for every word."""
    for where, line, values in json_objects(path):
        lists = []
        for key in keys.values():
            found = values.get(key)
            if not isinstance(found, list) or not all(isinstance(one, str) and is_text(one) for one in found):
                raise _not_under(where, "a list of texts", key, values)
            lists.append(found)
        if len({len(found) for found in lists}) > 1:
            counts = " and ".join(f"{len(found)} {key}" for key, found in zip(keys.values(), lists))
            raise InputError(f"{where}: expected one of each for every word, found {counts}: {shortened(line)}")
        words = [
            Record(where, line, {name: _field(name, entry.strip(), {}) for name, entry in zip(keys, word)})
            for word in zip(*lists)
        ]
        tokens = [word.values["token"] for word in words]
        if not all(tokens) or not tokens:
            found = "an empty one" if tokens else "none"
            raise InputError(f"{where}: expected words, found {found}: {shortened(line)}")
        if any(character in token for token in tokens for character in "\t\n\r"):
            raise InputError(f"{where}: expected words without tabs and line breaks: {shortened(line)}")
        yield words


def _places(path: Path, names: Sequence[str], columns: Mapping[str, str | int]) -> dict[str, int]:
    if path.suffix != ".conllu":
        places = {name: columns.get(name, place) for place, name in enumerate(names)}
        for name, place in places.items():
            if isinstance(place, str):
                raise InputError(f"{path}: columns: {name}: expected the place of a field from 0 on, found {place!r}")
        return {name: int(place) for name, place in places.items()}
    usual = {"token": "FORM", "tag": "UPOS"}
    places = {}
    for name in names:
        column = str(columns.get(name, usual[name])).upper()
        if column not in CONLLU_COLUMNS:
            raise InputError(f"{path}: columns: {name}: expected one of {', '.join(CONLLU_COLUMNS)}, found {column!r}")
        places[name] = CONLLU_COLUMNS.index(column)
    return places


CONLLU_COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")


def is_word(identifier: str) -> bool:
    """Whether an ID of CoNLL-U is that of a word, rather than of a multiword range or an empty node."""
    parts = identifier.replace(".", "-").split("-")
    return not (len(parts) == 2 and all(part.isdecimal() for part in parts))


def known_labels(task: "Task") -> dict[str, int]:
    """Label or another spelling of it -> id."""
    known = {label: index for index, label in enumerate(task.labels)}
    return known | {alias: known[label] for alias, label in task.label_aliases.items()}


def label_id(task: "Task", known: Mapping[str, int], record: Record, name: str, names: Sequence[str]) -> int:
    """The id of a line's label; where there is none, what the line holds instead is said."""
    label = record.values[name]
    if label in known:
        return known[label]
    columns = {} if task.files is None else task.files.columns
    if columns or Path(record.where.rpartition(":")[0]).suffix in (".csv", ".jsonl"):
        found = repr(label) if label else "nothing"
        raise record.fault(f"one of {', '.join(task.labels)} {place(columns, name)}", found)
    malformed(record, names, task.labels)


def place(columns: Mapping[str, str | int], name: str) -> str:
    """Where a file has what we call `name`, for messages; `columns` as for `table`."""
    name = "tags" if name == "tag" else name  # what a row has is called so, what a line has the other
    column = columns.get(name, name)
    return f"in field {column + 1}" if isinstance(column, int) else f"in {column!r}"


def malformed(record: Record, names: Sequence[str], labels: Sequence[str] = ()) -> NoReturn:
    """Say what is wrong with a line: no label, an unknown label, an empty token, or another number of fields."""
    fields = record.fields or [record.values.get(name, "") for name in names]
    label = record.values.get(names[-1], fields[-1].strip())
    labelled = names[-1] in ("tag", "label")
    if len(fields) == 1 < len(names) and len(fields[0].split()) >= len(names) and names[0] == "token":
        found = "no tab: fields are separated by tabs, unless a task file says 'separator: space'"
    elif labelled and (len(fields) == len(names) - 1 or (len(fields) == len(names) and not label)):
        public = "; XTREME's public test files leave them out, labelled files are needed"
        found = f"no {names[-1]}{public if Path(record.where).name.startswith('test') else ''}"
    elif len(fields) != len(names) and not labels:
        found = f"{len(fields)} fields" if record.text.strip() else "a blank line"
    elif not fields[0] and names[0] == "token":
        found = "an empty token"
    else:
        found = f"the {names[-1]} {label!r}, which is not one of {', '.join(labels)}"
    raise record.fault("<tab>".join(names), found)


def _check_form(path: Path, forms: Sequence[str]) -> None:
    if path.suffix not in forms:
        raise InputError(f"{path}: expected a file that ends in {', '.join(forms)}")
