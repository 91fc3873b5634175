"""Mangled files, drawn at random from a fixed seed: a right result or one line with the file, never a traceback.

What a reader makes of a file that is still readable is checked against the file itself, by rules that know nothing of
the readers: no row is invented, lost, joined or cut, and every label is one of the task's.
"""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from datasets import Dataset

from modeling_dlfa.data.sources import open_source
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.task import Task
from tests.marks import rest_is_slow


TIMES = 100  # for each form and part

PAIRS = [
    ("Is it a cat, or two?", "It says meow.", "yes"),
    ("Ist es “groß”?", "Nein, klein.", "no"),
    ("猫ですか", "はい", "yes"),
] * 3
WORDS = [
    *(("Maria", "B-PER"), ("sings", "O"), None),
    *(("Köln", "B-LOC"), ("東京", "B-LOC"), None),
    *(("a", "O"), ("b", "O"), ("c", "O"), None),
]
TREES = [
    *(("The", "DET", 2, "det"), ("dog", "NOUN", 3, "nsubj"), ("barks", "VERB", 0, "root"), None),
    *(("Ja", "INTJ", 0, "root"), None),
]


def conllu(word: tuple | None, place: int) -> str:
    if word is None:
        return ""
    form, tag, head, relation = word
    return f"{place}\t{form}\t_\t{tag}\t_\t_\t{head}\t{relation}\t_\t_"


def in_sentences(words: list) -> list[str]:
    lines, place = [], 0
    for word in words:
        place = 0 if word is None else place + 1
        lines.append(conllu(word, place))
    return lines


# Form -> file, kind, labels, entries of the task file; its lines.
FORMS: dict[str, tuple[str, str, list[str], dict, list[str]]] = {
    "csv": (
        "x.csv", "pairs", ["yes", "no"], {},
        ["sentence1,sentence2,label", *(f'"{a}","{b}",{c}' for a, b, c in PAIRS)],
    ),
    "tsv": ("x.tsv", "pairs", ["yes", "no"], {}, ["\t".join(row) for row in PAIRS]),
    "tsv with header": (
        "x.tsv", "pairs", ["yes", "no"], {"columns": {"sentence1": "q", "sentence2": "a", "label": "l"}},
        ["q\ta\tl", *("\t".join(row) for row in PAIRS)],
    ),
    "jsonl": (
        "x.jsonl", "pairs", ["yes", "no"], {},
        [json.dumps({"sentence1": a, "sentence2": b, "label": c}, ensure_ascii=False) for a, b, c in PAIRS],
    ),
    "conll": ("x.conll", "tags", ["O", "B-PER", "B-LOC"], {}, ["\t".join(word) if word else "" for word in WORDS]),
    "conll by spaces": (
        "x.txt", "tags", ["O", "B-PER", "B-LOC"], {"columns": {"tokens": 0, "tags": 2}, "separator": "space"},
        [f"{word[0]} _ {word[1]}" if word else "" for word in WORDS],
    ),
    "conllu of tags": ("x.conllu", "tags", ["DET", "NOUN", "VERB", "INTJ"], {}, in_sentences(TREES)),
    "conllu of trees": ("x.conllu", "trees", ["det", "nsubj", "root"], {}, in_sentences(TREES)),
}  # fmt: skip


# Manglings: (content, draw) -> content.


def flip_a_byte(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content))
    return content[:place] + bytes([draw.randrange(256)]) + content[place + 1 :]


def cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(1, len(content))]


def of_a_line(change: Callable[[bytes, random.Random], bytes]) -> Callable[[bytes, random.Random], bytes]:
    def mangle(content: bytes, draw: random.Random) -> bytes:
        lines = content.split(b"\n")
        place = draw.randrange(len(lines) - 1)
        return b"\n".join([*lines[:place], change(lines[place], draw), *lines[place + 1 :]])

    return mangle


def insert(part: bytes) -> Callable[[bytes, random.Random], bytes]:
    def change(line: bytes, draw: random.Random) -> bytes:
        place = draw.randrange(len(line) + 1)
        return line[:place] + part + line[place:]

    return of_a_line(change)


def swap_lines(content: bytes, draw: random.Random) -> bytes:
    lines = content.split(b"\n")
    draw.shuffle(lines)
    return b"\n".join(lines)


HARMLESS = {
    "crlf": lambda content, draw: content.replace(b"\n", b"\r\n"),
    "byte order mark": lambda content, draw: b"\xef\xbb\xbf" + content,
    "no line end": lambda content, draw: content.rstrip(b"\n"),
    "blank lines at the end": lambda content, draw: content + b"\n" * draw.randrange(1, 4),
}
MANGLINGS = {
    "a byte": flip_a_byte,
    "cut": cut,
    "a line cut": of_a_line(lambda line, draw: line[: draw.randrange(len(line) + 1)]),
    "a line twice": of_a_line(lambda line, draw: line + b"\n" + line),
    "a line lost": of_a_line(lambda line, draw: b""),
    "lines mixed": swap_lines,
    "a column more": of_a_line(lambda line, draw: line + draw.choice([b"\t", b",", b" "]) + b"more"),
    "utf-16": lambda content, draw: content.decode().encode("utf-16"),
    "latin-1": lambda content, draw: content.decode().encode("latin-1", "replace"),
    **{
        f"inserted {part!r}": insert(part)
        for part in (
            *(b'"', b'""', b"'", b"\t", b",", b"\r", b"\x00", b"\xc2\x85", b"\xe2\x80\xa8"),
            *(b"{", b"\\", b"-", b"9" * 5000),
        )
    },
}  # fmt: skip


