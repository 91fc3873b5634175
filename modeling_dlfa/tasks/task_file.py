"""A task of a user's own as a YAML file.

    kind: pairs                     # pairs (or single sentences), tags, trees, answers, choices, masked
    labels: [negative, positive]    # or: from the training file
    files:
      train: train.csv              # of the training language, as is
      validation: dev.csv           # the development data that choose the checkpoint
      test: test-{language}.csv     # or a table: {de: german.csv, th: thai.csv}
    columns: {sentence1: text, label: stars}
    together: sentence1             # rows in a row with the same premise are drawn together by a study
    train_language: en
    metric: accuracy
    recipe: {num_train_epochs: 3}   # over the defaults of `Recipe`
    note: ...                       # what the data are like, for the model card
    license: cc-by-4.0

Paths are relative to the file. Instead of `files`, or beside them, `hub` may name a data set of the Hub with the
entries of `HubDataset`. `name` is the file's own name unless it is given.
"""

import dataclasses
import os
import re
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import expanded, missing_file, read_yaml, stamp
from .columns import is_column
from .hub_entry import check_hub, hub_dataset
from .kinds import KINDS, get_kind
from .languages import CODE, check_code
from .task import SPLITS, Recipe, Task, TaskFiles


FROM_TRAINING = "from the training file"
ENTRIES = (
    *("name", "kind", "labels", "files", "columns", "separator", "train_language", "metric", "metrics", "recipe"),
    *("label_aliases", "note", "metric_note", "license", "together", "hub"),
)
_PLACE = "{language}"


def read_task_file(path: Path, reserved: Collection[str] = ()) -> Task:
    """The task in a YAML file.

    Args:
        reserved: names that it may not have.

    Raises:
        InputError: with the file and the entry at fault.
    """
    if not path.is_file():
        where = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise InputError(f"no task file {path}{where}" if not path.exists() else f"{path} is a folder, no task file")
    task = _read(path)
    if task.name in reserved:
        raise InputError(f"{path}: name: {task.name!r} is a built-in task, give another name")
    return task


def _read(path: Path) -> Task:
    values = read_yaml(path, "the task")
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected entries such as 'kind: pairs'")
    for entry in values:
        if entry not in ENTRIES:
            raise InputError(f"{path}: unknown entry {entry!r}: expected {', '.join(ENTRIES)}")
    if "kind" not in values:
        raise InputError(f"{path}: kind: missing, expected one of {', '.join(KINDS)}")
    if "files" not in values and "hub" not in values:
        raise InputError(f"{path}: files: missing, expected files of train, validation and test, or hub")

    def part(entry: str, make: Any) -> Any:
        try:
            return make(values[entry])
        except (TypeError, ValueError, AttributeError) as error:  # an InputError is a ValueError
            raise InputError(f"{path}: {entry}: {error}") from error

    kind = part("kind", lambda kind: get_kind(str(kind)))
    if "labels" not in values and kind.fewest_labels:
        raise InputError(f"{path}: labels: missing, expected a list of names, or {FROM_TRAINING!r}")
    name = str(values.get("name") or path.stem)
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise InputError(f"{path}: name: {name!r}: expected letters, digits, and . _ - between them")
    arguments: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "recipe": part("recipe", _recipe) if "recipe" in values else Recipe(),
        "hub": part("hub", hub_dataset) if "hub" in values else None,
        "reference": str(path.resolve()),
    }
    if "files" in values:
        arguments["files"] = part("files", lambda files: _files(files, path.parent, values))
    for entry in ("train_language", "metric", "note", "metric_note", "license", "together"):
        if entry in values:
            arguments[entry] = part(entry, _text)
    if "metrics" in values:
        arguments["metrics"] = tuple(part("metrics", _texts))
    if "label_aliases" in values:
        arguments["label_aliases"] = part("label_aliases", _aliases)
    if "train_language" in arguments:
        check_code(arguments["train_language"], f"{path}: train_language")
    try:
        if values.get("labels") == FROM_TRAINING:
            file = _training_file(arguments, path)
            task = Task(**arguments, labels=_labels_in(file, arguments), labels_from=str(file))
        else:
            task = Task(**arguments, labels=part("labels", _texts) if "labels" in values else ())
        task.kind.check_metrics(task)
        check_hub(task)
        return task
    except InputError as error:
        if str(error).startswith((str(path), str(path.parent))):
            raise
        raise InputError(f"{path}: {error}") from error


