"""Columns of a data set that are made of others: `"{context} {question}"`, or several of them in a list."""

from collections.abc import Iterator, Mapping, Sequence
from string import Formatter
from typing import Any

from ..errors import InputError, shortened


Column = str | int | Sequence[str]
"""The name of a column; a pattern with names of columns in braces, `{choices[text]}` for one entry of an object; or a
list of such, for a column of lists. A pattern with a column of lists gives a list, one text for each entry."""


def is_column(value: Any) -> bool:
    """Whether a value that somebody gave can be one."""
    if isinstance(value, list):
        return all(isinstance(one, str) and is_column(one) for one in value)
    if not isinstance(value, str):
        return isinstance(value, int)
    try:
        return all(columns_read(value))
    except ValueError:  # a brace without its other
        return False


def is_pattern(column: Column) -> bool:
    """Whether a column is made of others, rather than read as it is."""
    return not isinstance(column, (str, int)) or (isinstance(column, str) and "{" in column)


def columns_read(column: Column) -> Iterator[str]:
    """The names of the columns that one is made of."""
    if not isinstance(column, (str, int)):
        for one in column:
            yield from columns_read(one)
    elif is_pattern(column):
        names = (name for _, name, _, _ in Formatter().parse(str(column)) if name is not None)
        yield from (name.partition("[")[0].partition(".")[0] for name in names)
    else:
        yield str(column)


def translated(row: Mapping[str, Any], words: Mapping[str, Mapping[str, str]]) -> Mapping[str, Any]:
    """The row with what stands for the values of some columns: column -> value -> text."""
    return {**row, **{name: table.get(row[name], row[name]) for name, table in words.items() if name in row}}


def made_of(column: Column, row: Mapping[str, Any], where: str) -> Any:
    """The value of a column in a row.

    Raises:
        InputError: the row lacks what it is made of, or two lists that are put together differ in length.
    """
    if not isinstance(column, (str, int)):
        return [made_of(one, row, where) for one in column]
    try:
        if not is_pattern(column):
            return row[str(column)]
        parsed = list(Formatter().parse(str(column)))
        names = {name: Formatter().get_field(name, (), row)[0] for _, name, _, _ in parsed if name is not None}
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise InputError(f"{where}: expected what {column!r} names, found {shortened(', '.join(row))}") from error
    lengths = {len(value) for value in names.values() if isinstance(value, list)}
    if len(lengths) > 1:
        counts = " and ".join(map(str, sorted(lengths)))
        raise InputError(f"{where}: {column!r} puts lists together: expected as many entries in each, found {counts}")

    def text(place: int) -> str:
        values = {name: value[place] if isinstance(value, list) else value for name, value in names.items()}
        filled = {name: "" if value is None else str(value) for name, value in values.items()}
        return "".join(before + filled.get(name or "", "") for before, name, _, _ in parsed).strip()

    return [text(place) for place in range(lengths.pop())] if lengths else text(0)