@pytest.fixture
def load(tmp_path: Path):
    """load(form, content) -> the task, and the rows of its file."""

    def read(form: str, content: bytes) -> tuple[Task, Dataset]:
        name, kind, labels, entries, _ = FORMS[form]
        (tmp_path / name).write_bytes(content)
        files = {"train": name, "validation": name, "test": {"de": name}}
        path = tmp_path / "task.yaml"
        if not path.is_file():
            path.write_text(yaml.safe_dump({"kind": kind, "labels": labels, "files": files, **entries}))
        task = get_task(str(path))
        return task, open_source("files").load(task, "test", "de")

    return read


def original(form: str) -> bytes:
    return ("\n".join(FORMS[form][4]) + "\n").encode()


def sizes(form: str, content: bytes) -> list[int]:
    """What a file holds, counted without its readers: words of every sentence, or a one for every pair."""
    name, kind, _, entries, _ = FORMS[form]
    lines = [line.removesuffix("\r") for line in content.decode("utf-8-sig").split("\n")]
    if kind == "pairs":
        header = name.endswith(".csv") or bool(entries)
        return [1] * (sum(bool(line.strip()) for line in lines) - header)
    found, words = [], 0
    for line in [*lines, ""]:
        if not line.strip():
            found += [words] * bool(words)
            words = 0
        elif not line.startswith("#") or not name.endswith(".conllu"):
            identifier = line.split("\t")[0]
            words += not (name.endswith(".conllu") and re.fullmatch(r"\d+[-.]\d+", identifier))
    return found


def check(form: str, content: bytes, task: Task, rows: Dataset) -> None:
    text = content.decode("utf-8-sig")
    expected = sizes(form, content)
    for row in rows:
        assert isinstance(row, dict)
        for part in row.get("tokens") or [row["sentence1"], row["sentence2"]]:
            parts = [part, json.dumps(part, ensure_ascii=False)[1:-1], part.replace('"', '""')]
            assert part and (any(one in text for one in parts) or form == "jsonl"), part
    labels = task.kind.labels_of(rows[:])
    assert all(0 <= label < len(task.labels) for label in labels)
    if task.kind.name == "pairs":
        assert len(rows) == len(expected)
    else:
        assert [len(tokens) for tokens in rows["tokens"]] == expected


@pytest.mark.parametrize("part", rest_is_slow(range(3)))
@pytest.mark.parametrize("form", FORMS)
def test_readers(form: str, part: int, load, tmp_path: Path):
    draw = random.Random(f"readers {form} {part}")
    whole = original(form)
    task, good = load(form, whole)
    read, refused = 0, 0
    for turn in range(TIMES):
        name, mangle = draw.choice([*HARMLESS.items(), *MANGLINGS.items()])
        content = mangle(whole, draw)
        try:
            task, rows = load(form, content)
        except InputError as error:
            message = str(error)
            assert name not in HARMLESS, f"{turn}: {name}: {message}"
            assert str(tmp_path / FORMS[form][0]) in message and "\n" not in message, f"{turn}: {name}: {message}"
            assert len(message) < 1000, f"{turn}: {name}: {len(message)} characters"
            refused += 1
            continue
        read += 1
        try:
            check(form, content, task, rows)
        except Exception as error:
            raise AssertionError(f"{turn}: {name}: {content!r} was read as {rows.to_list()}") from error
        if name in HARMLESS:
            assert rows.to_list() == good.to_list(), f"{turn}: {name}"
    assert (
        read > TIMES // 10 and refused > TIMES // 10
    )  # else the manglings are too mild, or too rough, to say anything


@pytest.mark.parametrize("part", rest_is_slow(range(3)))
def test_task_files(part: int, tmp_path: Path):
    """A task file that is mangled is a task, or one line with the file."""
    draw = random.Random(f"task files {part}")
    for name in ("train.csv", "dev.csv", "test-de.csv"):
        (tmp_path / name).write_bytes(original("csv"))
    files = {"train": "train.csv", "validation": "dev.csv", "test": "test-{language}.csv"}
    entries = {"kind": "pairs", "labels": ["yes", "no"], "files": files, "recipe": {"num_train_epochs": 3}}
    whole = yaml.safe_dump(entries).encode()
    path = tmp_path / "task.yaml"
    outcomes = set()
    for turn in range(TIMES):
        path.write_bytes(draw.choice([*HARMLESS.values(), *MANGLINGS.values()])(whole, draw))
        try:
            outcomes.add(type(get_task(str(path))))
        except InputError as error:
            assert str(path) in str(error) and "\n" not in str(error), f"{turn}: {path.read_bytes()!r}: {error}"
            outcomes.add(InputError)
    assert outcomes == {Task, InputError}
