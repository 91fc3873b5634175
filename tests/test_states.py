"""Hidden states on disk: models that read them answer as ordinary ones, and no mishap leaves a wrong file."""

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_dlfa import (
    DLFAConfig,
    DLFAForDependencyParsing,
    DLFAForMultipleChoice,
    DLFAForQuestionAnswering,
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
)
from modeling_dlfa import states as states_module
from modeling_dlfa.errors import InputError
from modeling_dlfa.known_states import RowsOfStates, StatesCollator
from modeling_dlfa.modeling_dlfa import states_read
from modeling_dlfa.states import GB, StatesCache, weights_hash
from modeling_dlfa.tasks.choice_rows import ChoicesCollator
from modeling_dlfa.training.regimes import encoder_of, without_encoder
from tests import forks
from tests.conftest import FAMILIES
from tests.tiny_tokenizers import wordpiece


HEADS = {
    "pairs": DLFAForSequenceClassification,
    "tags": DLFAForTokenClassification,
    "trees": DLFAForDependencyParsing,
    "answers": DLFAForQuestionAnswering,
}
FUSIONS: dict[str, dict[str, Any]] = {
    "aif": {"fusion": "aif", "fusion_layer": 1},
    "several": {"fusion": "aif", "fusion_layer": [0, 2]},
    "none": {"fusion": "none"},
    "all": {"fusion": "mix_all"},
    "normed": {"fusion": "aif", "fusion_layer": 1, "input_norm": "layer"},
}
LENGTHS = (5, 9, 3, 9, 1, 7)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return wordpiece(list("abcdefgh"))


def rows(lengths: tuple[int, ...] = LENGTHS, seed: int = 0) -> Dataset:
    draw = np.random.default_rng(seed)
    return Dataset.from_dict({"input_ids": [draw.integers(5, 12, length).tolist() for length in lengths]})


@pytest.fixture(scope="module")
def model_of(tiny_config) -> Callable[..., Any]:
    """model_of(kind, family, **config): a random model in evaluation mode."""

    def build(kind: str = "tags", family: str = "bert", **config: Any) -> Any:
        torch.manual_seed(0)
        options = {"num_labels": 5, "identity_init": False, **(config or FUSIONS["aif"])}
        return HEADS[kind](DLFAConfig(encoder_config=tiny_config(family), **options)).eval()

    return build


def at(known: RowsOfStates, rows: Sequence[int], length: int, layer: int) -> torch.Tensor:
    """Of a layer that is kept."""
    states = known.batch(rows, length)[layer]
    assert states is not None
    return states


