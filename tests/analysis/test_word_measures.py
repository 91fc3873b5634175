"""What is read of words: states of any size, the run's label piece, and sentences that are read whole."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modeling_dlfa.analysis import word_measures
from modeling_dlfa.analysis.courses import course
from modeling_dlfa.analysis.opened import Opened, open_model
from modeling_dlfa.analysis.sentences import Settings
from modeling_dlfa.analysis.word_measures import Reading, of_arcs, of_words
from modeling_dlfa.data.sources import Source, open_source
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import get_task


@pytest.fixture(scope="module")
def opened(tiny_encoder: str) -> Opened:
    return open_model(tiny_encoder, 40)


@pytest.fixture(scope="module")
def source(xtreme_folder: Path) -> Source:
    return open_source(str(xtreme_folder))


def test_large_states_stay_finite(opened: Opened, source: Source, monkeypatch: pytest.MonkeyPatch):
    real = opened.model.forward

    def large(*given, **named):
        outputs: Any = real(*given, **named)
        outputs.hidden_states = tuple(100_000 * states for states in outputs.hidden_states)
        return outputs

    reading = Reading(opened, source, get_task("uddep"), Settings(samples=4, max_length=40))
    rows = reading.rows("test", "de", 4)
    plain = reading.known(rows)
    monkeypatch.setattr(opened.model, "forward", large)
    found = reading.known(rows)
    for layer, sentences in found.items():
        for one, other in zip(sentences, plain[layer], strict=True):
            assert one.states.isfinite().all() and one.states.abs().max() > 65_504
            torch.testing.assert_close(one.states, 100_000 * other.states)


def test_words_are_read_as_the_run_reads_them(run_of, source: Source, monkeypatch: pytest.MonkeyPatch):
    run = open_model(str(run_of("udpos", "--label_piece", "first")), 40)
    reading = Reading(run, source, get_task("udpos"), Settings(samples=4, max_length=40))
    kind, asked = type(reading.task.kind), []
    real = kind.encode

    def noted(self, task, rows, tokenizer, max_length, label_piece: Any = "character"):
        asked.append(label_piece)
        return real(self, task, rows, tokenizer, max_length, label_piece)

    monkeypatch.setattr(kind, "encode", noted)
    reading.known(reading.rows("test", "de", 4))
    replace(reading, settings=Settings(max_length=40, label_piece="character")).known(reading.rows("test", "de", 4))
    assert asked == ["first", "character"]


@pytest.mark.parametrize(
    ("measures", "names"),
    [
        (["pos"], ["pos", "pos_others"]),
        (["control"], ["control", "selectivity"]),
        (["code"], ["code"]),
        (["pos", "control", "code"], ["pos", "pos_others", "control", "selectivity", "code"]),
        (["language", "arcs"], []),
    ],
)
def test_what_is_not_asked_for_is_not_measured(opened: Opened, source: Source, measures, names):
    settings = Settings(samples=6, max_length=40, seeds=1)
    found = of_words(opened, source, replace(settings, measures=measures)).by_name
    assert list(found) == names
    everything = of_words(opened, source, settings).by_name
    assert found == {name: everything[name] for name in names}


@pytest.mark.parametrize("split", ["train", "validation"])
def test_without_a_sentence_read_whole(opened: Opened, source: Source, split: str):
    reading = Reading(opened, source, get_task("uddep"), Settings(max_length=3))
    said = rf"--max_length 3: none of 4 sentences of uddep in en \({split}\) has two words or more"
    with pytest.raises(InputError, match=said):
        word_measures._arcs_of_training(reading, split, 4)


def test_languages_without_a_sentence_read_whole_are_left_out(
    opened: Opened, source: Source, monkeypatch: pytest.MonkeyPatch
):
    real = Reading.known

    def short_in_german(self: Reading, rows):
        if rows["tokens"][0] != german:
            return real(self, rows)
        return real(Reading(self.opened, self.source, self.task, Settings(max_length=3)), rows)

    settings = Settings(languages=["de", "ru"], samples=6, max_length=40, seeds=2)
    german = Reading(opened, source, get_task("uddep"), settings).rows("test", "de", 6)["tokens"][0]
    monkeypatch.setattr(Reading, "known", short_in_german)
    found = of_arcs(opened, source, settings)
    assert {row["language"] for row in found.rows} == {"ru"}
    others = found.by_name["arcs_others"]
    alone = {row["layer"]: row["value"] for row in found.rows}
    assert {str(k): np.mean(values) for k, values in others.values.items()} == pytest.approx(alone)
    assert others.label == "1 other languages"
    assert "of 6 sentences, those of two words and more that are read whole; none in de, left out." in course(others)
