"""benchmarks/sweep.py in its smallest setting, and the sentence of what it wrote. No time is asserted."""

import json
from pathlib import Path

import pytest
import torch

from tests.conftest import write_tiny_encoder
from tests.scripts import script


sweep, tables = script("benchmarks/sweep.py"), script("results/tables.py")
COUNTS = {"train_rows": 9, "epochs": 1, "scored_rows": 2, "languages": 3, "rounds": 2, "threads": 1}
SMALL = [part for name, count in COUNTS.items() for part in (f"--{name}", str(count))]


def test_a_report_is_written_and_told(
    xtreme_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sweep, "keep_freed_memory", lambda: None)  # it would last for all tests
    encoder = write_tiny_encoder(tmp_path / "tiny", dropout=0.0, positions=128)
    file, threads = tmp_path / "report.json", torch.get_num_threads()
    sweep.main(["--data", str(xtreme_folder), "--encoder", encoder, *SMALL, "--output", str(file)])
    torch.set_num_threads(threads)
    report = json.loads(file.read_text("utf-8"))
    assert (report["train_rows"], report["languages"], report["layers"], report["seeds"]) == (9, 3, 3, 5)
    assert report["tokens"] > 9 and report["rounds"] == 2
    for name in ("states_seconds", "run_seconds", "ordinary_seconds", "sweep_ratio", "pass_ratio"):
        assert len(report[name]) == 3 and sorted(report[name]) == report[name] and report[name][0] > 0
    assert report["pass_ratio"][1] > 1
    printed = capsys.readouterr().out
    assert all(printed.count(f"{name}: ") == 2 for name in ("states", "run", "ordinary"))
    said = tables.sweep(file)
    assert f"{report['sweep_ratio'][1]:.1f} times" in said and "3 layers" in said and "5 seeds" in said


@pytest.mark.parametrize("flags", [["--rounds", "0"], ["--languages", "0"], ["--threads", "0"]])
def test_counts_are_above_nothing(flags: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        sweep.main(["--data", "unused", *flags])
    assert "expected whole numbers above 0" in capsys.readouterr().err