def inputs_of(kind: str, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a head needs beside the encoder's inputs."""
    if kind != "trees":
        return {}
    mask = batch["attention_mask"]
    return {"word_positions": torch.arange(mask.shape[1]).expand(mask.shape).masked_fill(mask == 0, -1)}


def logits_of(kind: str, output: Any) -> list[torch.Tensor]:
    names = {"trees": ("arc_logits", "relation_logits"), "answers": ("start_logits", "end_logits")}
    return [output[name] for name in names.get(kind, ("logits",))]


@pytest.mark.crossed("family", "kind", "fusion")
@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_the_ordinary_model(model_of, tokenizer, tmp_path: Path, family, kind, fusion):
    model, dataset = model_of(kind, family, **FUSIONS[fusion]), rows()
    attends = encoder_of(model).config._attn_implementation
    batches = [[0, 1, 2], [3, 4, 5]]
    expected = []
    for places in batches:  # before anything is made of the model's configuration
        ids = tokenizer.pad(dataset[places], return_tensors="pt")
        with torch.no_grad():
            expected.append(logits_of(kind, model(**ids, **inputs_of(kind, ids))))
    known = StatesCache(tmp_path).states(encoder_of(model), {"a": dataset}, tokenizer, states_read(model.config))
    dataset = dataset.add_column("states", list(known.numbers(0)))  # pyright: ignore[reportCallIssue]
    collate = StatesCollator(lambda batch: tokenizer.pad(batch, return_tensors="pt"), known)
    twin = without_encoder(model)
    assert encoder_of(model).config._attn_implementation == attends
    of_encoder = {id(parameter) for parameter in encoder_of(model).parameters()}
    assert not of_encoder & {id(parameter) for parameter in twin.parameters()}
    for places, of_model in zip(batches, expected, strict=True):
        batch = collate([dataset[place] for place in places])
        mask, states = batch["attention_mask"], batch["states"]
        with torch.no_grad():
            found = logits_of(kind, twin(attention_mask=mask, states=states, **inputs_of(kind, batch)))
        for one, other in zip(of_model, found, strict=True):
            if kind == "answers":
                assert (other[~mask.bool()] == torch.finfo(other.dtype).min).all()
            if kind != "pairs":  # what is said of padding is not read
                one, other = one[mask.bool()], other[mask.bool()]
            torch.testing.assert_close(other, one, rtol=2e-2, atol=2e-2)


def test_states_are_those_of_the_encoder_to_sixteen_bits(model_of, tokenizer, tmp_path: Path):
    encoder, dataset = encoder_of(model_of()), rows()
    known = StatesCache(tmp_path).states(encoder, {"a": dataset}, tokenizer, [0, 2, 3])
    assert known.batch([3, 0], 9)[1] is None
    states = {layer: at(known, [3, 0], 9, layer) for layer in (0, 2, 3)}
    with torch.no_grad():
        for place, row in enumerate((3, 0)):
            output = encoder(torch.tensor([dataset[row]["input_ids"]]), output_hidden_states=True)
            for layer, of_layer in ((0, output.hidden_states[0]), (2, output.hidden_states[2])):
                length = of_layer.shape[1]
                torch.testing.assert_close(states[layer][place, :length], of_layer[0], rtol=1e-3, atol=2e-3)
                assert not states[layer][place, length:].any()
            torch.testing.assert_close(states[3][place, :length], output.last_hidden_state[0], rtol=1e-3, atol=2e-3)


@pytest.fixture
def computed(monkeypatch) -> list[list[int]]:
    """The layers of every set that is computed, in order."""
    found: list[list[int]] = []

    def write(model, one, dataset, tokenizer, folder, layers, *more, original=states_module._write):
        found.append(list(layers))
        original(model, one, dataset, tokenizer, folder, layers, *more)

    monkeypatch.setattr(states_module, "_write", write)
    return found


def test_nothing_is_computed_twice_and_only_what_is_missing(model_of, tokenizer, tmp_path: Path, computed):
    encoder, cache = encoder_of(model_of()), StatesCache(tmp_path)
    sets = {"a": rows(), "b": rows((2, 4), seed=1), "the same as b": rows((2, 4), seed=1), "empty": rows(())}
    cache.states(encoder, sets, tokenizer, [1, 3])
    assert computed == [[1, 3], [1, 3]]
    cache.states(encoder, sets, tokenizer, [1, 3])
    cache.states(encoder, {"by another name": rows()}, tokenizer, [3], also=[0, 1, 2, 3])
    assert len(computed) == 2
    cache.states(encoder, {"a": rows()}, tokenizer, [2], also=[0, 1, 2, 3])
    assert computed[2:] == [[0, 2]]
    kept = {one.name.split(" (")[0]: layers for one, layers in cache.sets()}
    assert kept == {"a": [0, 1, 2, 3], "b": [1, 3]}
    tokens = 4 * sum(LENGTHS) + 2 * 6
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.f16")) == tokens * 32 * 2


@pytest.mark.parametrize("change", ["weights", "rows", "order", "types", "precision"])
def test_what_decides_the_states_is_part_of_their_key(model_of, tokenizer, tmp_path: Path, computed, change):
    encoder, dataset, cache = encoder_of(model_of()), rows(), StatesCache(tmp_path)
    cache.states(encoder, {"a": dataset}, tokenizer, [3])
    autocast = None
    if change == "weights":
        with torch.no_grad():
            next(encoder.parameters())[0, 0] += 1e-3
    elif change == "rows":
        dataset = rows(seed=1)
    elif change == "order":
        dataset = dataset.select([1, 0, 2, 3, 4, 5])
    elif change == "types":
        types = [[0] * (length - 1) + [1] for length in LENGTHS]
        dataset = dataset.add_column("token_type_ids", types)  # pyright: ignore[reportCallIssue]
    else:
        autocast = torch.bfloat16
    cache.states(encoder, {"a": dataset}, tokenizer, [3], autocast=autocast)
    assert len(computed) == 2


def test_the_hash_of_weights(model_of):
    encoder = encoder_of(model_of())
    before = weights_hash(encoder)
    assert before == weights_hash(encoder_of(model_of()))
    encoder.config._name_or_path = "elsewhere"
    assert weights_hash(encoder) == before
    encoder.config.hidden_act = "relu"
    assert weights_hash(encoder) != before


def test_the_limit_is_kept_and_says_what_it_would_take(model_of, tokenizer, tmp_path: Path, computed, monkeypatch):
    encoder = encoder_of(model_of())
    needed = 2 * sum(LENGTHS) * 32 * 2
    cache = StatesCache(tmp_path, limit=needed + 2000)  # beside them is what says which they are
    cache.states(encoder, {"a": rows()}, tokenizer, [1, 3])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        InputError, match=r"2 layers for 34 tokens take 0.00 GB more, .*--states_limit.*dlfa cache --clear"
    ):
        cache.states(encoder, {"b": rows(seed=1)}, tokenizer, [1, 3])
    assert sorted(tmp_path.rglob("*")) == before
    cache.states(encoder, {"a": rows()}, tokenizer, [1, 3])  # what is there is still read
    assert len(computed) == 1
    monkeypatch.setattr(states_module.shutil, "disk_usage", lambda _: type("usage", (), {"free": 10})())
    with pytest.raises(InputError, match="the disk of .* has 0.00 GB left: give another --states_dir"):
        StatesCache(tmp_path).states(encoder, {"b": rows(seed=1)}, tokenizer, [1, 3])


