"""`dlfa analyse gate`: what it counts is the gate, what it holds fast is the gate, and a constant one is called so."""

import copy
import csv
import json
import re
import shutil
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from modeling_dlfa.analysis import gate_measures
from modeling_dlfa.analysis.__main__ import main
from modeling_dlfa.analysis.gate_measures import PLACES, Used, used
from modeling_dlfa.analysis.gate_page import _Said, few_rows
from modeling_dlfa.analysis.gate_run import (
    GatedRun,
    Remembering,
    checkpoints,
    encoder_remembers,
    held,
    open_gated,
    weights_of,
)
from modeling_dlfa.analysis.gate_scores import CHANNELS, LEARNT, SCALAR, WAYS, Scores, scores
from modeling_dlfa.configuration_dlfa import DLFAConfig
from modeling_dlfa.errors import InputError
from modeling_dlfa.training.__main__ import main as train
from modeling_dlfa.training.model import open_finished
from modeling_dlfa.training.scoring import predictions
from tests.browser import CHROMIUM, Page, seen


KEPT = ("--save_strategy", "epoch", "--save_total_limit", "5", "--keep_checkpoints")


@pytest.fixture(scope="module")
def gated(run_of, xtreme_folder: Path, tmp_path_factory: pytest.TempPathFactory):
    """gated(task): a run that has kept its checkpoints."""
    opened: dict[str, GatedRun] = {}

    def get(task: str) -> GatedRun:
        if task not in opened:
            data = str(xtreme_folder) if (xtreme_folder / task).is_dir() else "sample"
            output = str(tmp_path_factory.mktemp("gate"))
            opened[task] = open_gated(str(run_of(task, *KEPT)), data, "en,de", None, 10, output)
        return opened[task]

    return get


def batch_of(run: GatedRun, language: str = "de") -> dict[str, torch.Tensor]:
    batch, _ = next(gate_measures._gates(run, run.sets[language]))
    return {name: values for name, values in batch.items() if name != "labels"}