def _training_file(arguments: dict[str, Any], path: Path) -> Path:
    files: TaskFiles | None = arguments.get("files")
    file = files.paths["train"].get(arguments.get("train_language", "en")) if files is not None else None
    if file is None:
        raise InputError(f"{path}: labels: {FROM_TRAINING!r} needs files with the training data")
    return file


def _labels_in(file: Path, arguments: dict[str, Any]) -> tuple[str, ...]:
    """The labels in a file; read again only when it has changed, because a command asks for its task often."""
    key = (*stamp(file), repr(arguments["files"]), arguments["kind"].name)
    if key not in _FOUND:
        blank = Task(name=arguments["name"], kind=arguments["kind"], labels=("?", "??"), files=arguments["files"])
        names = blank.kind.label_names_in(blank, file)
        if not names and blank.kind.fewest_labels:
            raise InputError(f"{file}: no data")
        _FOUND[key] = frozenset(names)
    aliases = arguments.get("label_aliases", {})
    found = {aliases.get(label, label) for label in _FOUND[key]}
    labels = tuple(sorted(found - {"", "_"}, key=_natural))
    if len(labels) < len(found):
        if len(labels) > 1:  # the reader knows the line
            task = Task(**{**arguments, "labels": labels, "label_aliases": aliases})
            task.kind.read(task, file, "")
        raise InputError(f"{file}: expected a label in every row, to take the task's labels from")
    return labels


_FOUND: dict[tuple, frozenset[str]] = {}


def _natural(label: str) -> tuple:
    """ "O" first, numbers by value, the rest alphabetically, an entity's B- beside its I-."""
    numeric = re.fullmatch(r"-?\d+", label) is not None
    prefix, _, rest = label.partition("-")
    entity = (rest, prefix) if prefix in ("B", "I") and rest else (label, "")
    return (label != "O", not numeric, int(label) if numeric else 0, *entity)


def _files(files: Any, folder: Path, values: Mapping[str, Any]) -> TaskFiles:
    if not isinstance(files, dict) or not files.keys() <= set(SPLITS):
        unknown = next(iter(files.keys() - set(SPLITS)), files) if isinstance(files, dict) else files
        raise InputError(f"expected train, validation and test, found {unknown!r}")
    needed = SPLITS if get_kind(str(values["kind"])).trains else ("test",)
    if missing := [split for split in needed if not files.get(split)]:
        raise InputError(f"{missing[0]}: missing")
    language = str(values.get("train_language", "en"))
    columns = values.get("columns") or {}
    kind = get_kind(str(values["kind"]))
    form = is_column if kind.makes_columns else lambda column: isinstance(column, (str, int))
    if not isinstance(columns, dict) or not all(form(column) for column in columns.values()):
        raise InputError(f"columns: expected our names with those of the file, found {columns!r}")
    if unknown := sorted(columns.keys() - set(kind.file_columns)):
        raise InputError(f"columns: {unknown[0]!r}: expected {', '.join(kind.file_columns)}")
    separators = {"tab": "\t", "\t": "\t", "space": " ", " ": " "}
    separator = values.get("separator", "tab")
    if separator not in separators:
        raise InputError(f"separator: {separator!r}: expected tab or space")
    paths = {split: _of_split(split, files[split], folder, language) for split in SPLITS if files.get(split)}
    if _PLACE in str(files.get("test")):
        _check_only_test(paths, language)
    return TaskFiles(paths, columns, separators[separator])


