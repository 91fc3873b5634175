"""The kinds of tasks: everything that differs between them has its one address here."""

from ...errors import OWN, InputError
from .answers import Answers
from .base import Kind
from .choices import Choices
from .masked import Masked
from .mining import Mining
from .pairs import Pairs
from .retrieval import Retrieval
from .tags import Tags
from .trees import Trees


KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (Pairs(), Tags(), Trees(), Answers(), Choices(), Masked(), Retrieval(), Mining())
}
"""Name -> kind. A new kind is a file beside these and an entry here, or `register_kind` from elsewhere."""


def register_kind(kind: Kind) -> Kind:
    """Make a kind known by its name, for tasks that say it in a YAML file; returns it.

    Raises:
        ValueError: another kind has the name.

    Examples:
        >>> from modeling_dlfa import Task, register_kind
        >>> from modeling_dlfa.tasks.kinds.pairs import Pairs
        >>> class Stars(Pairs):
        ...     name = "stars"
        >>> kind = register_kind(Stars())
        >>> Task("reviews", "stars", labels=("1", "2", "3")).metric
        'accuracy'
    """
    if type(KINDS.setdefault(kind.name, kind)) is not type(kind):
        raise ValueError(f"there is a kind {kind.name!r} already: {type(KINDS[kind.name]).__name__}")
    return kind


def get_kind(kind: Kind | str) -> Kind:
    """The kind of that name, or the kind itself; InputError where there is none."""
    if isinstance(kind, Kind):
        return kind
    if kind not in KINDS:
        raise InputError(f"unknown kind {kind!r}: expected one of {', '.join(KINDS)}; {OWN}")
    return KINDS[kind]


__all__ = ["KINDS", "Kind", "get_kind", "register_kind"]
