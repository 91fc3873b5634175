"""The mean of finished runs: as averaged by hand, a run like any other, and what has no mean."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from modeling_dlfa import predict
from modeling_dlfa.__main__ import main as dlfa
from modeling_dlfa.errors import InputError
from modeling_dlfa.training import average_runs
from modeling_dlfa.training import run as run_module
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.average_runs import average
from modeling_dlfa.training.results import RunResults


@pytest.fixture(scope="module")
def runs(argv, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Path]]:
    """runs(task, flags): two runs with seeds 3 and 4; not to be written to."""
    made: dict[str, list[Path]] = {}

    def build(task: str, flags: str = "") -> list[Path]:
        key = f"{task} {flags}"
        if key not in made:
            folder = tmp_path_factory.mktemp("runs")
            made[key] = [folder / str(seed) for seed in (3, 4)]
            for path in made[key]:
                assert main(argv(task, path, f"--languages en,de --seed {path.name} --max_dev_samples 9 {flags}")) == 0
        return made[key]

    return build


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        ("pawsx", ""),
        ("panx", '--train fusion --config_overrides {"aif_norm":"batch"}'),
        ("uddep", "--train top:1 --fusion none"),
        ("xquad", ""),
    ],
)
def test_the_mean_is_a_run_of_its_own(runs, tmp_path: Path, task: str, flags: str, capsys):
    given, output = runs(task, flags), tmp_path / "mean"
    assert dlfa(["average", *map(str, given), "--output_dir", str(output), "--use_cpu"]) == 0
    found, parts = (load_file(output / "model.safetensors"), [load_file(one / "model.safetensors") for one in given])
    assert not all(torch.equal(parts[0][name], parts[1][name]) for name in found)
    for name, tensor in found.items():
        by_hand = torch.stack([part[name].double() for part in parts]).mean(dim=0)
        expected = by_hand.to(tensor.dtype) if tensor.is_floating_point() else parts[0][name]
        torch.testing.assert_close(tensor, expected, rtol=0, atol=1e-7, msg=name)
    results, first = RunResults.load(output), RunResults.load(given[0])
    assert results.training == {**first.training, "selection": "mean of 2 runs, seeds 3, 4"}
    assert list(results.scores) == ["en", "de"] and results.support == first.support
    assert results.development_score is not None and results.used == first.used
    assert "selection: mean of 2 runs, seeds 3, 4" in (output / "README.md").read_text(encoding="utf-8")
    assert {path.name for path in output.iterdir()} == {path.name for path in given[0].iterdir()} - {"settings.json"}
    assert "zero-shot average" in capsys.readouterr().out
    assert len(predict(output, ["a1\tb2" if task in ("pawsx", "xquad") else "a1 b2"])) == 1


def test_the_mean_of_two_equal_runs_is_that_run(runs, tmp_path: Path):
    first = runs("pawsx")[0]
    shutil.copytree(first, tmp_path / "again")
    results, before = average([first, tmp_path / "again"], output_dir=tmp_path / "mean"), RunResults.load(first)
    assert (results.all_metrics, results.development_score) == (before.all_metrics, before.development_score)
    other = average(
        [first, tmp_path / "again"], output_dir=tmp_path / "other", languages="zh", eval_split="validation"
    )
    assert list(other.scores) == ["zh"] and other.eval_split == "validation"


def test_a_mean_that_was_killed_while_it_was_scored_goes_on(runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given, output = runs("pawsx"), tmp_path / "mean"

    def die(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(run_module, "score", die)
        with pytest.raises(KeyboardInterrupt):
            average(given, output_dir=output)
    assert (output / "model.safetensors").is_file() and not (output / "all_results.json").exists()
    monkeypatch.setattr(average_runs, "mean_of", None)  # it is there already
    assert average(given, output_dir=output).training["selection"].startswith("mean of 2 runs")
    with pytest.raises(InputError, match="holds a finished run"):
        average(given, output_dir=output)


def changed(folder: Path, place: Path, **values) -> Path:
    """A copy of a run, of which the results say something else."""
    shutil.copytree(folder, place)
    file = place / "all_results.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **values}), encoding="utf-8")
    return place


MEAN = "mean of 2 runs, seeds 3, 4"


def recipe(folder: Path, **values) -> dict:
    """The recipe of a run, of which the results say something else."""
    return {**RunResults.load(folder).training, **values}


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (lambda first, tmp: [], "expected two runs or more"),
        (lambda first, tmp: [first / "." / "."], "one run is named twice"),
        (lambda first, tmp: [tmp / "nowhere"], r"nowhere holds no finished run"),
        (lambda first, tmp: [changed(first, tmp / "x", fusion_layer=0)], "x: fusion_layer 0, .* has 2: expected"),
        (lambda first, tmp: [changed(first, tmp / "x", task="xnli")], "x: task xnli, .* has pawsx: expected runs"),
        (lambda first, tmp: [changed(first, tmp / "x", encoder="other")], "x: encoder other, "),
        (lambda first, tmp: [changed(first, tmp / "x", intermediate=[{"task": "uddep"}])], "x: intermediate "),
        (lambda first, tmp: [changed(first, tmp / "x", training=recipe(first, max_length=9))], "x: max_length 9, "),
        (lambda first, tmp: [changed(first, tmp / "x", training=recipe(first, prefix="a"))], "x: prefix a, "),
        (lambda first, tmp: [changed(first, tmp / "x", used={})], "x: fingerprint of the training data None"),
        (lambda first, tmp: [changed(first, tmp / "x", training=recipe(first, selection=MEAN))], "x is a mean of"),
    ],
)  # fmt: skip
def test_what_has_no_mean(runs, tmp_path: Path, others, message: str):
    first = runs("pawsx")[0]
    with pytest.raises(InputError, match=message):
        average([first, *others(first, tmp_path)], output_dir=tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