def _of_split(split: str, given: Any, folder: Path, train_language: str) -> dict[str, Path]:
    """language -> file; one without a place for the language is of the training language."""
    if isinstance(given, dict):
        if codes := [code for code in given if not isinstance(code, str)]:
            raise InputError(f"{split}: expected codes of languages, found {codes[0]!r}: put it in quotation marks")
        found = {check_code(code, split): folder / expanded(str(file)) for code, file in given.items()}
    elif not isinstance(given, str):
        raise InputError(
            f"{split}: expected a file, a pattern with {_PLACE}, or a table of languages, found {given!r}"
        )
    elif _PLACE in given:
        found = _matching(split, given, folder)
    elif split == "test":
        raise InputError(
            f"{split}: expected a pattern with {_PLACE} or a table of languages, because a file does not say which "
            f"language it is in; found {given!r}"
        )
    else:
        found = {train_language: folder / expanded(given)}
    for file in found.values():
        if not file.is_file():
            raise InputError(f"{split}: {missing_file(file)}")
    return found


def _check_only_test(paths: Mapping[str, Mapping[str, Path]], train_language: str) -> None:
    """Refuse a pattern that takes other splits' files too; development data may be scored in their own language."""
    for code, file in paths["test"].items():
        for split in ("train", "validation"):
            own = split == "validation" and code == train_language
            if not own and any(file.samefile(other) for other in paths.get(split, {}).values()):
                raise InputError(
                    f"test: {file}, the one of {split}, is like the pattern and would be scored as {code!r}: "
                    "give another pattern, or a table of languages"
                )


def _matching(split: str, pattern: str, folder: Path) -> dict[str, Path]:
    whole = folder / expanded(pattern)
    whole = Path(os.path.abspath(whole))  # as glob gives it; links stay
    glob = str(whole.relative_to(whole.anchor)).replace("[", "[[]").replace(_PLACE, "*")
    place = re.escape(_PLACE)
    expression = re.escape(str(whole)).replace(place, f"(?P<language>{CODE})", 1)
    expression = re.compile(expression.replace(place, "(?P=language)"))
    found: dict[str, Path] = {}
    for file in sorted(Path(whole.anchor).glob(glob)):
        if not (match := expression.fullmatch(str(file))):
            raise InputError(
                f"{split}: {file} is like {pattern}, but what stands for {_PLACE} is no code of a language (letters, "
                "digits, - and _): rename it, or give a table of languages"
            )
        found[match["language"]] = file
    if not found:
        raise InputError(f"{split}: no file is like {whole}")
    return found


_MAY_BE_ZERO = ("seed", "learning_rate", "warmup_steps", "weight_decay")


def _recipe(values: Any) -> Recipe:
    names = {entry.name: entry.type for entry in dataclasses.fields(Recipe)}
    if not isinstance(values, dict):
        raise InputError(f"expected some of {', '.join(names)}, found {values!r}")
    if unknown := [name for name in values if name not in names]:
        raise InputError(f"unknown entry {unknown[0]!r}: expected some of {', '.join(names)}")
    values = {name: _as_number(value) for name, value in values.items()}
    for name, value in values.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        least = 0 if name in _MAY_BE_ZERO else 1 if names[name] is int else 1e-9
        most = 2**31 - 1 if names[name] is int else sys.float_info.max
        if not number or not least <= value <= most or (names[name] is int and value != int(value)):
            whole = "a whole number" if names[name] is int else "a number"
            above = f"{least} or more" if least in (0, 1) else "more than 0"
            raise InputError(f"{name}: expected {whole} of {above}, found {value!r}")
    return Recipe(**values)


def _as_number(value: Any) -> Any:
    """1e-4 as a number, which YAML 1.1 takes for text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        raise InputError(f"expected text, found {value!r}: put yes, no, on and off in quotation marks")
    if not isinstance(value, (str, int, float)) or not str(value).strip():
        raise InputError(f"expected text, found {value!r}")
    return str(value)


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not values:
        raise InputError(f"expected a list of names, found {values!r}")
    return [_text(value) for value in values]


def _aliases(values: Any) -> dict[str, str]:
    if not isinstance(values, dict):
        raise InputError(f"expected other spellings with their labels, found {values!r}")
    return {_text(spelling): _text(label) for spelling, label in values.items()}
