"""Difficulty of a task: relative error, and the prequential code length against cases that are known by hand."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from modeling_dlfa.analysis import difficulty
from modeling_dlfa.analysis.difficulty import (
    CodeLength,
    KnownSentence,
    Portion,
    Probe,
    code_length,
    head_inputs,
    known_sentences,
    online_code,
    portion_ends,
    probe_bits,
    relative_error,
    train_probe,
    uniform_bits,
)
from modeling_dlfa.errors import InputError
from modeling_dlfa.known_states import KnownStates
from modeling_dlfa.tasks.kinds.tags import Tags
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.data import load_rows, open_tokenizer
from modeling_dlfa.training.model import build_model
from tests.of_kinds import data_collator, encode


# ---------------------------------------------------------------------------------------------------------------------
# Relative error
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "majority", "expected"),
    [(100.0, 30.0, 0.0), (30.0, 30.0, 1.0), (90.0, 60.0, 0.25), (20.0, 60.0, 2.0), (75.0, 0.0, 0.25)],
)
def test_relative_error(score: float, majority: float, expected: float):
    assert relative_error(score, majority) == pytest.approx(expected, abs=1e-12)


def test_a_task_of_one_answer_has_no_relative_error():
    with pytest.raises(InputError, match="the most frequent answer scores 100, expected less than 100"):
        relative_error(100.0, 100.0)


# ---------------------------------------------------------------------------------------------------------------------
# Tasks with an answer that is known
# ---------------------------------------------------------------------------------------------------------------------

SIZE = 60  # training sentences or pairs of the shared data
SMALL_PARSER = '{"parser_arc_size": 16, "parser_relation_size": 8}'


@pytest.fixture
def arguments(tiny_encoder: str, xtreme_folder: Path) -> Callable[..., RunArguments]:
    """arguments(task, ...): of a run on the tiny encoder; the long sentences of udpos take several rows."""

    def build(task: str, **changes: Any) -> RunArguments:
        values: dict[str, Any] = {"model_name_or_path": tiny_encoder, "data": str(xtreme_folder), "pooling": "mean"}
        values["max_length"] = 24 if task.startswith("uddep") else 16
        if get_task(task).kind.name == "trees":
            values["config_overrides"] = SMALL_PARSER
        return RunArguments(**{"task": task, **values, **changes})

    return build


def ready(arguments: RunArguments) -> tuple[Any, list[KnownSentence]]:
    """A head that reads known states, and what it reads: all training sentences."""
    rows = load_rows(RunArguments(**{**vars(arguments), "languages": "en", "eval_split": "validation"}))
    tokenizer = open_tokenizer(arguments)
    features = encode(rows.task, rows.train, tokenizer, arguments.max_length)
    torch.manual_seed(0)
    model: Any = build_model(RunArguments(**{**vars(arguments), "fusion": "none"}), rows.task)
    sentences = known_sentences(model, rows.task, features, tokenizer, batch_size=7)
    model.dlfa.encoder = KnownStates(model.config.encoder_config)
    return model, sentences


PROBE = Tags.probe or Probe((1,), 0.0)
ALL_TASKS = ("udpos", "xnli", "uddep-upos", "uddep-direction", "uddep-arcs", "uddep")


@pytest.mark.parametrize("task", ALL_TASKS)
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_logits_are_those_of_the_whole_model(arguments, task: str, pooling: str):
    """What is kept of the encoder is what the head reads, whatever the padding."""
    asked = arguments(task, pooling=pooling, max_train_samples=9)
    head, sentences = ready(asked)
    rows = load_rows(RunArguments(**{**vars(asked), "languages": "en", "eval_split": "validation"}))
    assert len(sentences) == len(rows.train) == 9
    tokenizer = open_tokenizer(asked)
    features = encode(rows.task, rows.train, tokenizer, asked.max_length)
    torch.manual_seed(0)
    whole: Any = build_model(RunArguments(**{**vars(asked), "fusion": "none"}), rows.task)
    bits = 0.0
    for row in features.to_list():  # each alone
        row = {name: row[name] for name in row if name not in ("length", "sentence", "first_word")}
        with torch.no_grad():
            bits += whole(**data_collator(rows.task, tokenizer)([row]), num_items_in_batch=1).loss.item() / math.log(2)
    assert probe_bits(head, rows.task, sentences, batch_size=4) == pytest.approx(bits, rel=1e-5)


@pytest.mark.parametrize("task", ["udpos", "uddep-upos", "uddep"])
def test_every_word_is_coded_once(arguments, task: str):
    model, sentences = ready(arguments(task))
    rows = load_rows(arguments(task, languages="en", eval_split="validation"))
    for sentence, row in zip(sentences, rows.train.to_list(), strict=True):
        gold = row["tags"] if "tags" in row else list(map(list, zip(row["heads"], row["relations"])))
        assert sentence.labels.tolist() == gold and len(sentence.states) == len(gold)


@pytest.mark.parametrize("task", ALL_TASKS)
def test_a_head_of_zeros_gives_the_uniform_code(arguments, task: str):
    """Which stop is taken costs one bit of each portion but the first."""
    model, sentences = ready(arguments(task))
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
    registered = get_task(task)
    labels = sum(len(sentence.labels) for sentence in sentences)
    expected = labels * math.log2(len(registered.labels))
    if registered.kind.name == "trees":
        expected += sum(math.log2(len(s.labels) + 1) * len(s.labels) for s in sentences)
    assert probe_bits(model, registered, sentences) == pytest.approx(expected, rel=1e-5)
    portions = online_code(model, registered, sentences, 0, Probe((1,), learning_rate=0.0))
    assert sum(portion.bits for portion in portions) == pytest.approx(expected + len(portions) - 1, rel=1e-5)
    assert sum(portion.uniform_bits for portion in portions) == pytest.approx(expected, rel=1e-9)
    assert sum(portion.labels for portion in portions) == labels


# ---------------------------------------------------------------------------------------------------------------------
# Bits
# ---------------------------------------------------------------------------------------------------------------------


def test_bits_of_tags_by_hand(arguments):
    """Two words, p = 1/4 and p = 1/2; the word that is not scored costs nothing."""
    model, _ = ready(arguments("uddep-direction", max_train_samples=1))
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor([0.5, 0.25, 0.25]).log())
    states = torch.randn(3, 32)
    sentences = [
        KnownSentence(states[:2], torch.tensor([1, -100])),
        KnownSentence(states[2:], torch.tensor([0])),
    ]
    assert probe_bits(model, get_task("uddep-direction"), sentences) == pytest.approx(3, abs=1e-5)
    assert uniform_bits(get_task("uddep-direction"), sentences[0]) == pytest.approx(math.log2(3))


def test_bits_of_trees_are_those_of_a_naive_loop(arguments):
    model, _ = ready(arguments("uddep", max_train_samples=1))
    task = get_task("uddep")
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randn(weights.shape, generator=draw) / 3)
    golds = [[[2, 5], [0, 33], [2, 11], [-100, -100]], [[0, 33]], [[0, 33], [1, 7]]]
    sentences = [KnownSentence(torch.randn(len(gold), 32, generator=draw), torch.tensor(gold)) for gold in golds]
    expected = 0.0
    for sentence, gold in zip(sentences, golds, strict=True):
        inputs = head_inputs(task, [sentence])
        del inputs["labels"]
        with torch.no_grad():
            output = model.eval()(**inputs)
        assert output.arc_logits.shape == (1, len(gold), len(gold) + 1)
        for word, (head, relation) in enumerate(gold):
            if head < 0:
                continue
            arcs = output.arc_logits[0, word].double().softmax(-1)
            relations = output.relation_logits[0, word, head].double().softmax(-1)
            expected -= math.log2(arcs[head]) + math.log2(relations[relation])
    assert probe_bits(model, task, sentences) == pytest.approx(expected, rel=1e-5)
    assert probe_bits(model, task, sentences, batch_size=1) == pytest.approx(expected, rel=1e-5)
    assert uniform_bits(task, sentences[0]) == pytest.approx(3 * (math.log2(5) + math.log2(37)))


# ---------------------------------------------------------------------------------------------------------------------
# Portions
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentences", "ends"),
    [
        (1000, [1, 2, 4, 8, 16, 32, 62, 125, 250, 500, 1000]),
        (400, [1, 2, 3, 6, 13, 25, 50, 100, 200, 400]),
        (5, [1, 2, 5]),
        (1, [1]),
    ],
)
def test_where_portions_end(sentences: int, ends: list[int]):
    assert portion_ends(sentences) == ends


def test_a_portion_is_coded_by_what_was_before_it(arguments, monkeypatch: pytest.MonkeyPatch):
    """Portions are disjoint, in order, cover everything, and every probe starts from the same weights."""
    model, sentences = ready(arguments("udpos"))
    place = {id(sentence): number for number, sentence in enumerate(sentences)}
    start = {name: weights.clone() for name, weights in model.state_dict().items()}
    trained, coded = [], []

    def train(model: Any, task: Any, before: list[KnownSentence], *rest: Any) -> Iterator[int]:
        assert all(torch.equal(weights, start[name]) for name, weights in model.state_dict().items())
        trained.append([place[id(sentence)] for sentence in before])
        yield from train_probe(model, task, before, *rest)
        assert not all(torch.equal(weights, start[name]) for name, weights in model.state_dict().items())

    def code(model: Any, task: Any, portion: list[KnownSentence], *rest: Any) -> float:
        coded.append([place[id(sentence)] for sentence in portion])
        return probe_bits(model, task, portion, *rest)

    monkeypatch.setattr(difficulty, "train_probe", train)
    monkeypatch.setattr(difficulty, "probe_bits", code)
    portions = online_code(model, get_task("udpos"), sentences, 3, Probe((1,), 1e-2))
    first = trained[0]
    assert [len(first), *map(len, coded)] == [portion.sentences for portion in portions]
    assert trained == [sum(coded[:number], first) for number in range(len(coded))]
    order = sum(coded, first)
    assert sorted(order) == list(range(SIZE)) and order != sorted(order)
    assert portions[0].bits == portions[0].uniform_bits and portions[0].epochs == 0


def test_the_shortest_code_of_a_portion_is_taken(arguments, monkeypatch: pytest.MonkeyPatch):
    model, sentences = ready(arguments("udpos", max_train_samples=2))
    task, second = get_task("udpos"), sentences[np.random.default_rng(0).permutation(2)[1]]
    for bits, epochs in (([9.0, 1.0, 5.0], 3), ([1e6, math.nan, 1e7], 0)):
        codes = iter(bits)
        monkeypatch.setattr(difficulty, "probe_bits", lambda *_, codes=codes: next(codes))
        portions = online_code(model, task, sentences, 0, Probe((2, 3, 5), 1e-2))
        shortest = 1.0 if epochs else len(second.labels) * math.log2(17)
        assert portions[1].bits == pytest.approx(shortest + 2) and portions[1].epochs == epochs  # one of four: 2 bits


def test_stops_are_epochs(arguments, tiny_dropout_encoder: str):
    """The third epoch is the same whether there was a stop before it: only training has dropout."""
    model, sentences = ready(arguments("udpos", max_train_samples=12, model_name_or_path=tiny_dropout_encoder))
    start = {name: weights.clone() for name, weights in model.state_dict().items()}
    bits = []
    for stops in ((3,), (1, 3)):
        model.load_state_dict(start)
        found = {}
        for epochs in train_probe(model, get_task("udpos"), sentences, 5, Probe(stops, 1e-2)):
            assert model.training
            found[epochs] = probe_bits(model, get_task("udpos"), sentences)
        assert tuple(found) == stops
        bits.append(found)
    assert bits[0][3] == bits[1][3] < bits[1][1]


# ---------------------------------------------------------------------------------------------------------------------
# The whole
# ---------------------------------------------------------------------------------------------------------------------


def entropy(labels: list) -> float:
    """Bits per label of the frequencies."""
    counts = np.array(list(Counter(labels).values())) / len(labels)
    return float(-(counts * np.log2(counts)).sum())


@pytest.fixture(scope="session")
def plain_encoder(tiny_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An encoder whose states are embeddings of the pieces, and know of nothing around them."""
    target = tmp_path_factory.mktemp("plain") / "encoder"
    AutoTokenizer.from_pretrained(tiny_encoder).save_pretrained(target)
    encoder = AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False)
    torch.nn.init.zeros_(encoder.embeddings.position_embeddings.weight)
    for layer in encoder.encoder.layer:
        for added in (layer.attention.output.dense, layer.output.dense):
            torch.nn.init.zeros_(added.weight)
            torch.nn.init.zeros_(added.bias)
    encoder.save_pretrained(target)
    return str(target)