def logits(model, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    with torch.inference_mode():
        outputs = model(**batch)
    return [value for name, value in outputs.items() if name.endswith("logits")]


# ---------------------------------------------------------------------------------------------------------------------
# The gate held fast
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gate", "fusion"), [(1.0, "none"), (0.0, "layer")])
@pytest.mark.parametrize("task", ["panx", "uddep", "xnli", "xquad", "xcopa"])
def test_held_at_an_end_it_is_one_layer_alone(gated, task: str, gate: float, fusion: str):
    run = gated(task)
    values = copy.deepcopy(run.model.config).to_dict() | {"fusion": fusion}
    if fusion == "none":
        values["fusion_layer"] = None
    plain = type(run.model)(DLFAConfig(**values)).eval()
    missing, _ = plain.load_state_dict(run.model.state_dict(), strict=False)
    assert missing == []
    batch = batch_of(run)
    with held(run.fusion, gate):
        ours = logits(run.model, batch)
        again = logits(run.model, batch)
    for one, other, learnt in zip(ours, logits(plain, batch), logits(run.model, batch), strict=True):
        torch.testing.assert_close(one, other)
        assert not torch.allclose(one, learnt)  # and afterwards it is as it was
    assert all(torch.equal(one, other) for one, other in zip(ours, again, strict=True))


def test_held_at_one_value_for_each_channel(gated):
    run = gated("panx")
    batch, width = batch_of(run), run.fusion.local_branch.expand.out_features
    w = torch.linspace(0, 1, width)
    with held(run.fusion, w), torch.inference_mode():
        outputs = run.model(**batch, output_fusion=True, output_hidden_states=True)
    x, y = outputs.hidden_states[-1], outputs.layer_state
    torch.testing.assert_close(outputs.gate, w.expand_as(outputs.gate))
    torch.testing.assert_close(outputs.fused_state, w * x + (1 - w) * y)


@pytest.mark.parametrize("task", ["panx", "uddep", "xnli", "xquad"])
def test_the_learnt_gate_has_the_scores_of_the_run(gated, run_of, xtreme_folder: Path, tmp_path: Path, task: str):
    run = open_gated(str(run_of(task, *KEPT)), str(xtreme_folder), "en,de", None, None, str(tmp_path))
    found = scores(run, used(run, run.sets))
    assert found.by_way[LEARNT] == pytest.approx({code: run.results.scores[code] for code in ("en", "de")})
    assert list(found.by_way) == [LEARNT, *(way.name for way in WAYS)]
    assert found.asked == ["de"] and found.average(LEARNT) == pytest.approx(run.results.scores["de"])


def test_what_a_run_has_settled_counts(tiny_encoder: str, tmp_path: Path):
    """Of a task in a file that is still there, which does not know the threshold of the run."""
    answers = [{"text": ["l"], "answer_start": [4]}, {"text": [], "answer_start": []}]
    rows = [
        {"id": f"q{number}", "context": "b c l d", "question": "well", "answers": answers[number % 2]}
        for number in range(8)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    files = "{train: rows.jsonl, validation: rows.jsonl, test: {en: rows.jsonl}}"
    (tmp_path / "mine.yaml").write_text(f"kind: answers\nlabels: [no answer]\nfiles: {files}\n")
    argv = ["--task", tmp_path / "mine.yaml", "--model_name_or_path", tiny_encoder, "--output_dir", tmp_path / "run"]
    flags = "--no_answer_threshold -99 --max_steps 1 --max_length 16 --fusion_layer 1 --eval_strategy no --use_cpu"
    assert train([*map(str, argv), *flags.split()]) == 0
    run = open_gated(str(tmp_path / "run"), None, None, None, None, str(tmp_path / "gate"))
    assert run.task.settled == run.results.settled == {"no_answer_threshold": -99.0, "set_on": "nothing, it was given"}
    assert set(run.predicted("en", {LEARNT: None})[LEARNT]) == {""}
    assert scores(run, used(run, run.sets)).by_way[LEARNT] == run.results.scores == {"en": 50.0}


@pytest.mark.parametrize("task", ["panx", "uddep", "xnli", "xquad", "xcopa"])
def test_the_encoder_reads_once_for_all_gates(gated, task: str):
    """With the same answers as where it reads everything for each gate."""
    run = gated(task)
    base: Any = run.model.base_model
    calls = []
    hook = base.encoder.register_forward_hook(lambda *_: calls.append(1))
    gates = {"learnt": None, "half": 0.5, "channels": torch.linspace(0, 1, 32)}
    try:
        plain, batches = {}, 0
        for name, gate in gates.items():
            calls.clear()
            with nullcontext() if gate is None else held(run.fusion, gate):
                plain[name] = predictions(run.trainer, {"de": run.sets["de"]})["de"]
            batches = len(calls)
        calls.clear()
        found = run.predicted("de", gates)
    finally:
        hook.remove()
    assert len(calls) == batches > 0
    assert found == plain and not isinstance(base.encoder, Remembering)


def test_what_is_remembered_is_of_the_very_batch(gated):
    run = gated("panx")
    batch = batch_of(run)
    other = {**batch, "attention_mask": batch["attention_mask"].clone()}
    other["attention_mask"][:, -1] = 0
    (plain,), (masked,) = logits(run.model, batch), logits(run.model, other)
    with encoder_remembers(run.model):
        for inputs, expected in ((batch, plain), (other, masked), (batch, plain)):
            torch.testing.assert_close(logits(run.model, inputs)[0], expected, rtol=0, atol=0)


def test_changes_have_intervals_over_sentences():
    right = np.array([[1, 1, 1]] * 90 + [[0, 1, 1]] * 10)
    less = np.array([[1, 1, 1]] * 60 + [[0, 1, 1]] * 40)
    other = np.concatenate([right[::-1][:5], right[5:]])  # five go from right to wrong
    by_way = {name: {"en": 100.0, "de": value} for name, value in ((LEARNT, 90.0), ("less", 60.0), ("same", 90.0))}
    counts = {
        LEARNT: {"en": right, "de": right},
        "less": {"en": right, "de": less},
        "same": {"en": right, "de": right},
    }
    found = Scores(by_way, counts, "en")
    change = found.change("less")
    assert change.mean == -30 and change.low < -30 < change.high < 0 and change.clear
    same = found.change("same")
    assert (same.mean, same.low, same.high) == (0, 0, 0) and not same.clear
    small = Scores({**by_way, "less": {"en": 100.0, "de": 85.0}}, {**counts, "less": {"en": right, "de": other}}, "en")
    change = small.change("less")
    assert change.mean == -5 and change.low < -5 < change.high < 0
    # Languages of as many rows are drawn together: what two translations of a set say is not twice as sure.
    by_way = {name: {**scores, "fr": scores["de"]} for name, scores in by_way.items()}
    counts = {name: {**of_way, "fr": of_way["de"]} for name, of_way in counts.items()}
    twice = Scores(by_way, counts, "en").change("less")
    assert (twice.low, twice.high) == pytest.approx((found.change("less").low, found.change("less").high))
    alone = Scores({LEARNT: {"en": 90.0}}, {LEARNT: {"en": right}}, "en")
    assert alone.asked == ["en"]


# ---------------------------------------------------------------------------------------------------------------------
# What is counted
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_tokens", [1, 4096])
@pytest.mark.parametrize("task", ["panx", "uddep", "xnli", "xquad", "xcopa"])
def test_what_is_counted_is_the_gate(gated, task: str, batch_tokens: int, monkeypatch: pytest.MonkeyPatch):
    run = gated(task)
    monkeypatch.setattr(gate_measures, "BATCH_TOKENS", batch_tokens)
    found = used(run, run.sets)
    values = []
    for one in run.sets.values():
        for batch, gate in gate_measures._gates(run, one):
            real = batch["attention_mask"].reshape(-1, gate.shape[1]).bool()
            values.append(1 - gate[real].detach().double())
    every = torch.cat(values).numpy()  # (N, E)
    assert found.count == len(every) == len(found.of_places)
    assert found.mean == pytest.approx(every.mean())
    np.testing.assert_allclose(found.channels, every.mean(axis=0))
    np.testing.assert_allclose(found.deviations, every.std(axis=0), atol=1e-7)
    np.testing.assert_allclose(np.sort(found.of_tokens), np.sort(every.mean(axis=1)))
    assert found.quantile(0.5) == pytest.approx(np.quantile(every, 0.5), abs=2 / gate_measures.BINS)
    assert found.dynamic == pytest.approx(every.var(axis=0).mean() / every.var())


def test_words_are_sorted_by_label_and_pieces_by_place(gated):
    run = gated("panx")
    found = used(run, run.sets)
    gold = [tag for one in run.sets.values() for tags in one.references for tag in tags]
    names = run.task.labels
    assert {label: len(values) for label, values in found.labelled.items()} == {
        names[tag]: gold.count(tag) for tag in set(gold)
    }
    counts = np.bincount(found.of_places, minlength=len(PLACES))
    rows = sum(len(one.features) for one in run.sets.values())
    assert counts[0] == 2 * rows and counts[1] == len(gold)  # [CLS] and [SEP]; words are a letter and ##digit
    assert counts[2] == found.count - counts[0] - counts[1] > 0


def test_pairs_are_sorted_by_label_and_questions_are_not(gated):
    pairs = used(gated("xnli"), gated("xnli").sets)
    assert sum(map(len, pairs.labelled.values())) == 20 and set(pairs.labelled) <= set(gated("xnli").task.labels)
    arcs = used(gated("uddep"), gated("uddep").sets)
    assert set(arcs.labelled) <= set(gated("uddep").task.labels) and len(arcs.labelled) > 2
    assert used(gated("xquad"), gated("xquad").sets).labelled == {}


def test_few_rows_are_the_first_sentences(gated):
    sets = gated("panx").sets
    few = few_rows(sets, 3)
    assert {sentence for one in few.values() for sentence in one.features["sentence"][:]} == {0, 1, 2}


@pytest.mark.parametrize(
    ("histogram", "constant", "spread"),
    [
        ({300: 100}, True, 0),
        ({300: 50, 310: 50}, True, 0.01),
        ({300: 50, 330: 50}, False, 0.03),
        ({300: 97, 900: 3}, True, 0),  # nine tenths count
    ],
)
def test_when_a_gate_is_constant(histogram: dict[int, int], constant: bool, spread: float):
    bins = np.zeros(gate_measures.BINS)
    for place, count in histogram.items():
        bins[place] = count
    found = Used(histogram=bins)
    assert found.is_constant is constant and found.spread == pytest.approx(spread)


# ---------------------------------------------------------------------------------------------------------------------
# Over training
# ---------------------------------------------------------------------------------------------------------------------


def test_checkpoints_are_looked_at_and_the_model_is_as_before(gated):
    run = gated("panx")
    kept = checkpoints(run.folder)
    assert list(kept) == sorted(kept) and len(kept) == 2
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    means = {}
    for step, path in kept.items():
        with weights_of(run.model, path):
            means[step] = used(run, few_rows(run.sets)).mean
    assert len(set(means.values())) == 2
    assert means[max(kept)] == pytest.approx(used(run, few_rows(run.sets)).mean)  # the last one is what was saved
    assert all(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nothing", "cannot be read"),
        ({"other": torch.zeros(2)}, "expected weights of this model with its fusion, found others"),
        ({}, "expected weights of this model with its fusion, found others"),
    ],
)
def test_a_checkpoint_that_does_not_fit(gated, tmp_path: Path, content, message: str):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content) if isinstance(content, bytes) else save_file(content, path)
    with pytest.raises(InputError, match=message), weights_of(gated("panx").model, path):
        raise AssertionError


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_what_lies_between_checkpoints_needs_two(run_of, xtreme_folder: Path, tmp_path: Path, kept: int):
    folder = tmp_path / "run"
    shutil.copytree(run_of("panx", *KEPT), folder)
    for path in sorted(folder.glob("checkpoint-*"))[kept:]:
        shutil.rmtree(path)
    page = analyse(folder, xtreme_folder, tmp_path / "page", "--max_samples", "10")
    said = {0: "kept no checkpoints", 1: "kept one checkpoint", 2: "From step"}
    assert [count for count, words in said.items() if words in page.text] == [kept]
    assert (tmp_path / "page" / "training.csv").exists() == (kept == 2)


