"""Scripts of benchmarks/ in their smallest setting, and README's tables of what they wrote. No time is asserted."""

import json
from pathlib import Path

import pytest
import torch

from modeling_dlfa.errors import InputError
from tests.scripts import script


MODELS = ["plain", "none", "dlfa", "naive"]


overhead = script("benchmarks/overhead.py")


@pytest.fixture(scope="module")
def report(tiny_dropout_encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a run with two shapes and two rounds."""
    path = tmp_path_factory.mktemp("overhead") / "new" / "report.json"
    shapes = ["--batch_sizes", "2", "--lengths", "8", "32", "--rounds", "2", "--seconds", "0", "--threads", "1"]
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overhead, "keep_freed_memory", lambda: None)  # it would last for all tests
        overhead.main(["--encoder", tiny_dropout_encoder, *shapes, "--output", str(path)])
    torch.set_num_threads(threads)
    return path


def test_report(report: Path):
    found = json.loads(report.read_text("utf-8"))
    assert [path.name for path in report.parent.iterdir()] == ["report.json"]
    assert (found["encoder"], found["fusion_layer"], found["encoder_layers"]) == ("tiny-encoder", 2, 3)
    assert found["threads"] == 1 and found["device_name"] and found["versions"]["torch"] == torch.__version__
    counts = found["parameters"]
    assert list(counts) == MODELS and counts["plain"] == counts["none"] < counts["dlfa"] == counts["naive"]

    groups: dict = {}
    for each in found["measurements"]:
        groups.setdefault((each["task"], each["batch_size"], each["length"]), []).append(each)
    assert list(groups) == [(task, 2, length) for length in (8, 32) for task in ("inference", "training")]
    for group in groups.values():
        assert [each["model"] for each in group] == MODELS
        assert group[0]["ratio"] == [1, 1, 1]
        for each in group:
            assert each["rounds"] == 2
            assert 0 < each["seconds"][0] <= each["seconds"][1] <= each["seconds"][2]
            assert 0 < each["ratio"][0] <= each["ratio"][1] <= each["ratio"][2]


def test_memory_is_counted_exactly(report: Path):
    """What DLFA keeps beside the plain encoder at inference is one layer; the naive model keeps more."""
    found = json.loads(report.read_text("utf-8"))
    extra = found["parameters"]["dlfa"] - found["parameters"]["plain"]
    for plain, none, dlfa, naive in zip(*[iter(found["measurements"])] * 4):
        weights = 4 * found["parameters"]["plain"]
        layer = 4 * 32 * plain["batch_size"] * plain["length"]
        positions = 2 * 8 * plain["batch_size"] * plain["length"]  # counted from the first real token
        assert 0 <= none["peak_bytes"] - plain["peak_bytes"] <= positions
        assert none["resident_bytes"] == plain["resident_bytes"]
        if plain["task"] == "inference":
            assert weights <= plain["resident_bytes"] < weights + 2000  # buffers: position ids
            assert dlfa["resident_bytes"] - plain["resident_bytes"] == 4 * extra
            assert 5 * layer < plain["peak_bytes"] - plain["resident_bytes"] < 40 * layer
            assert dlfa["peak_bytes"] - plain["peak_bytes"] <= 4 * extra + layer
            assert naive["peak_bytes"] > dlfa["peak_bytes"]
        else:  # AdamW's two averages, then the gradients
            assert 3 * weights <= plain["resident_bytes"] < 3 * weights + 3000
            assert plain["peak_bytes"] - plain["resident_bytes"] > weights


class Scripted:
    """Stands for a subject whose calls take the given seconds."""

    def __init__(self, *seconds: float):
        self.run = lambda task, batch: left.pop(0)
        self.resident_bytes = lambda task: 100
        left = list(seconds)


def test_ratios_are_within_a_round(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(overhead, "timed", lambda call, device: call())
    monkeypatch.setattr(overhead, "peak_bytes", lambda call, device: 7)
    subjects = {"plain": Scripted(1, 2, 4), "dlfa": Scripted(2, 2, 6)}
    batch = {"input_ids": torch.zeros(2, 5)}
    plain, dlfa = overhead.measure(subjects, "inference", batch, "cpu", rounds=3, seconds=0)
    assert (plain.rounds, plain.seconds, plain.ratio) == (3, [1.5, 2, 3], [1, 1, 1])
    assert (dlfa.rounds, dlfa.seconds, dlfa.ratio) == (3, [2, 2, 4], [1.25, 1.5, 1.75])
    assert (dlfa.batch_size, dlfa.length, dlfa.resident_bytes, dlfa.peak_bytes) == (2, 5, 100, 107)


def test_peak_memory_of_a_known_call():
    def call():
        first = torch.zeros(1000)
        second = first.clone()
        del first
        third = second.clone()
        del second, third

    assert overhead.peak_bytes(call, "cpu") == 8000


@pytest.mark.parametrize("model", ["none", "naive"])
def test_models_that_do_not_do_the_same_are_not_measured(model: str, tiny_encoder: str):
    models = overhead.build_models(tiny_encoder, "cpu")
    batch = overhead.make_batch(2, 8, 20, "cpu")
    overhead.check_models(models, batch, tiny_encoder)
    part = models["none"].classifier if model == "none" else models["naive"].local_branch.expand
    part.bias = torch.nn.Parameter(part.bias + 0.01)  # weights are shared
    with pytest.raises(InputError if model == "none" else RuntimeError):
        overhead.check_models(models, batch, tiny_encoder)


def test_too_long_for_the_encoder(tiny_encoder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(overhead, "keep_freed_memory", lambda: None)
    with pytest.raises(InputError, match="--lengths 65: .* has 64 positions"):
        overhead.main(
            ["--encoder", tiny_encoder, "--threads", "1", "--lengths", "65", "--output", str(tmp_path / "report.json")]
        )
    assert not list(tmp_path.iterdir())


def test_table(report: Path):
    found = json.loads(report.read_text("utf-8"))
    found["versions"] |= {"torch": "2.0", "transformers": "5.0"}
    found["device_name"] = "a processor"
    for number, each in enumerate(found["measurements"]):
        each["seconds"][1] = 0.1 + 0.01 * number
        each["ratio"][1] = 1 + 0.01 * number
        each["peak_bytes"] = 100_000_000 + 1_000_000 * number
    found["parameters"] = {"plain": 10_000_000, "none": 10_000_000, "dlfa": 10_050_000, "naive": 10_060_000}
    report.with_name("changed.json").write_text(json.dumps(found), "utf-8")
    assert script("results/tables.py").overhead(report.with_name("changed.json")).splitlines() == [
        '|  | batch × tokens | plain | `fusion="none"` | DLFA k=2 | naive DLFA |',
        "| --- | --- | ---: | ---: | ---: | ---: |",
        "| parameters, M |  | 10 | 1.000 | 1.005 | 1.006 |",
        "| inference, ms | 2 × 8 | 100 | 1.010 | 1.020 | 1.030 |",
        "| inference, ms | 2 × 32 | 180 | 1.090 | 1.100 | 1.110 |",
        "| inference, peak memory, MB | 2 × 8 | 100 | 1.010 | 1.020 | 1.030 |",
        "| inference, peak memory, MB | 2 × 32 | 108 | 1.009 | 1.019 | 1.028 |",
        "| training, ms | 2 × 8 | 140 | 1.050 | 1.060 | 1.070 |",
        "| training, ms | 2 × 32 | 220 | 1.130 | 1.140 | 1.150 |",
        "| training, peak memory, MB | 2 × 8 | 104 | 1.010 | 1.019 | 1.029 |",
        "| training, peak memory, MB | 2 × 32 | 112 | 1.009 | 1.018 | 1.027 |",
        "",
        "`tiny-encoder` (3 layers) on a processor, threads: 1; torch 2.0, transformers 5.0; medians of 2 to 2 rounds.",
    ]


def test_cost_of_fusions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Parameters by hand, a share of time for each, and the table of the file."""
    fusions = script("benchmarks/fusions.py")
    monkeypatch.setattr(fusions, "keep_freed_memory", lambda: None)
    path = tmp_path / "new" / "fusions.json"
    sizes = ["--widths", "32", "64", "--batch_size", "2", "--length", "8", "--rounds", "2", "--threads", "1"]
    threads = torch.get_num_threads()
    fusions.main([*sizes, "--output", str(path)])
    torch.set_num_threads(threads)
    found = json.loads(path.read_text("utf-8"))
    assert [*found["seconds"]] == ["32", "64"] and min(found["seconds"].values()) > 0
    counts = {(cost["width"], cost["fusion"]): cost["parameters"] for cost in found["costs"]}
    for width in (32, 64):
        inner = width // 4
        branch = width * inner + inner + 2 * inner + inner * width + width
        state = 2 * width + width * inner + inner + inner * inner + inner + inner * width + width
        expected = {"sum": 0, "layer": 0, "scalar_mix": 2, "mix_all": 14, "concat": 2 * width * width + width}
        expected |= dict.fromkeys(("aif", "aif_last", "aif_layer", "aif, two layers"), 2 * branch)
        expected["dwatt"] = 13 * state + 2 * width + width * inner + inner
        assert {name: counts[width, name] for name in expected} == expected  # other tests may have registered more
    assert all(0 < cost["share"][0] <= cost["share"][1] <= cost["share"][2] for cost in found["costs"])
    table = script("results/tables.py").fusions(path).splitlines()
    assert table[0] == "| fusion | parameters, E = 32 | time | parameters, E = 64 | time |"
    assert len(table) == 2 + len(fusions.CASES) + 2 and table[2].startswith("| `aif` | 1,136 | ")