def test_what_another_process_has_half_written_of_a_set_counts_once(model_of, tokenizer, tmp_path: Path):
    encoder = encoder_of(model_of())
    StatesCache(tmp_path / "elsewhere").states(encoder, {"a": rows()}, tokenizer, [3])
    ((one, _),) = StatesCache(tmp_path / "elsewhere").sets()
    half_written = tmp_path / "here" / one.key / ".layer-03.f16.tmp"
    half_written.parent.mkdir(parents=True)
    half_written.write_bytes(bytes(one.layer_bytes))
    cache = StatesCache(tmp_path / "here", limit=one.layer_bytes + 100)
    known = cache.states(encoder, {"a": rows()}, tokenizer, [3])
    assert at(known, [1], 9, 3).any() and not half_written.exists()


@pytest.mark.parametrize(("place", "name"), [(states_module, "_check_range"), (states_module.os, "posix_fallocate")])
def test_a_full_disk_is_one_line_and_leaves_no_half_file(
    model_of, tokenizer, tmp_path: Path, monkeypatch, place: Any, name: str
):
    """Whether it is full before a file is written, or only then."""
    encoder = encoder_of(model_of())

    def full(*_: Any):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place, name, full)
    with pytest.raises(InputError, match=r"cannot keep hidden states in .*No space left on device"):
        StatesCache(tmp_path).states(encoder, {"a": rows()}, tokenizer, [3])
    assert not list(tmp_path.rglob("*.f16*"))


def test_states_that_sixteen_bits_do_not_hold_are_refused(model_of, tokenizer, tmp_path: Path):
    encoder = encoder_of(model_of())
    with torch.no_grad():
        cast(Any, encoder).encoder.layer[-1].output.LayerNorm.bias.fill_(1e5)
    with pytest.raises(InputError, match="hidden states of layer 3 reach 100"):
        StatesCache(tmp_path).states(encoder, {"a": rows()}, tokenizer, [3])
    assert not list(tmp_path.rglob("*.f16*"))


KILLED = """
import os, signal, sys
import torch
from modeling_dlfa import states
from tests.test_states import rows, wordpiece

def stop(values, layer):
    if layer == 3:
        os.kill(os.getpid(), signal.SIGKILL)

states._check_range = stop
encoder = torch.load(sys.argv[1], weights_only=False)
states.StatesCache(sys.argv[2]).states(encoder, {"a": rows()}, wordpiece(list("abcdefgh")), [1, 3])
"""


def test_a_killed_process_leaves_nothing_that_is_taken_for_whole(model_of, tokenizer, tmp_path: Path, computed):
    encoder = encoder_of(model_of())
    torch.save(encoder, tmp_path / "encoder.pt")
    folder = tmp_path / "states"
    here = Path(__file__).parents[1]
    done = forks.run(["-c", KILLED, tmp_path / "encoder.pt", folder], cwd=here)
    assert done.returncode == -9, done.stderr
    assert list(folder.rglob(".*.tmp")) and not list(folder.rglob("layer-*"))
    known = StatesCache(folder).states(encoder, {"a": rows()}, tokenizer, [1, 3])
    assert computed == [[1, 3]] and not list(folder.rglob(".*.tmp"))
    assert at(known, [1], 9, 3).any()


