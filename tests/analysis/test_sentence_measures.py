"""What is read of sentences: in 32 bits however many there are, no sentence twice, no language with too few."""

from pathlib import Path

import numpy as np
import pytest

from modeling_dlfa.analysis import sentence_measures
from modeling_dlfa.analysis.courses import course
from modeling_dlfa.analysis.measures import Found
from modeling_dlfa.analysis.opened import open_model
from modeling_dlfa.analysis.sentence_measures import FEWEST, of_sentences
from modeling_dlfa.analysis.sentences import Settings, Translations, layer_vectors
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.tasks import reading


def test_vectors_are_in_32_bits_whatever_they_take(tiny_encoder: str, monkeypatch: pytest.MonkeyPatch):
    opened, texts = open_model(tiny_encoder, 40), ["n1 v2", "d0 n3 v1", "n1 v2"]
    before = layer_vectors(opened, texts, 40)
    monkeypatch.setattr(reading, "IN_FLOAT32", 0)
    after = layer_vectors(opened, texts, 40)
    for layer, vectors in after.items():
        assert vectors.dtype == np.float32
        np.testing.assert_array_equal(vectors, before[layer])


def test_languages_with_few_pairs_are_left_out(tiny_encoder: str, xtreme_folder: Path, monkeypatch):
    opened, source = open_model(tiny_encoder, 40), open_source(str(xtreme_folder))
    real = sentence_measures.tatoeba

    def few(source, settings) -> Translations:
        found = real(source, settings)
        assert found is not None
        cut = {code: slice(FEWEST - 1 if code in short else None) for code in found.foreign}
        foreign, pivot = ({code: of[code][cut[code]] for code in of} for of in (found.foreign, found.pivot))
        return Translations(found.pivot_language, foreign, pivot)

    monkeypatch.setattr(sentence_measures, "tatoeba", few)
    settings, short = Settings(samples=8, max_length=40, seeds=1), ["de"]
    found = of_sentences(opened, source, settings)
    assert "de" not in {row["language"] for row in found.rows} and found.rows
    assert all(f"left out, with fewer than {FEWEST} pairs: de." in course(one) for one in found.measures)
    short = ["de", "ru", "zh", *real(source, settings).foreign]  # pyright: ignore
    assert of_sentences(opened, source, settings) == Found(few={"tatoeba": f"no language has {FEWEST} pairs"})


@pytest.mark.parametrize(
    ("measures", "names", "compared"),
    [
        (["language"], ["language"], False),
        (["retrieval"], ["retrieval", "retrieval_centred"], False),
        (["cka"], [], True),
        (["language", "retrieval", "cka"], ["language", "retrieval", "retrieval_centred"], True),
        (["pos", "arcs"], [], False),
    ],
)
def test_what_is_not_asked_for_is_not_measured(tiny_encoder, xtreme_folder: Path, measures, names, compared: bool):
    opened, source = open_model(tiny_encoder, 40), open_source(str(xtreme_folder))
    found = of_sentences(opened, source, Settings(samples=16, max_length=40, seeds=1, measures=measures))
    assert list(found.by_name) == names and bool(found.sentences) is compared
    for layer, by_language in found.sentences.items():
        assert layer in opened.layers and list(by_language) == ["en", "de", "ru", "zh"]
        assert all(vectors.shape == (16, 32) for language, vectors in by_language.items() if language != "en")
    assert found.few == {}


def test_sentences_of_the_pivot_are_compared_once():
    texts = ["a", "b", "A", "B", "c", "d", "A", "D"]
    places = {"de": (range(0, 2), range(2, 4)), "ru": (range(4, 6), range(6, 8))}
    assert sentence_measures._compared(texts, places, "en") == {}  # too few
    many = [f"{text}{number}" for text in texts for number in range(8)]
    places = {"de": (range(0, 16), range(16, 32)), "ru": (range(32, 48), range(48, 64))}
    found = sentence_measures._compared(many, places, "en")
    assert [len(rows) for rows in found.values()] == [24, 16, 16]  # A0 to A7 stand there twice
    assert len({many[place] for place in found["en"]}) == 24


def test_sentences_of_the_pivot_are_seen_once(monkeypatch: pytest.MonkeyPatch):
    """Five languages with the same English sentences, of which no one is learnt from and asked for."""
    count, languages = 12, ["de", "fr", "ru", "tr", "zh"]
    texts, places = [], {}
    for language in languages:
        start = len(texts)
        texts += [*(f"{language} {row}" for row in range(count)), *(f"en {row}" for row in range(count))]
        places[language] = range(start, start + count), range(start + count, start + 2 * count)
    halves = {code: sentence_measures._halves(count, seed) for seed, code in enumerate(languages)}
    sets = []

    def noted(vectors, labels, *_):
        sets.append([texts[int(row)] for row, label in zip(vectors[:, 0], labels, strict=True) if label == 0])

    monkeypatch.setattr(sentence_measures, "fitted", noted)
    monkeypatch.setattr(sentence_measures, "accuracy", lambda _, vectors, labels: noted(vectors, labels) or 0.0)
    numbers = np.arange(len(texts), dtype=float)[:, None]
    sentence_measures._language(numbers, texts, places, halves, 0)
    learnt, asked = sets
    assert len(set(learnt)) == len(learnt) == count // 2 and asked
    assert len(set(asked)) == len(asked) and not set(learnt) & set(asked)
