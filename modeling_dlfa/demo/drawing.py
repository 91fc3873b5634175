"""What a run makes of a text as HTML: labels, marks, bars, trees, the gate's shades. The template escapes text."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..pages import rendered
from ..tasks.kinds.shown import LabelledWord, Mark, Picture
from .runs import Seen


TEMPLATE = "answer.html.jinja"

MOST_WORDS = 300
"""Words that are drawn of a text; a tree has as many at most."""

MOST_CHARACTERS = 6_000
"""Of a text with marks."""

MOST_SHARES = 20

CONSTANT = 0.01
"""A gate whose words differ by less is said to be the same everywhere (our choice)."""

# Behind black text, after Okabe and Ito 2008: to be told apart by the colour-blind; labels are written too.
COLOURS = ("#a6d8f5", "#f7d08a", "#9fe0c8", "#f6c3dc", "#f5f0a0", "#c9cdf2", "#f4b9a3", "#d9d9d9")


@dataclass(frozen=True)
class Part:
    """A part of a text, with a label where it is marked."""

    text: str
    label: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Shade:
    """A word with the share of the lower layer in it, and how dark that is, in percent."""

    text: str
    used: float
    darkness: int


@dataclass(frozen=True)
class Arc:
    """An arc of a tree in pixels: from (start, base) up to `top` and down to (end, base), where its arrow is."""

    start: float
    end: float
    top: float
    label: str
    width: float

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2


@dataclass(frozen=True)
class Tree:
    """A drawn tree in pixels: words with the places of their middles, arcs above them."""

    words: tuple[tuple[str, float], ...]
    arcs: tuple[Arc, ...]
    width: float
    height: float
    base: float


def html(names: Sequence[str], found: Sequence[Seen | str]) -> str:
    """Answers of runs side by side; a string is what kept one from answering."""
    return rendered(Path(__file__).parent, TEMPLATE, {"columns": list(map(_column, names, found))})


def failure(message: str) -> str:
    """What is said instead of answers."""
    return html([""], [message])


def _column(name: str, seen: Seen | str) -> dict[str, Any]:
    if isinstance(seen, str):
        return {"name": name, "failure": seen}
    picture = seen.picture
    words = picture.words[:MOST_WORDS]
    colours = colours_of(picture)
    is_tree = any(word.head is not None for word in words)
    notes = [seen.note] if seen.note else []
    if len(picture.words) > len(words):
        notes.append(f"the first {len(words):,} of {len(picture.words):,} words are drawn")
    if len(picture.text) > MOST_CHARACTERS:
        notes.append(f"the first {MOST_CHARACTERS:,} of {len(picture.text):,} characters are drawn")
    return {
        "name": name,
        "failure": "",
        "headline": picture.headline,
        "shares": picture.shares[:MOST_SHARES],
        "parts": parts(picture.text[:MOST_CHARACTERS], picture.marks, colours),
        "words": words,
        "colours": colours,
        "tree": tree(words) if is_tree else None,
        "layer": seen.layer,
        **_gate(seen),
        "notes": notes,
    }


def colours_of(picture: Picture) -> dict[str, str]:
    """Label -> background, in the order of the alphabet, so that two runs have the same ones for the same labels.

    Of an entity's tag the part behind B-, I-, E- or S- counts; "O" has none.
    """
    labels = {mark.label for mark in picture.marks} | {word.label for word in picture.words}
    kinds = sorted({_of_entity(label) for label in labels} - {"O"})
    colour = {kind: COLOURS[number % len(COLOURS)] for number, kind in enumerate(kinds)}
    return {label: colour.get(_of_entity(label), "transparent") for label in labels}


def _of_entity(label: str) -> str:
    return label[2:] if label[:2] in ("B-", "I-", "E-", "S-") else label


def parts(text: str, marks: Sequence[Mark], colours: dict[str, str]) -> list[Part]:
    """A text in parts, marked and not; marks do not overlap."""
    found, at = [], 0
    for mark in sorted(marks, key=lambda one: one.start):
        if mark.end > len(text):
            break
        if mark.start > at:
            found.append(Part(text[at : mark.start]))
        found.append(Part(text[mark.start : mark.end], mark.label, colours[mark.label]))
        at = mark.end
    return [*found, Part(text[at:])] if at < len(text) else found


def _gate(seen: Seen) -> dict[str, Any]:
    """Rows of shaded words, from the least used (white) to the most used (dark) of this text, and what these are."""
    shares = [word.used for row in seen.gate for word in row]
    if not shares:
        return {"gate": [], "least": 0.0, "most": 0.0, "same": False}
    least, most = min(shares), max(shares)
    same = most - least < CONSTANT
    rows, left = [], MOST_WORDS
    for row in seen.gate:
        shown = row[:left]
        left -= len(shown)
        rows.append(
            [
                Shade(one.text, one.used, 0 if same else round(100 * (one.used - least) / (most - least)))
                for one in shown
            ]
        )
    return {"gate": [row for row in rows if row], "least": least, "most": most, "same": same}


# ---------------------------------------------------------------------------------------------------------------------
# Trees
# ---------------------------------------------------------------------------------------------------------------------

CHARACTER, GAP, LEVEL, MARGIN = 9, 16, 30, 16  # pixels


def tree(words: Sequence[LabelledWord]) -> Tree:
    """Words on a line, and an arc from each head to its dependent, the longer over the shorter.

    A head that is not drawn, behind the last word, has an arc that ends there.
    """
    middles, right = [], float(MARGIN)
    for word in words:
        width = max(_width(word.text), 0.8 * _width(word.label)) + GAP
        middles.append(right + width / 2)
        right += width
    ends = {
        number: (min(number, head), max(number, head))
        for number, word in enumerate(words, start=1)
        if (head := min(word.head or 0, len(words)))
    }
    levels: dict[int, int] = {}
    for number, (low, high) in sorted(ends.items(), key=lambda item: item[1][1] - item[1][0]):
        below = (levels[other] for other in levels if ends[other][0] < high and low < ends[other][1])
        levels[number] = 1 + max(below, default=0)
    highest = max(levels.values(), default=0) + 1
    base = MARGIN + highest * LEVEL
    arcs = []
    for number, word in enumerate(words, start=1):
        end = middles[number - 1]
        top = base - levels.get(number, highest) * LEVEL
        start = middles[min(word.head, len(words)) - 1] if word.head else end
        beside = 5 if start < end else -5 if start > end else 0  # what leaves a word stands beside what reaches it
        arcs.append(Arc(start + beside, end - beside / 2, top, word.label, 0.8 * _width(word.label) + 6))
    texts = tuple((word.text, middle) for word, middle in zip(words, middles, strict=True))
    return Tree(texts, tuple(arcs), right + MARGIN, base + 2.2 * MARGIN, base)


def _width(text: str) -> float:
    """About how wide a text is, in pixels: wide characters count double, combining ones not at all."""
    wide = {"W": 1.9, "F": 1.9}
    return CHARACTER * sum(
        0 if unicodedata.combining(one) else wide.get(unicodedata.east_asian_width(one), 1.0) for one in text
    )