# ---------------------------------------------------------------------------------------------------------------------
# The page
# ---------------------------------------------------------------------------------------------------------------------


def planted(run: Path, folder: Path, noise: float) -> Path:
    """A copy of a run whose gate has one value, or with noise depends on channels."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("checkpoint-*"))
    from modeling_dlfa.training.results import RunResults

    model = open_finished(folder, RunResults.load(folder).of_task)
    fusion: Any = model.base_model.fusion
    with torch.no_grad():
        for branch in (fusion.local_branch, fusion.global_branch):
            branch.expand.weight.zero_()
            branch.expand.bias.copy_(0.25 + noise * torch.linspace(-1, 1, len(branch.expand.bias)))
    model.save_pretrained(folder)
    return folder


def analyse(run: Path, data: Path, output: Path, *flags: str) -> Page:
    argv = ["gate", str(run), "--data", str(data), "--output_dir", str(output), "--languages", "en,de", *flags]
    assert main(argv) == 0
    return Page((output / "index.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(run_of, xtreme_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("page") / "gate"
    analyse(run_of("panx", *KEPT), xtreme_folder, output, "--max_samples", "12")
    return output


def test_the_page(folder: Path):
    page = Page((folder / "index.html").read_text("utf-8"))
    parts = ["Where", "Channels", "Over training", "The gate held fast", "How it was measured"]
    assert [heading for heading in page.headings if heading in parts] == [parts[0], "Channels", "Channels", *parts[2:]]
    assert {path.name for path in folder.glob("*.png")} == {"where.png", "channels.png", "training.png", "held.png"}
    assert "This is one run: another seed may use its gate otherwise." in page.text
    assert "Before training the share is 0.018 at every token and channel." in page.text
    rows = list(csv.DictReader((folder / "where.csv").open(encoding="utf-8")))
    assert {row["what"] for row in rows} == {"languages", "places in a word", "labels"}
    assert all(float(row["low"]) <= float(row["high"]) and 0 < float(row["mean"]) < 1 for row in rows)
    steps = [int(row["step"]) for row in csv.DictReader((folder / "training.csv").open(encoding="utf-8"))]
    assert steps == sorted(steps) and len(steps) == 2
    held_at = list(csv.DictReader((folder / "held.csv").open(encoding="utf-8")))
    assert [row["change"] == "" for row in held_at] == [True, False, False, False, False]
    channels = list(csv.DictReader((folder / "channels.csv").open(encoding="utf-8")))
    assert len(channels) == 32 and set(channels[0]) == {"channel", "mean", "deviation"}


@pytest.mark.parametrize(
    ("noise", "first"),
    [
        (0.0, r"The gate is constant: .* within 0\.000 .*; layer 1 has a share of 0\.378 everywhere\."),
        (3.0, r"The gate gives layer 1 a share of 0\.\d+ on average and is not constant: .*; 0 % of their variance"),
    ],
)
def test_a_planted_gate(run_of, xtreme_folder: Path, tmp_path: Path, noise: float, first: str, capsys):
    run = planted(run_of("panx", *KEPT), tmp_path / "run", noise)
    page = analyse(run, xtreme_folder, tmp_path / "page", "--max_samples", "10")
    said = re.search(r"In short\s*(.*?)\n", page.text)
    assert said and re.match(first, said[1]), said
    assert re.match(f"- {first}", capsys.readouterr().out)
    assert "kept no checkpoints" in page.text
    held_at = {row["w"]: row for row in csv.DictReader((tmp_path / "page" / "held.csv").open(encoding="utf-8"))}
    assert float(held_at["its mean in each channel"]["change"]) == 0  # it is that mean already
    assert "does from token to token" in page.text


STAGE = {"task": "uddep", "fusion_carried": True}


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([], True),
        ([{**STAGE, "fusion_carried": False}], True),
        ([STAGE, {**STAGE, "fusion_carried": False}], True),
        ([STAGE], False),
    ],
)
def test_where_a_gate_began_is_said_where_it_is_new(gated, stages: list[dict], said: bool):
    run = gated("panx")
    run = replace(run, results=replace(run.results, intermediate=stages))
    found = Scores({}, {}, "en")
    assert bool(_Said(run, Used(), found)._begun()) is said


def scored(run: GatedRun, low: int, high: int, language: str = "de") -> _Said:
    """What is said where the gate at its means by channel has so many more rows wrong, and so many more right."""
    learnt = np.array([[1, 1, 1]] * 50 + [[0, 1, 1]] * 50)
    other = learnt.copy()
    other[:low, 0], other[50 : 50 + high, 0] = 0, 1
    made = {CHANNELS.name: other, SCALAR.name: np.zeros_like(learnt) + [0, 1, 1]}
    counts = {way: {language: made.get(way, learnt)} for way in (LEARNT, *(way.name for way in WAYS))}
    by_way = {way: {language: 100.0 * of[language][:, 0].mean()} for way, of in counts.items()}
    return _Said(run, Used(), Scores(by_way, counts, "en"))


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (30, 0, r"What the gate does from token to token is worth 30\.0 points to this model\."),
        (0, 30, r"What the gate does from token to token costs this model 30\.0 points\."),
        (5, 4, r"a difference is not seen in the scores \(change of -\d\.\d to \+\d\.\d at its means"),
    ],
)
def test_what_is_said_of_tokens_has_its_interval(gated, low: int, high: int, said: str):
    assert re.search(said, scored(gated("panx"), low, high)._of_scores()[1])


@pytest.mark.parametrize(
    ("language", "note"),
    [("de", "all languages but the training language"), ("en", "the training language alone")],
)
def test_the_note_says_what_the_average_is_over(gated, language: str, note: str):
    said = scored(gated("panx"), 5, 4, language)
    said.names = {language: language}
    assert said._held().sheets[0].notes[0].startswith(f"Average: {note}.")


@pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium")
def test_it_opens_in_a_browser(folder: Path, tmp_path: Path):
    for width in (1200, 500):
        assert seen(folder / "index.html", tmp_path, width).startswith("4 true true The gate of run")


@pytest.mark.parametrize(
    ("flags", "argv", "message"),
    [
        (("--fusion", "none"), [], "the fusion none has no gate that shares between the last layer and a lower one"),
        (("--fusion", "sum"), [], "the fusion sum has no gate"),
        (("--config_overrides", '{"aif_output":"scale"}'), [], "expected a run of the fusion aif, with aif_output"),
        (("--fusion", "aif_layer"), [], "the fusion aif_layer has no gate"),
        ((), ["--languages", "xx"], "no test data for xx"),
        ((), ["--languages", ","], "--languages"),
        ((), ["--max_samples", "0"], "--max_samples 0: expected a positive number"),
        ((), ["--eval_split", "train"], "invalid choice: 'train'"),
        ((), ["--data", "nowhere"], "no data folder 'nowhere'"),
        ((), ["--seeds", "2"], "unrecognized arguments: --seeds 2"),
        (None, [], "holds no finished run"),
    ],
)
def test_bad_input_is_one_line(run_of, xtreme_folder: Path, tmp_path: Path, flags, argv, message: str, capsys):
    run = tmp_path if flags is None else run_of("panx", *(flags or KEPT))
    given = ["gate", str(run), "--data", str(xtreme_folder), "--output_dir", str(tmp_path / "out"), *argv]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "out" / "index.html").exists()
