"""Answers as HTML: what is typed is text, trees are drawn without overlaps, long texts are cut with a word on it."""

import re
from xml.etree import ElementTree

import pytest

from modeling_dlfa.demo.drawing import (
    COLOURS,
    MOST_CHARACTERS,
    MOST_WORDS,
    Part,
    colours_of,
    failure,
    html,
    parts,
    tree,
)
from modeling_dlfa.demo.runs import GatedWord, Seen
from modeling_dlfa.tasks.kinds.shown import LabelledWord, Mark, Picture


MARKUP = "<img src=x onerror=alert(1)>&amp;<script>x</script>\"'"


def seen(picture: Picture, gate: tuple = (), note: str = "") -> Seen:
    return Seen(picture, gate, "8", note)


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.replace("&nbsp;", " "))


PICTURES = {
    "shares": Picture(MARKUP, shares=((MARKUP, 0.7), ("b", 0.3))),
    "marks": Picture(text=f"a {MARKUP} b", marks=(Mark(2, 2 + len(MARKUP), MARKUP),)),
    "words": Picture(words=(LabelledWord(MARKUP, MARKUP, 0.5), LabelledWord("b", "O", None))),
    "tree": Picture(words=(LabelledWord(MARKUP, "root", 0.5, 0), LabelledWord("b", MARKUP, None, 1))),
}


@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES)
def test_what_is_typed_is_text(picture: Picture):
    found = html([MARKUP], [seen(picture, ((GatedWord(MARKUP, 0.1), GatedWord("b", 0.9)),), MARKUP)])
    root = parsed(found)  # well-formed
    assert MARKUP in "".join(root.itertext())
    assert not root.findall(".//img") and not root.findall(".//script")
    assert MARKUP in "".join(parsed(failure(MARKUP)).itertext())


def test_runs_stand_side_by_side_and_one_may_fail():
    root = parsed(html(["one", "two"], [seen(PICTURES["shares"]), "it cannot"]))
    columns = root.findall("section")
    assert [column.get("aria-label") for column in columns] == ["one", "two"]
    assert columns[0].find("table") is not None and columns[1].find("p[@role='alert']") is not None


def test_parts_are_the_text():
    text, marks = "ab cd ef", (Mark(3, 5, "X"), Mark(0, 2, "Y"))
    found = parts(text, marks, {"X": "x", "Y": "y"})
    assert found == [Part("ab", "Y", "y"), Part(" "), Part("cd", "X", "x"), Part(" ef")]
    assert "".join(part.text for part in parts(text, (Mark(3, 99, "X"),), {"X": "x"})) == text
    assert parts("", (), {}) == []


def test_labels_have_the_same_colours_in_both_runs():
    words = [LabelledWord("a", label, 1.0) for label in ("B-PER", "I-PER", "O", "B-LOC")]
    found = colours_of(Picture(words=tuple(words), marks=(Mark(0, 1, "PER"),)))
    assert found["B-PER"] == found["I-PER"] == found["PER"] == COLOURS[1] and found["B-LOC"] == COLOURS[0]
    assert found["O"] == "transparent"


TREES = {
    "one word": (0,),
    "chain": (0, 1, 2, 3),
    "flat": (2, 0, 2, 2, 2),
    "nested": (5, 1, 2, 5, 0, 5, 6),
    "crossing": (3, 4, 0, 3),
    "head behind the last that is drawn": (0, 9, 1),
    "all behind": (0, *range(1, 40)),
}


@pytest.mark.parametrize("heads", TREES.values(), ids=TREES)
def test_a_tree_is_drawn_without_overlaps(heads: tuple[int, ...]):
    words = [LabelledWord(f"w{n}" * n, "relation", 1.0, head) for n, head in enumerate(heads, start=1)]
    drawn = tree(words)
    assert len(drawn.words) == len(drawn.arcs) == len(heads)
    places = [middle for _, middle in drawn.words]
    assert places == sorted(places) and places[0] > 0 and places[-1] < drawn.width
    for one in drawn.arcs:
        assert 0 < one.top < drawn.base < drawn.height and min(one.start, one.end) >= 0
        assert max(one.start, one.end) <= drawn.width
    arcs = [one for one in drawn.arcs if one.start != one.end]
    for number, one in enumerate(arcs):
        for other in arcs[number + 1 :]:
            low, high = sorted((one.start, one.end))
            first, last = sorted((other.start, other.end))
            if one.top == other.top:
                assert high <= first or last <= low, "two arcs on one line"


def test_a_tree_of_wide_and_combining_characters():
    wide, narrow = (tree([LabelledWord(text, "x", 1.0, 0)]).width for text in ("東京東京", "abcd"))
    combined = tree([LabelledWord("e\u0301" * 4, "x", 1.0, 0)]).width
    assert wide > narrow == combined


def test_a_long_text_is_cut_with_one_line_on_it():
    words = tuple(LabelledWord(f"w{n}", "X", 0.5) for n in range(MOST_WORDS + 5))
    gate = (tuple(GatedWord(word.text, 0.1 + n / 1000) for n, word in enumerate(words)),)
    found = html(["run"], [seen(Picture(words=words, text="x" * (MOST_CHARACTERS + 9)), gate)])
    assert found.count("dlfa-labelled") == found.count("dlfa-shade") == MOST_WORDS
    notes = re.findall(r'class="dlfa-note">Note: ([^<]*)<', found)
    assert notes == [
        f"the first {MOST_WORDS} of {MOST_WORDS + 5} words are drawn.",
        f"the first {MOST_CHARACTERS:,} of {MOST_CHARACTERS + 9:,} characters are drawn.",
    ]


@pytest.mark.parametrize(
    ("shares", "said", "darkness"),
    [
        ((0.25, 0.5, 0.75), "from 0.250", [0, 50, 100]),
        ((0.4, 0.405), "The same for all words: 0.403 (they differ by less than 0.01)", [0, 0]),
        ((0.4,), "The same for all words: 0.400", [0]),
    ],
)
def test_shades_say_what_they_are(shares, said: str, darkness: list[int]):
    found = html(["run"], [seen(Picture("x"), (tuple(GatedWord("w", share) for share in shares),))])
    assert said in found and "How much of layer 8 is used" in found
    assert [int(value) for value in re.findall(r"#4c93c8 (\d+)%", found)] == darkness
