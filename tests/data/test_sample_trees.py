"""The dependency trees of the embedded sample: well-formed, parallel over the languages, and right where spelt out."""

from collections import Counter
from pathlib import Path

import pytest

from modeling_dlfa.data import sample
from modeling_dlfa.data.sample.frames import Clause, Phrase, Sentence
from modeling_dlfa.data.sample.grammar import Token, adverbial, person, rel, tagged
from modeling_dlfa.tasks.registry import TASKS


every_language = pytest.mark.parametrize("language", sample.LANGUAGES)
UNIVERSAL = set(TASKS["uddep"].labels)
# Function words: what they can be, and that nothing depends on them but what the guidelines let them have.
FUNCTION = {
    "ADP": {"case", "compound", "fixed"}, "AUX": {"aux", "cop", "fixed"}, "CCONJ": {"cc"}, "DET": {"det"},
    "INTJ": {"discourse"}, "PART": {"advmod", "case", "mark"}, "PUNCT": {"punct"}, "SCONJ": {"mark", "fixed"},
}  # fmt: skip
BELOW_FUNCTION = {("DET", "clf"), ("SCONJ", "fixed"), ("AUX", "fixed")}


def _rows(language: str) -> list[dict]:
    return [row for split in sample.SIZES["uddep"] if language in sample.languages(split)
            for row in sample.rows("uddep", split, language)]  # fmt: skip


def _assert_projective_tree(heads: list[int], shown: object) -> None:
    assert all(0 <= head <= len(heads) for head in heads), shown
    assert heads.count(0) == 1, shown
    for word in range(1, len(heads) + 1):
        steps = 0
        while word:
            word, steps = heads[word - 1], steps + 1
            assert steps <= len(heads), shown
    for word, head in enumerate(heads, start=1):
        if head:  # everything between a word and its head depends on something there or on either of them
            left, right = sorted((word, head))
            assert all(left <= heads[between - 1] <= right for between in range(left + 1, right)), shown


@every_language
def test_rows_are_the_sentences_of_udpos(language: str) -> None:
    for split in sample.SIZES["uddep"]:
        if language in sample.languages(split):
            trees, tags = (sample.rows(task, split, language) for task in ("uddep", "udpos"))
            assert [(row["tokens"], row["upos"]) for row in trees] == [(row["tokens"], row["tags"]) for row in tags]


@every_language
def test_every_row_is_a_projective_tree_with_universal_relations(language: str) -> None:
    for row in _rows(language):
        assert set(row) == {"tokens", "upos", "heads", "relations"}
        assert len({len(column) for column in row.values()}) == 1
        _assert_projective_tree(row["heads"], row)
        assert set(row["relations"]) <= UNIVERSAL, row
        assert [relation == "root" for relation in row["relations"]] == [head == 0 for head in row["heads"]], row


@every_language
def test_function_words_are_leaves_with_their_own_relations(language: str) -> None:
    for row in _rows(language):
        for upos, relation, head in zip(row["upos"], row["relations"], row["heads"], strict=True):
            assert relation in FUNCTION.get(upos, UNIVERSAL - {"punct", "cc", "det", "aux", "cop"}), row
            above = row["upos"][head - 1] if head else ""
            assert above not in FUNCTION or (above, relation) in BELOW_FUNCTION, row


@every_language
def test_trees_pass_the_validator_of_universal_dependencies(language: str, tmp_path: Path) -> None:
    """Up to level 3, its guidelines for all languages; levels 4 and 5 ask for features and lists of each language."""
    validator = pytest.importorskip("udtools.validator")
    path = tmp_path / "rows.conllu"
    sentences = []
    for number, row in enumerate(sample.rows("uddep", "test", language)):
        words = enumerate(zip(row["tokens"], row["upos"], row["heads"], row["relations"], strict=True), start=1)
        lines = [f"# sent_id = {number}", f"# text = {' '.join(row['tokens'])}"]
        lines += [
            f"{i}\t{form}\t{form}\t{upos}\t_\t_\t{head}\t{relation}\t_\t_" for i, (form, upos, head, relation) in words
        ]
        sentences.append("\n".join(lines) + "\n\n")
    path.write_text("".join(sentences), encoding="utf-8")
    state = validator.Validator(lang=language, level=3, output=None).validate_files([str(path)])
    assert state.passed(), str(state)


@every_language
def test_trees_are_parallel(language: str) -> None:
    """What every language expresses alike depends in the same way, row by row."""
    for row, english in zip(_rows(language)[-100:], _rows("en")[-100:], strict=True):
        counts, expected = Counter(row["relations"]), Counter(english["relations"])
        for relation in ("root", "ccomp", "flat", "discourse"):
            assert counts[relation] == expected[relation], (relation, row, english)
        modal_auxiliary = language in ("de", "ja", "zh")  # "want" is AUX there
        assert counts["xcomp"] == (0 if modal_auxiliary else expected["xcomp"]), row
        linked = expected["conj"] + expected["advcl"]
        if language == "ja":  # conjuncts are nmod there, as UD Japanese has it
            assert (counts["conj"], counts["advcl"] > 0) == (0, "advcl" in expected or "but" in english["tokens"]), row
        elif language == "zh":  # 有 before an indefinite subject
            assert counts["conj"] + counts["advcl"] == linked + row["tokens"].count("有"), row
        else:
            assert counts["conj"] + counts["advcl"] == linked, row


