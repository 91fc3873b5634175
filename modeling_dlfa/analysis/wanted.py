"""Which measures of layers there are, by the names that `--measures` takes. Imports nothing heavy."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..cli import CommandParser
from ..errors import InputError, did_you_mean


@dataclass(frozen=True)
class Wanted:
    """What can be asked for.

    Attributes:
        task: whose data it needs.
        what: is measured.
    """

    task: str
    what: str


CKA, CKA_OTHERS = "cka", "cka_others"
OF_LIKENESS = (CKA, CKA_OTHERS)
"""Measures of a layer that compare it with what it was: in the pivot's language, and in others."""

MEASURES = {
    "language": Wanted("tatoeba", "the language of a sentence"),
    "retrieval": Wanted("tatoeba", "translations that are found, as they are and centred"),
    "pos": Wanted("udpos", "parts of speech"),
    "control": Wanted("udpos", "a control task, and parts of speech less it"),
    "code": Wanted("udpos", "code length of the parts of speech"),
    "arcs": Wanted("uddep", "arcs of trees"),
    CKA: Wanted("tatoeba", "likeness of a layer before and after"),
}
OF_LAYERS = ("language", "retrieval", "pos", "control", "code", "arcs")
OF_CHANGES = (*OF_LAYERS, CKA)
USUAL_OF_CHANGES = ("language", "retrieval", "pos", CKA)
"""Those that take seconds a model; the others take minutes (our choice)."""


def add_measures(parser: CommandParser, names: Sequence[str], usual: Sequence[str]) -> None:
    """The argument that chooses some of them."""
    default = "all" if set(usual) == set(names) else ",".join(usual)
    parser.add_argument(
        "--measures", metavar="TEXT", help=f"what is measured, some of {', '.join(names)}; default: {default}"
    )


def wanted_measures(given: str | None, names: Sequence[str], usual: Sequence[str]) -> tuple[str, ...]:
    """The names in a list with commas, in the order of `names`; `usual` where none is given.

    Raises:
        InputError: there is none in it, or one that is unknown.
    """
    if given is None:
        return tuple(usual)
    asked = given.replace(",", " ").split()
    for name in asked:
        if name not in names:
            advice = did_you_mean(name, names, f"expected some of {', '.join(names)}")
            raise InputError(f"--measures: unknown measure {name!r}; {advice}")
    if not asked:
        raise InputError(f"--measures {given!r}: expected some of {', '.join(names)}")
    return tuple(name for name in names if name in asked)


def tasks_of(measures: Sequence[str]) -> list[str]:
    """The tasks whose data some measures need."""
    return list(dict.fromkeys(MEASURES[name].task for name in measures))
