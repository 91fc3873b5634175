"""The entry `hub` of a task file, checked before anything is loaded."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import InputError
from .columns import is_column, is_pattern
from .languages import check_code
from .task import SPLITS, HubDataset, Task


def hub_dataset(values: Any) -> HubDataset:
    """The data set that an entry says; its configuration is by default the code of the language.

    Raises:
        InputError: naming what is missing, unknown, or of another form.
    """
    names = [entry.name for entry in dataclasses.fields(HubDataset)]
    if not isinstance(values, dict) or not values.keys() <= set(names):
        raise InputError(f"expected some of {', '.join(names)}, found {values!r}")
    if missing := [name for name in ("path", "columns") if name not in values]:
        raise InputError(f"{missing[0]}: missing")
    for name, value in values.items():
        expected, fits = _FORMS[name]
        if not fits(value):
            raise InputError(f"{name}: expected {expected}, found {value!r}")
    for code in [code for codes in values.get("missing", {}).values() for code in codes]:
        check_code(code, "missing")
    more = []
    for number, one in enumerate(values.get("more", ()), start=1):
        try:
            more.append(hub_dataset(one))
        except InputError as error:
            raise InputError(f"more: {number}: {error}") from error
    made = HubDataset(**{"config": "{code}", **values, "more": tuple(more)})
    patterns = [("config", made.config), ("ids", made.ids), *(("configs", one) for one in made.configs.values())]
    for name, pattern in patterns:
        try:
            made.filled(pattern, "en")
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            places = "{code}, {name}, {treebank} or {own}"
            raise InputError(f"{name}: expected no other places than {places}, found {pattern!r}") from error
    return made


def check_hub(task: Task) -> None:
    """Refuse columns that rows of the task's kind do not have, or lack.

    Raises:
        InputError: naming the column.
    """
    if task.hub is None:
        return
    wanted = task.kind.raw_columns(task)
    for hub in task.hub.parts("train"):
        where = "hub" if hub is task.hub else f"hub: more: {hub.path}"
        known = (*wanted, "id") if hub.ids and "id" not in wanted else wanted
        if unknown := [name for name in hub.columns if name not in known]:
            raise InputError(f"{where}: columns: {unknown[0]!r}: expected {', '.join(known)}")
        if absent := [name for name in known if name not in hub.columns]:
            raise InputError(f"{where}: columns: {absent[0]!r}: missing, expected {', '.join(known)}")
        if hub.ids and is_pattern(hub.columns["id"]):
            raise InputError(f"{where}: ids: expected one column under 'id', found {hub.columns['id']!r}")
        if hub.drops_unlabelled and is_pattern(hub.columns.get(task.kind.label_column, ())):
            raise InputError(f"{where}: drops_unlabelled: expected a task whose labels are one column of the data set")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _table(of: Callable[[Any], bool], keys: Callable[[Any], bool] = _is_text) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(keys(key) and of(one) for key, one in value.items())


def _is_split(value: Any) -> bool:
    return value in SPLITS


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


_TEXT = ("text", _is_text)
_SWITCH = ("true or false", lambda value: isinstance(value, bool))
_OF_SPLITS = (f"text for some of {', '.join(SPLITS)}", _table(_is_text, _is_split))
_OF_CODES = ("text for codes of languages", _table(_is_text))
_FORMS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("path", "config", "revision", "ids"), _TEXT),
    **dict.fromkeys(("in_folders", "drops_unlabelled"), _SWITCH),
    **dict.fromkeys(("splits", "repositories", "configs"), _OF_SPLITS),
    **dict.fromkeys(("treebanks", "own_codes"), _OF_CODES),
    "columns": (
        "our names with those of the data set",
        _table(lambda column: is_column(column) and not isinstance(column, bool)),
    ),
    "missing": (f"a list of codes for some of {', '.join(SPLITS)}", _table(_are_texts, _is_split)),
    "words": ("for columns a table of values", _table(_table(lambda text: isinstance(text, str), lambda _: True))),
    "more": ("a list of data sets", lambda value: isinstance(value, list)),
}