@every_language
def test_sentences_of_the_other_tasks_have_trees_too(language: str) -> None:
    grammar, checked = sample._GRAMMARS[language], 0
    for task in ("xnli", "pawsx", "panx"):
        for frame, _ in sample._frames(task)["test"]:
            for sentence in frame:
                if isinstance(sentence, Sentence):
                    tokens = grammar.sentence(sentence)
                    _assert_projective_tree(_heads(tokens), tokens)
                    checked += 1
    assert checked > 400


# ---------------------------------------------------------------- trees spelt out

SENTENCES = {
    "reported": Sentence(
        Clause(Phrase("singer", determiner="the", adjective="famous"), verb="laugh", time="every_morning"),
        "because",
        Clause(Phrase("doctor", determiner="this"), verb="eat", tense="future", object=Phrase("cake", number=2)),
        speaker=Phrase("Paul", "person", surname="Keller"),
    ),
    "wish": Sentence(
        Clause(
            Phrase("she", "pronoun"), verb="repair", wants=True, negated=True, object=Phrase("chair", determiner="a")
        )
    ),
    "fronted": Sentence(
        Clause(
            Phrase("Marta", "person", also=Phrase("Oscar", "person")),
            verb="wash",
            tense="past",
            place="kitchen",
            object=Phrase("apple", determiner="this", adjective="red"),
            time="last_year",
            first="time",
        )
    ),
    "exclamation": Sentence(
        Clause(Phrase("boat", determiner="this"), "be", adjective="red", negated=True), exclamation=True
    ),
    "role": Sentence(Clause(Phrase("Nina", "person", surname="London"), "isa", role="singer", city="Rome")),
    "price": Sentence(Clause(Phrase("boat", determiner="the"), "cost", price=20)),
    "linked": Sentence(
        Clause(
            Phrase("friend", owner="Victor"), verb="greet", tense="past", object=Phrase("engineer", determiner="the")
        ),
        "but",
        Clause(
            Phrase("lawyer", determiner="a"),
            verb="work",
            negated=True,
            employer=Phrase("university", "institution", city="Moscow"),
        ),
    ),
}


def _gold() -> list[tuple[str, str, str]]:
    lines = (Path(__file__).parent / "sample_trees.txt").read_text(encoding="utf-8").splitlines()
    return [(*line.split(" ", 2),) for line in lines if line and not line.startswith("#")]  # pyright: ignore


def _heads(tokens: list[Token]) -> list[int]:
    return [number + token.head if token.head else 0 for number, token in enumerate(tokens, start=1)]


def _shown(tokens: list[Token]) -> str:
    return " ".join(f"{t.form}/{head}/{t.relation}" for t, head in zip(tokens, _heads(tokens), strict=True))


def test_every_sentence_is_spelt_out_in_every_language() -> None:
    assert sorted((language, name) for language, name, _ in _gold()) == sorted(
        (language, name) for language in sample.LANGUAGES for name in SENTENCES
    )


@pytest.mark.parametrize(("language", "name", "tree"), _gold(), ids=lambda value: value if len(value) < 12 else "")
def test_tree(language: str, name: str, tree: str) -> None:
    assert _shown(sample._GRAMMARS[language].sentence(SENTENCES[name])) == tree


# ---------------------------------------------------------------- the notation of the grammars


@pytest.mark.parametrize(
    ("tokens", "tree"),
    [
        (rel("obl", tagged("im/ADP schönen/ADJ/amod Park/NOUN")), "im/3/case schönen/3/amod Park/0/obl"),
        (rel("mark", tagged("потому/SCONJ/ что/SCONJ/fixed")), "потому/0/mark что/1/fixed"),
        (tagged("で/AUX は/ADP/<fixed ない/AUX/<fixed"), "で/0/aux は/1/fixed ない/1/fixed"),
        (tagged("of/ADP/case> Rome/PROPN/nmod"), "of/2/case Rome/0/nmod"),
        (tagged("not/PART/advmod red", "ADJ"), "not/0/advmod red/0/"),
        (adverbial("gestern/ADV"), "gestern/0/advmod"),
        (adverbial("am/ADP Montag/PROPN"), "am/2/case Montag/0/obl"),
        (rel("nsubj", person("安娜", "韦伯", "·/PUNCT")), "安娜/0/nsubj ·/1/punct 韦伯/1/flat"),
        (rel("nsubj", person("安娜", "", "·/PUNCT")), "安娜/0/nsubj"),
        (rel("obj", []), ""),
    ],
)
def test_notation(tokens: list[Token], tree: str) -> None:
    assert _shown(tokens) == tree


@pytest.mark.parametrize("words", ["reads/VERB the/DET book/NOUN", "the/DET"])
def test_a_phrase_has_one_head(words: str) -> None:
    with pytest.raises(ValueError, match="unpack"):
        rel("root", tagged(words))