def test_labels_that_the_word_decides_are_cheap_and_shuffled_ones_cost_their_entropy(arguments, plain_encoder: str):
    found, shuffled = (
        code_length(arguments("udpos", model_name_or_path=plain_encoder, shuffle_labels=flag))
        for flag in (False, True)
    )
    rows = load_rows(arguments("udpos", languages="en", eval_split="validation", shuffle_labels=True))
    tags = [tag for tags in rows.train["tags"] for tag in tags]
    assert found.labels == shuffled.labels == len(tags) > 500
    assert found.uniform_bits == pytest.approx(len(tags) * math.log2(17))
    assert found.portions[-1].bits < 0.1 * found.portions[-1].labels  # by then the words are known
    # That 12 of 17 parts of speech are never there, and how frequent the others are, must be learnt first.
    assert entropy(tags) < shuffled.bits_per_label < entropy(tags) + 0.4
    last = shuffled.portions[-1]
    assert entropy(tags) < last.bits / last.labels < entropy(tags) + 0.2
    assert found.bits_per_label < 0.4 * shuffled.bits_per_label


@pytest.mark.parametrize("task", ALL_TASKS)
def test_every_kind_of_task_is_compressed(
    arguments, task: str, plain_encoder: str, opened_files: list[str], xtreme_folder: Path
):
    """And no data of other languages are opened, nor of the tests."""
    asked = arguments(task, model_name_or_path=plain_encoder) if task == "xnli" else arguments(task)
    found = code_length(asked, probe=Probe((4, 16, 48), 1e-2))
    assert (found.task, found.seed, found.encoder) == (task, 0, asked.model_name_or_path)
    assert found.bits < 0.9 * found.uniform_bits
    folder, suffix = (xtreme_folder / "uddep", "conllu") if "uddep" in task else (xtreme_folder / task, "tsv")
    read = {Path(name) for name in opened_files if name.startswith(str(xtreme_folder))}
    assert read == {folder / f"{split}-en.{suffix}" for split in ("train", "dev")}
    assert sum(portion.sentences for portion in found.portions) == SIZE