def test_states_of_several_sets_are_numbered_through_and_travel(model_of, tokenizer, tmp_path: Path):
    encoder = encoder_of(model_of())
    sets = {"a": rows((3, 2)), "none": rows(()), "b": rows((4,), seed=1)}
    known = StatesCache(tmp_path).states(encoder, sets, tokenizer, [3])
    assert [list(known.numbers(place)) for place in range(3)] == [[0, 1], [], [2]]
    alone = StatesCache(tmp_path).states(encoder, {"b": sets["b"]}, tokenizer, [3])
    for one in (known, pickle.loads(pickle.dumps(known))):
        assert torch.equal(at(one, [2], 4, 3), at(alone, [0], 4, 3))


def test_moments_are_those_of_all_tokens(model_of, tokenizer, tmp_path: Path):
    encoder = encoder_of(model_of())
    known = StatesCache(tmp_path).states(encoder, {"a": rows()}, tokenizer, [1, 3])
    states = {layer: at(known, range(len(LENGTHS)), 9, layer) for layer in (1, 3)}
    real = torch.arange(9) < torch.tensor(LENGTHS).unsqueeze(1)
    mean, deviation = known.moments(0)
    for place, layer in enumerate((1, 3)):
        torch.testing.assert_close(mean[place], states[layer][real].double().mean(dim=0))
        torch.testing.assert_close(deviation[place], states[layer][real].double().std(dim=0, correction=0))


def test_clearing_takes_away_what_is_named(model_of, tokenizer, tmp_path: Path):
    cache = StatesCache(tmp_path)
    cache.states(encoder_of(model_of()), {"a": rows(), "b": rows(seed=1)}, tokenizer, [3])
    (first, _), (second, _) = cache.sets()
    assert cache.clear([first.key]) > first.layer_bytes
    assert [one.key for one, _ in cache.sets()] == [second.key]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "results.txt").write_text("a folder of somebody else's")
    assert cache.clear() > 0 and cache.size() == 0 and not cache.sets()
    assert [path.name for path in tmp_path.rglob("*")] == ["runs", "results.txt"]
    assert json.dumps(cache.limit) == json.dumps(20 * GB)


def test_states_that_are_read_can_be_cleared(model_of, tokenizer, tmp_path: Path):
    cache = StatesCache(tmp_path)
    known = cache.states(encoder_of(model_of()), {"a": rows()}, tokenizer, [3])
    cache.clear()
    assert at(known, [1], 9, 3).any()


def test_states_that_are_cleared_while_others_are_computed_are_computed_too(
    model_of, tokenizer, tmp_path: Path, monkeypatch
):
    cache, encoder = StatesCache(tmp_path), encoder_of(model_of())
    first = cache.states(encoder, {"a": rows()}, tokenizer, [3])
    compute = StatesCache._compute

    def cleared(self, *arguments) -> bool:
        monkeypatch.setattr(StatesCache, "_compute", compute)
        self.clear()
        return compute(self, *arguments)

    monkeypatch.setattr(StatesCache, "_compute", cleared)
    known = cache.states(encoder, {"a": rows(), "b": rows(seed=1)}, tokenizer, [3])
    torch.testing.assert_close(at(known, [1], 9, 3), at(first, [1], 9, 3))
    assert len(cache.sets()) == 2


@pytest.mark.parametrize("fusion", FUSIONS)
@torch.no_grad()
def test_rows_of_several_sequences(tiny_config, tokenizer, tmp_path: Path, fusion):
    """Choices: the states of each are kept, and a batch has them as the model reads choices."""
    torch.manual_seed(0)
    config = DLFAConfig(encoder_config=tiny_config(), identity_init=False, **FUSIONS[fusion])
    model: Any = DLFAForMultipleChoice(config).eval()
    flat = rows()["input_ids"][:]
    dataset = Dataset.from_dict({"input_ids": [flat[:3], flat[3:5], flat[4:]]})
    known = StatesCache(tmp_path).states(encoder_of(model), {"a": dataset}, tokenizer, range(4))
    assert known.sets[0].lengths == (5, 9, 3, 9, 1, 1, 7)
    collate = ChoicesCollator(tokenizer)
    numbers = [[0, 1, 2], [3, 4], [5, 6]]
    given = [{**row, "states": places} for row, places in zip(dataset.to_list(), numbers, strict=True)]
    batch = StatesCollator(collate, known)(given)
    expected = model(**collate(dataset.to_list())).logits
    assert expected.shape == (3, 3)
    torch.testing.assert_close(without_encoder(model)(**batch).logits, expected, rtol=2e-2, atol=2e-3)
