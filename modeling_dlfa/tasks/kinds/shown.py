"""What a page asks a person for, and how it draws an answer, as plain data: a part of `Kind`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import InputError


if TYPE_CHECKING:
    from ..task import Task


@dataclass(frozen=True)
class Field:
    """Something to type.

    Attributes:
        label: what it is called.
        lines: of text that are usual.
        hint: how it is to be typed, where that is not plain.
    """

    label: str
    lines: int = 1
    hint: str = ""


@dataclass(frozen=True)
class Mark:
    """A part of a text, from the character `start` to that before `end`."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class LabelledWord:
    """A word with its label, and in a tree its head: 0 for the root, words from 1 on."""

    text: str
    label: str
    probability: float | None
    head: int | None = None


@dataclass(frozen=True)
class Picture:
    """An answer as it is drawn; what is empty is left out.

    Attributes:
        headline: the answer in a few words.
        shares: what could be answered, with probabilities, in the order of the task or the best first.
        text, marks: a text with parts that are marked.
        words: of a sentence.
    """

    headline: str = ""
    shares: tuple[tuple[str, float], ...] = ()
    text: str = ""
    marks: tuple[Mark, ...] = ()
    words: tuple[LabelledWord, ...] = ()


class ShownOnAPage:
    """Of a kind whose texts are typed into a page; by default one text, and what is known of it as JSON.

    Attributes:
        sample_folder: the embedded sample's folder whose rows serve as examples where it has none of the task.
    """

    sample_folder: ClassVar[str] = ""

    def fields(self, task: "Task") -> tuple[Field, ...]:
        """What is typed, in order.

        Raises:
            InputError: the kind does not label texts.
        """
        return (Field("Text", lines=3),)

    def asked(self, task: "Task", typed: Sequence[str]) -> str | tuple[str, ...]:
        """One text as `Kind.from_texts` takes it.

        Args:
            typed: one string for each of `fields`.

        Raises:
            InputError: one of them is empty.
        """
        for field, text in zip(self.fields(task), typed, strict=True):
            if not text.strip():
                raise InputError(f"{field.label}: expected some text, it is empty")
        return tuple(typed) if len(typed) > 1 else typed[0]

    def typed(self, task: "Task", row: Mapping[str, Any]) -> tuple[str, ...]:
        """What one would type to ask for a row of data, one string for each of `fields`."""
        raise NotImplementedError(f"{self!r} has no examples")

    def picture(self, task: "Task", typed: Sequence[str], answer: Mapping[str, Any]) -> Picture:
        """How an answer is drawn.

        Args:
            typed: what it answers.
            answer: as `Kind.described` has it, with what `Kind.from_texts` repeats of the text.
        """
        return Picture(headline=json.dumps(dict(answer), ensure_ascii=False))
