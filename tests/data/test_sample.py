"""The embedded sample: what it promises about sizes, labels, languages and shortcuts."""

import hashlib
import json
import math
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from modeling_dlfa.data import sample
from modeling_dlfa.data.sample import concepts
from modeling_dlfa.data.sample.turkish import _suffixed
from modeling_dlfa.errors import InputError
from tests.marks import rest_is_slow


PAIRS, TAGGING = ("xnli", "pawsx"), ("udpos", "panx")
QUESTIONS = ("xquad", "mlqa", "tydiqa")
SCRIPTS = {
    "hi": {"DEVANAGARI"},
    "ja": {"HIRAGANA", "KATAKANA", "CJK", "KATAKANA-HIRAGANA"},
    "ru": {"CYRILLIC"},
    "zh": {"CJK"},
}
UPOS = {
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ",
    "SYM", "VERB", "X",
}  # fmt: skip
NOT_IN_LANGUAGE = {"es": {"PART"}, "fr": {"PART"}, "tr": {"PART", "ADP"}, "ja": {"CCONJ"}}
every_language = pytest.mark.parametrize("language", sample.LANGUAGES)


def _texts(task: str, split: str, language: str) -> list[tuple[str, ...]]:
    rows = sample.rows(task, split, language)
    if task in QUESTIONS:
        return [(row["context"], row["question"]) for row in rows]
    if task == "xcopa":
        return [(str(r["prompt"]), *r["choices"]) for r in rows]
    return [(str(r["sentence1"]), str(r["sentence2"])) if task in PAIRS else tuple(r["tokens"]) for r in rows]


def _tagged(language: str, task: str = "udpos") -> list[list[tuple[str, str]]]:
    return [list(zip(r["tokens"], r["tags"], strict=True)) for r in sample.rows(task, "test", language)]