def test_seed(arguments):
    short = Probe((2,), 1e-2)
    state = torch.get_rng_state()
    once, again, other = (code_length(arguments("uddep"), seed=seed, probe=short) for seed in (1, 1, 2))
    assert once == again and once.portions != other.portions
    assert torch.equal(state, torch.get_rng_state())


def test_limits_and_halves_are_those_of_the_run(arguments):
    short = Probe((1,), 1e-2)
    assert sum(p.sentences for p in code_length(arguments("uddep", max_train_samples=7), probe=short).portions) == 7
    halves = [code_length(arguments("uddep-upos", train_half=half), probe=short) for half in ("easy", "hard")]
    whole = code_length(arguments("uddep-upos"), probe=short)
    assert sum(half.labels for half in halves) == whole.labels
    assert all(0 < half.labels < whole.labels for half in halves)


def test_fusion_does_not_matter(arguments):
    short = Probe((1,), 1e-2)
    plain, fused = (
        code_length(arguments("udpos", fusion=fusion, carry_fusion=True), probe=short) for fusion in ("none", "aif")
    )
    assert plain == fused


def test_tasks_of_the_same_sentences_have_the_same_portions(arguments):
    short = Probe((1,), 1e-2)
    found = [code_length(arguments(task), seed=4, probe=short) for task in ("uddep-upos", "uddep-direction", "uddep")]
    sizes = [[(portion.sentences, portion.labels) for portion in one.portions] for one in found]
    assert sizes[0] == sizes[1] == sizes[2]


def test_as_json():
    found = CodeLength("udpos", "e", 3, PROBE, (Portion(1, 4, 16.0, 16.0, 0), Portion(2, 8, 8.0, 32.0, 4)))
    values = found.as_dict()
    assert json.loads(json.dumps(values)) == values
    assert (values["bits"], values["labels"], values["bits_per_label"]) == (24.0, 12, 2.0)
    assert (values["uniform_bits"], values["compression"]) == (48.0, 2.0)
    assert values["portions"][1] == {"sentences": 2, "labels": 8, "bits": 8.0, "uniform_bits": 32.0, "epochs": 4}
    assert values["probe"]["learning_rate"] == PROBE.learning_rate
