"""CoNLL-U text: what is read, what is passed over, and how a fault is named."""

import pytest

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.conllu import format_trees, parse_trees
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.trees import Tree


def line(number, form="w", upos="X", head: int | str = 0, relation="root"):
    return f"{number}\t{form}\t_\t{upos}\t_\t_\t{head}\t{relation}\t_\t_"


DOGS = Tree(["the", "dogs", "run"], ["DET", "NOUN", "VERB"], [2, 3, 0], ["det", "nsubj", "root"])
LINES = [line(1, "the", "DET", 2, "det"), line(2, "dogs", "NOUN", 3, "nsubj"), line(3, "run", "VERB", 0, "root")]
RANGE, EMPTY = "2-3\tdogsrun" + "\t_" * 8, "2.1\tdo\tdo\tVERB\t_\t_\t_\t_\t2:conj\t_"


@pytest.mark.parametrize(
    ("lines", "trees"),
    [
        (LINES, 1),
        ([*LINES, "", *LINES], 2),
        (["", "", *LINES, "", " ", "", *LINES, ""], 2),
        (["# sent_id = 1", "# text = the dogs run", *LINES], 1),
        (["# only a comment", "", *LINES], 1),
        ([LINES[0], RANGE, *LINES[1:]], 1),
        ([*LINES[:2], EMPTY, LINES[2]], 1),
        ([*LINES[:2], EMPTY.replace("2.1", "10.12"), LINES[2]], 1),
        ([LINES[0], LINES[1].replace("nsubj", "nsubj:pass:x"), LINES[2]], 1),
        (["1\tthe\tthe\tDET\tDT\tA=b|C=d\t2\tdet\t2:det\tSpaceAfter=No", *LINES[1:]], 1),
        ([], 0),
    ],
    ids=[
        "plain",
        "two",
        "blanks",
        "comments",
        "comment",
        "range",
        "empty",
        "long-empty",
        "subtype",
        "columns",
        "nothing",
    ],
)
def test_trees_are_read(lines, trees):
    assert parse_trees(lines, "file") == [DOGS] * trees


ROOT, GOOD = line(1), "1\tw\t_\tX\t_\t_\t0\troot\t_\t_"


@pytest.mark.parametrize(
    ("lines", "number", "reason"),
    [
        (
            [line(1, head=2), line(2, head=0, relation="dep"), line(3, head=9)],
            3,
            "the head 9 of word 3 'w' is outside",
        ),
        ([line(1, "a", head=0), line(2, "b", head=0)], 2, "two roots, words 1 'a' and 2 'b': expected one"),
        ([line(1, head=2), line(2, head=1)], 1, "no root: expected one word with head 0"),
        ([line(1, head=1)], 1, "no root"),
        (
            [ROOT, line(2, "a", head=4), line(3, "b", head=2), line(4, "c", head=3)],
            2,
            "a cycle of heads, words 2 'a' -> 4 'c' -> 3 'b' -> 2 'a'",
        ),
        ([ROOT, line(2, "a", head=3), line(3, "b", head=3)], 3, "a cycle of heads, words 3 'b' -> 3 'b'"),
        (["# x", "", ROOT, "", "# y", ROOT, RANGE, line(2, head=3)], 8, "the head 3 of word 2 'w' is outside"),
        ([line(2)], 1, "expected the word number 1, found '2'"),
        ([ROOT, line(3, head=1)], 2, "expected the word number 2, found '3'"),
        ([ROOT, line(1, head=1)], 2, "expected the word number 2, found '1'"),
        ([line("x")], 1, "expected the word number 1, found 'x'"),
        ([line("1-x")], 1, "expected the word number 1, found '1-x'"),
        (["1\tw\tX\t0\troot"], 1, "expected ID<tab>FORM<tab>.*, found 5 fields: '1"),
        ([GOOD + "\t_"], 1, "expected ID.*, found 11 fields"),
        (["1 w _ X _ _ 0 root _ _"], 1, "expected ID.*, found 1 fields"),
        ([ROOT, line(2, form="", head=1)], 2, "word 2 has an empty form"),
        ([line(1, upos="N")], 1, "expected a part of speech of ADJ, .*, found 'N'"),
        ([line(1, upos="_")], 1, "expected a part of speech of ADJ, .*, found '_'"),
        ([line(1, relation="sbj:x")], 1, "expected a relation of acl, .*, found 'sbj:x'"),
        ([line(1, relation="_")], 1, "expected a relation of acl, .*, found '_'"),
        ([line(1, head="_")], 1, "expected a head of 0 or more, found '_'"),
        ([line(1, head="-1")], 1, "expected a head of 0 or more, found '-1'"),
        ([line(1, head="²")], 1, "expected a head of 0 or more, found '²'"),
    ],
)
def test_a_fault_is_named_with_file_line_and_reason(tmp_path, lines, number, reason):
    path = tmp_path / "uddep" / "test-en.conllu"
    path.parent.mkdir()
    path.write_text("\n".join([*lines, "", ""]), encoding="utf-8")
    with pytest.raises(InputError, match=rf"^.*test-en\.conllu:{number}: {reason}") as caught:
        FolderSource(tmp_path).load(TASKS["uddep-upos"], "test", "en")
    assert "\n" not in str(caught.value)


def test_trees_are_written_as_the_format_says_and_read_back():
    forms = [["a b", "c\td"], ["\n", ""]]
    text = format_trees(forms, [[(0, "root"), (1, "obj")], [(2, "dep"), (0, "dep")]])
    assert text.split("\n")[:3] == [line(1, "a b", "_"), line(2, "c d", "_", 1, "obj"), ""]
    assert text.endswith("\t_\n\n") and text.count("\n\n") == 2
    trees = parse_trees(text.split("\n"), "file", upos=("_",))
    assert [tree.tokens for tree in trees] == [["a b", "c d"], [" ", "_"]]
    assert [tree.heads for tree in trees] == [[0, 1], [2, 0]]


def test_what_is_written_is_conllu_to_others():
    conllu = pytest.importorskip("conllu")
    text = format_trees([["the", "dogs"], ["run"]], [[(2, "det"), (0, "root")], [(0, "root")]])
    assert [[(t["form"], t["head"], t["deprel"]) for t in sentence] for sentence in conllu.parse(text)] == [
        [("the", 2, "det"), ("dogs", 0, "root")],
        [("run", 0, "root")],
    ]
