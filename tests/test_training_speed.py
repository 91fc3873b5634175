"""benchmarks/training.py in its smallest setting, and the table of what it wrote. No time is asserted."""

import json
import random
from pathlib import Path

import pytest
import torch

from tests.conftest import write_tiny_encoder
from tests.scripts import script


training = script("benchmarks/training.py")
SMALL = ["--tasks", "panx", "xnli", "--train_rows", "40", "--scored_rows", "7", "--languages", "3", "--threads", "1"]
LOOPS = ["xtreme", "plain", "ours"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny encoder that reads 128 pieces, as XTREME pads to."""
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny", dropout=0.0, positions=128)


@pytest.fixture(scope="module")
def made(tiny: str, xtreme_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files of a run that counts, and of one that measures."""
    folder, threads = tmp_path_factory.mktemp("speed"), torch.get_num_threads()
    files = {"count": folder / "new" / "count.json", "time": folder / "time.json"}
    start = ["--data", str(xtreme_folder), "--encoder", tiny, *SMALL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "keep_freed_memory", lambda: None)  # it would last for all tests
        training.main([*start, "--count", "--output", str(files["count"])])
        training.main([*start, "--rounds", "2", "--tokens", "300", "--output", str(files["time"])])
    torch.set_num_threads(threads)
    return files


def measurements(path: Path) -> list[dict]:
    return json.loads(path.read_text("utf-8"))["measurements"]


def test_what_is_counted(made: dict[str, Path]):
    found = measurements(made["count"])
    assert [(each["task"], each["phase"], each["loop"]) for each in found] == [
        (task, phase, loop) for task in ("panx", "xnli") for phase in ("training", "scoring") for loop in LOOPS
    ]
    for xtreme, plain, ours in zip(*[iter(found)] * 3):
        assert len({(each["rows"], each["tokens"], each["languages"]) for each in (xtreme, plain, ours)}) == 1
        assert xtreme["padded_tokens"] == 128 * xtreme["rows"]
        assert ours["tokens"] <= min(ours["padded_tokens"], plain["padded_tokens"])
        assert max(ours["padded_tokens"], plain["padded_tokens"]) <= xtreme["padded_tokens"]
        for each in (xtreme, plain, ours):
            assert each["padding"] == pytest.approx(1 - each["tokens"] / each["padded_tokens"])
            assert (each["rounds"], each["seconds"], each["ratio"]) == (0, [], [])
        if ours["phase"] == "training":
            assert xtreme["steps"] == plain["steps"] == ours["steps"] == -(-ours["rows"] // 32)
        else:
            assert ours["languages"] == 3 and ours["rows"] >= 21 and ours["steps"] < plain["steps"]


def test_what_is_measured(made: dict[str, Path]):
    counted, timed = measurements(made["count"]), measurements(made["time"])
    for before, each in zip(counted, timed, strict=True):
        assert before == {**each, "rounds": 0, "seconds": [], "ratio": []}
        assert each["rounds"] == 2
        assert 0 < each["seconds"][0] <= each["seconds"][1] <= each["seconds"][2]
        assert each["ratio"] == [1, 1, 1] if each["loop"] == "ours" else 0 < each["ratio"][0] <= each["ratio"][2]


def test_no_row_is_read_twice_or_left_out(tiny: str, xtreme_folder: Path, tmp_path: Path):
    """Every loop's batches, put together, hold the same tokens."""
    parser_args = ["--data", str(xtreme_folder), "--encoder", tiny, *SMALL, "--tasks", "panx"]
    args = training.argument_parser().parse_args(parser_args)
    _, languages, by_phase = training.plans("panx", args, str(tmp_path / "out"))
    assert languages == 3
    for by_loop in by_phase.values():
        tokens = {}
        for loop, plan in by_loop.items():
            batches = [make() for step in plan.steps for make in step]
            rows = [
                row[mask.bool()].tolist() for b in batches for row, mask in zip(b["input_ids"], b["attention_mask"])
            ]
            assert sum(b["input_ids"].numel() for b in batches) == sum(plan.padded)
            if loop == "xtreme":
                assert {b[name].shape[1] for b in batches for name in ("input_ids", "labels")} == {128}
            tokens[loop] = sorted(rows)
        assert tokens["xtreme"] == tokens["plain"] == tokens["ours"]


def test_samples_are_spread_over_lengths():
    steps = [[(lambda: {})] for _ in range(100)]
    plan = training.Plan(steps, [10 * (place % 10) + 10 for place in range(100)], 4000, 100)
    assert plan.padding == pytest.approx(1 - 4000 / 5500)
    places = {id(step): place for place, step in enumerate(steps)}
    for seed in range(5):
        taken = [places[id(step)] for step in plan.sample(550, random.Random(seed))]
        assert len(taken) == 10 and sorted(place % 10 for place in taken) == list(range(10))


def test_table(made: dict[str, Path], tmp_path: Path):
    tables = script("results/tables.py")
    lines = tables.training_speed(made["time"]).splitlines()
    assert [line.split(" | ")[:2] for line in lines[2:6]] == [
        ["| panx", "training"], ["| panx", "scoring"], ["| xnli", "training"], ["| xnli", "scoring"]
    ]  # fmt: skip
    found = {(each["phase"], each["loop"]): each for each in measurements(made["time"])[:3]}
    cells = [cell.strip() for cell in lines[2].strip("| ").split("|")]
    ours = found["training", "ours"]
    assert cells[3:6] == [f"{found['training', loop]['padding']:.0%}" for loop in LOOPS]
    assert cells[6] == f"{128 * ours['rows'] / ours['padded_tokens']:.1f}"
    assert cells[9:] == [f"{found['training', loop]['ratio'][1]:.2f}" for loop in LOOPS[:2]]
    assert "medians of 2 rounds" in lines[-1] and "float32" in lines[-1]
    assert tables.training_speed(made["count"]).count("–") == 12


def test_refusals(tiny: str, xtreme_folder: Path, capsys):
    with pytest.raises(SystemExit):
        training.main(["--data", str(xtreme_folder), "--encoder", tiny, "--rounds", "0"])
    assert "expected whole numbers above 0" in capsys.readouterr().err