# The package is stubbed, so that neither torch nor anything else outside the standard library is needed (-S: no site).
_DIGEST = """
import hashlib, json, sys, types
root = sys.argv[1]
for name in ("modeling_dlfa", "modeling_dlfa.data"):
    module = types.ModuleType(name)
    module.__path__ = [root + "/" + name.replace(".", "/")]
    sys.modules[name] = module
from modeling_dlfa.data import sample
everything = [sample.rows(task, "test", language) for task in sample.SIZES for language in sample.LANGUAGES]
everything += [sample.rows(task, split, "en") for task in sample.SIZES for split in ("train", "validation")]
print(hashlib.sha256(json.dumps(everything).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def digest() -> str:
    """Of all rows, as this process makes them."""
    everything = [sample.rows(task, "test", language) for task in sample.SIZES for language in sample.LANGUAGES]
    everything += [sample.rows(task, split, "en") for task in sample.SIZES for split in ("train", "validation")]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


@pytest.mark.parametrize("hash_seed", rest_is_slow(["0", "1", "4242"]))
def test_same_rows_in_every_process_with_the_standard_library_alone(hash_seed: str, digest: str) -> None:
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-S", "-c", _DIGEST, root]
    done = subprocess.run(command, env={"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest


def test_rows_are_fresh_copies() -> None:
    sample.rows("udpos", "test", "de")[0]["tags"] = ["X"]
    assert sample.rows("udpos", "test", "de")[0]["tags"] != ["X"]


def test_languages_and_sizes() -> None:
    assert len(sample.LANGUAGES) == len(set(sample.LANGUAGES)) >= 8
    assert sample.languages("train") == sample.languages("validation") == ("en",)
    assert sample.languages("test") == sample.LANGUAGES
    for task, sizes in sample.SIZES.items():
        for split, size in sizes.items():
            for language in sample.languages(split):
                assert len(sample.rows(task, split, language)) == size


@pytest.mark.parametrize(
    ("task", "split", "language", "named"),
    [
        ("xnli", "train", "de", "'de'"),
        ("udpos", "validation", "zh", "'zh'"),
        ("panx", "test", "xx", "'xx'"),
        ("squad", "test", "en", "'squad'"),
        ("udpos", "dev", "en", "'dev'"),
    ],
)
def test_what_is_not_there_is_an_input_error(task: str, split: str, language: str, named: str) -> None:
    with pytest.raises(InputError, match=named) as error:
        sample.rows(task, split, language)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("task", "labels"),
    [("xnli", {"entailment", "neutral", "contradiction"}), ("pawsx", {"0", "1"}), ("xcopa", {"0", "1"})],
)
def test_labels_are_balanced(task: str, labels: set[str]) -> None:
    for split, size in sample.SIZES[task].items():
        counts = Counter(str(row["label"]) for row in sample.rows(task, split, "en"))
        assert set(counts) == labels
        assert max(counts.values()) - min(counts.values()) <= 1 and sum(counts.values()) == size


@every_language
@pytest.mark.parametrize("task", PAIRS)
def test_test_sets_of_pairs_are_parallel(task: str, language: str) -> None:
    rows, english = sample.rows(task, "test", language), sample.rows(task, "test", "en")
    assert [row["label"] for row in rows] == [row["label"] for row in english]
    for row in rows:
        assert row["sentence1"] != row["sentence2"]
        assert not {"", "  "} & {row["sentence1"], row["sentence2"]}
    if language != "en":
        assert not set(_texts(task, "test", language)) & set(_texts(task, "test", "en"))


@every_language
def test_choices_are_parallel(language: str) -> None:
    rows, english = sample.rows("xcopa", "test", language), sample.rows("xcopa", "test", "en")
    assert [row["label"] for row in rows] == [row["label"] for row in english]
    for row in rows:
        texts = [row["prompt"], *row["choices"]]
        assert len(set(texts)) == 3 and not {"", "  "} & set(texts)


@every_language
def test_names_are_parallel_and_well_formed_iob2(language: str) -> None:
    for row, english in zip(sample.rows("panx", "test", language), sample.rows("panx", "test", "en"), strict=True):
        assert len(row["tokens"]) == len(row["tags"])
        before = "O"
        for tag in row["tags"]:
            assert tag in {"O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG"}
            assert not tag.startswith("I-") or before[2:] == tag[2:]
            before = tag
        entities = sorted(tag for tag in row["tags"] if tag.startswith("B-"))
        assert entities == sorted(tag for tag in english["tags"] if tag.startswith("B-"))


@every_language
@pytest.mark.parametrize("task", QUESTIONS)
def test_questions_are_parallel_and_their_answers_stand_where_it_is_said(task: str, language: str) -> None:
    rows, english = sample.rows(task, "test", language), sample.rows(task, "test", "en")
    assert len({row["id"] for row in rows}) == len(rows)
    for row, theirs in zip(rows, english, strict=True):
        (answer,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
        assert row["context"][start : start + len(answer)] == answer
        assert row["context"].count(answer) == 1 and answer not in row["question"]
        assert row["question"][-1] in "?？。"
        assert row["id"].split("-")[1:] == theirs["id"].split("-")[1:]


@pytest.mark.parametrize("task", QUESTIONS)
def test_no_place_of_a_text_answers_more_than_the_others(task: str) -> None:
    """The first sentence does, for a third of the questions at most, and so do the others."""
    places = Counter(
        row["context"][: row["answers"]["answer_start"][0]].count(".") for row in sample.rows(task, "test", "en")
    )
    assert set(places) == {0, 1, 2, 3} and max(places.values()) <= 34


def test_no_name_is_a_lookup() -> None:
    seen: dict[str, set[str]] = {}
    for row in sample.rows("panx", "train", "en"):
        for token, tag in zip(row["tokens"], row["tags"], strict=True):
            seen.setdefault(token, set()).add(tag)
    ambiguous = {token for token, tags in seen.items() if len({tag[2:] for tag in tags if tag != "O"}) > 1}
    assert {"London", "Paris", "Ford"} <= ambiguous
    tested = {
        token
        for row in sample.rows("panx", "test", "en")
        for token, tag in zip(row["tokens"], row["tags"])
        if tag != "O"
    }
    assert len(tested - set(seen)) >= 10


@every_language
def test_parts_of_speech(language: str) -> None:
    tags = Counter(tag for sentence in _tagged(language) for _, tag in sentence)
    assert set(tags) <= UPOS
    missing = UPOS - {"X"} - set(tags)
    assert missing <= NOT_IN_LANGUAGE.get(language, set())
    assert max(tags.values()) / sum(tags.values()) < 0.4


@every_language
@pytest.mark.parametrize("task", list(sample.SIZES))
def test_script(task: str, language: str) -> None:
    allowed = SCRIPTS.get(language, {"LATIN"})
    letters = {c for texts in _texts(task, "test", language) for text in texts for c in text if c.isalpha()}
    assert len(letters) > 20
    for letter in letters:
        assert unicodedata.name(letter).split()[0] in allowed, letter
    text = "".join(letters)
    assert unicodedata.normalize("NFC", text) == text or language == "hi"


@pytest.mark.parametrize("task", list(sample.SIZES))
def test_no_training_sentence_is_tested(task: str) -> None:
    train = set(_texts(task, "train", "en"))
    for split in ("validation", "test"):
        assert not train & set(_texts(task, split, "en"))


def test_part_of_the_vocabulary_is_held_out() -> None:
    train = {token.lower() for row in sample.rows("udpos", "train", "en") for token in row["tokens"]}
    test = {token.lower() for row in sample.rows("udpos", "test", "en") for token in row["tokens"]}
    assert not {word for word in ("engineer", "poem", "boat", "swim", "swims", "oslo", "beach") if word in train}
    assert 0.2 < len(test - train) / len(test) < 0.6


def test_training_sentences_are_short_and_some_tested_ones_long() -> None:
    lengths = [len(row["tokens"]) for row in sample.rows("udpos", "train", "en")]
    assert sum(lengths) / len(lengths) <= 12
    assert max(len(row["tokens"]) for row in sample.rows("udpos", "test", "en")) >= 20


# Word order and morphology that are the language's own


@pytest.mark.parametrize(
    ("language", "final"), [("hi", {"VERB", "AUX"}), ("ja", {"AUX", "PART"}), ("tr", {"VERB", "AUX", "ADJ"})]
)
def test_verb_final_languages_end_in_the_predicate(language: str, final: set[str]) -> None:
    sentences = [s for s in _tagged(language) if any(tag in ("VERB", "AUX") for _, tag in s)]
    assert len(sentences) > 50
    for sentence in sentences:
        assert sentence[-1][1] == "PUNCT" and sentence[-2][1] in final, sentence


def test_german_subordinate_clauses_are_verb_final_and_main_clauses_verb_second() -> None:
    subordinate = [s for s in _tagged("de") if any(word in ("weil", "dass") for word, _ in s)]
    assert len(subordinate) > 10
    for sentence in subordinate:
        assert sentence[-2][1] in ("VERB", "AUX"), sentence
    fronted = [s for s in _tagged("de") if s[0][1] in ("ADV", "ADP")]
    assert fronted
    for sentence in fronted:
        verb = next(i for i, (_, tag) in enumerate(sentence) if tag in ("VERB", "AUX"))
        assert verb <= 2, sentence


def test_french_elides_and_contracts() -> None:
    for task in TAGGING:
        for sentence in _tagged("fr", task):
            for (word, _), (following, _) in zip(sentence, sentence[1:]):
                if word.lower() in ("le", "la", "de", "ne", "que", "ce"):
                    assert following[0].lower() not in "aeiouéèêâôœ", sentence
                assert (word.lower(), following) not in {("à", "le"), ("de", "le")}
    negated = [[word for word, _ in s] for s in _tagged("fr") if any(word == "pas" for word, _ in s)]
    assert negated and all({"ne", "n'"} & set(words) for words in negated)


def test_spanish_marks_persons_and_contracts() -> None:
    words = [" ".join(word for word, _ in s) for s in _tagged("es")]
    assert any(" al " in text for text in words)
    assert any(f" a {article} " in text for text in words for article in ("la", "un", "una", "este", "esta"))
    assert not any(" a el " in f" {text.lower()} " or " de el " in text for text in words)


def test_russian_past_agrees_with_its_subject() -> None:
    feminine = {"Анна", "Мария", "Лаура", "Елена", "София", "Юлия", "Нина", "Клара", "Марта"}
    checked = 0
    for row in sample.rows("panx", "test", "ru"):
        tokens = row["tokens"]
        for verb in ("основал", "основала", "родился", "родилась"):
            if verb in tokens:
                assert (tokens[0] in feminine) == verb.endswith(("ла", "лась")), tokens
                checked += 1
    assert checked > 10


@pytest.mark.parametrize(
    ("name", "case", "form"),
    [
        ("Anna", "acc", "Anna'yı"), ("Peter", "gen", "Peter'in"), ("Paris", "loc", "Paris'te"),
        ("Londra", "abl", "Londra'dan"),
        ("Tokyo", "dat", "Tokyo'ya"), ("Prag", "abl", "Prag'dan"), ("Bankası", "loc", "Bankası'nda"),
        ("Üniversitesi", "acc", "Üniversitesi'ni"), ("Tiyatrosu", "acc", "Tiyatrosu'nu"), ("Bosch", "loc", "Bosch'ta"),
        ("Renault", "loc", "Renault'da"), ("Paul", "acc", "Paul'u"), ("Şikago", "loc", "Şikago'da"),
    ],
)  # fmt: skip
def test_turkish_suffixes_follow_vowel_harmony(name: str, case: str, form: str) -> None:
    assert _suffixed(name, case) == form


def test_chinese_nouns_are_counted_with_measure_words() -> None:
    counted = 0
    for sentence in _tagged("zh"):
        for (word, tag), (_, following) in zip(sentence, sentence[1:]):
            if tag == "NUM" and word in "一两三四":
                assert following == "NOUN", sentence
                counted += 1
    assert counted > 20


def test_unspaced_scripts_are_written_without_spaces() -> None:
    for language in ("zh", "ja"):
        for task in PAIRS:
            assert not any(" " in text for texts in _texts(task, "test", language) for text in texts)


# Shortcuts: rules that look at the surface only, fitted on the training set, stay far from solving the tasks


def _words(text: object) -> list[str]:
    return str(text).lower().rstrip(".").replace(",", "").split()


def _by_table(task: str, feature) -> float:
    """Accuracy on test-en of the commonest training label of each value of a feature."""
    table: dict[object, Counter[str]] = {}
    for row in sample.rows(task, "train", "en"):
        table.setdefault(feature(row), Counter())[str(row["label"])] += 1
    fallback = str(sample.rows(task, "train", "en")[0]["label"])
    rows = sample.rows(task, "test", "en")
    right = sum(
        (table[feature(row)].most_common(1)[0][0] if feature(row) in table else fallback) == row["label"]
        for row in rows
    )
    return 100 * right / len(rows)


def _hypothesis_alone(task: str) -> float:
    """Accuracy on test-en of naive Bayes over the words of the second sentence."""
    words: dict[str, Counter[str]] = {}
    for row in sample.rows(task, "train", "en"):
        words.setdefault(str(row["label"]), Counter()).update(set(_words(row["sentence2"])))
    vocabulary = len(set().union(*words.values()))

    def score(label: str, text: object) -> float:
        total = sum(words[label].values())
        return sum(math.log((words[label][word] + 1) / (total + vocabulary)) for word in set(_words(text)))

    rows = sample.rows(task, "test", "en")
    return (
        100 * sum(max(words, key=lambda label: score(label, r["sentence2"])) == r["label"] for r in rows) / len(rows)
    )


def _overlap_and_length(row: dict) -> object:
    first, second = Counter(_words(row["sentence1"])), Counter(_words(row["sentence2"]))
    difference = sum(second.values()) - sum(first.values())
    new = sum((second - first).values())
    return (difference > 0) - (difference < 0), min(new, 3), min(sum((first - second).values()), 6)


def _same_words(row: dict) -> object:
    return Counter(_words(row["sentence1"])) == Counter(_words(row["sentence2"]))


def _reordered(row: dict) -> object:
    return _same_words(row), _words(row["sentence1"])[0] == _words(row["sentence2"])[0]


@pytest.mark.parametrize(
    ("task", "feature", "ceiling"),
    [
        ("xnli", _overlap_and_length, 80), ("xnli", lambda row: "not" in _words(row["sentence2"]), 60),
        ("pawsx", _same_words, 85), ("pawsx", _reordered, 88), ("pawsx", _overlap_and_length, 85),
    ],
)  # fmt: skip
def test_surface_rules_do_not_solve_the_pairs(task: str, feature, ceiling: float) -> None:
    assert _by_table(task, feature) <= ceiling


@pytest.mark.parametrize(
    ("better", "ceiling"),
    [
        (lambda prompt, choice: -len(choice), 60),
        (lambda prompt, choice: "not" not in choice, 60),
        (lambda prompt, choice: len(prompt & choice) / len(choice), 88),
    ],
)
def test_surface_rules_do_not_solve_the_choices(better, ceiling: float) -> None:
    """Accuracy of the choice that is better; a half where both are alike."""
    right = 0.0
    rows = sample.rows("xcopa", "train", "en")
    for row in rows:
        one, other = (better(set(_words(row["prompt"])), set(_words(choice))) for choice in row["choices"])
        right += 0.5 if one == other else float((one > other) == (row["label"] == "0"))
    assert 100 * right / len(rows) <= ceiling


@pytest.mark.parametrize(("task", "ceiling"), [("xnli", 65), ("pawsx", 65)])
def test_the_second_sentence_alone_does_not_tell_the_label(task: str, ceiling: float) -> None:
    assert _hypothesis_alone(task) <= ceiling


def test_every_concept_is_in_every_language() -> None:
    """Whatever can be drawn can be said: the test rows alone need not meet every concept."""
    things = {noun for nouns in concepts.OBJECTS.values() for noun in nouns} | set(concepts.HYPERNYMS.values())
    nouns = things | set(concepts.PERSON_NOUNS)
    for grammar in sample._GRAMMARS.values():
        module = sys.modules[type(grammar).__module__]
        if grammar.code != "en":  # the concepts are English words
            assert nouns <= set(module.NOUNS), module
            assert set(concepts.ADJECTIVES) <= set(module.ADJECTIVES), module
        assert set(concepts.PLACES) == set(module.PLACES) and set(concepts.ALL_TIMES) == set(module.TIMES), module
