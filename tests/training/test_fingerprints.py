"""The words of a command stay the same when files change: what was used decides what is the same run."""

import json
import os
import shutil
from pathlib import Path

import pytest
from datasets import Dataset, concatenate_datasets
from safetensors.torch import load_file, save_file

from modeling_dlfa import files
from modeling_dlfa.data.rows import rows_hash
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.errors import InputError
from modeling_dlfa.files import content_hash
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.fingerprints import of_encoder, used
from modeling_dlfa.training.noted import as_noted, first_difference, same_settings
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.stages import plan_stages


@pytest.fixture
def place(tmp_path: Path, tiny_encoder: str, xtreme_folder: Path) -> Path:
    """Copies of encoder and data that a test may change."""
    shutil.copytree(tiny_encoder, tmp_path / "encoder")
    shutil.copytree(xtreme_folder, tmp_path / "data")
    return tmp_path


@pytest.fixture
def line(argv, place: Path):
    """line(output, flags): a command on the copies."""

    def build(output: str = "out", flags: str = "", task: str = "udpos") -> list[str]:
        own = f"--model_name_or_path {place / 'encoder'} --data {place / 'data'} --num_train_epochs 1 {flags}"
        return argv(task, place / output, own)

    return build


def swap_labels(path: Path) -> None:
    """Another file of the same size."""
    text = path.read_text(encoding="utf-8")
    swapped = text.replace("\tNOUN", "\t????").replace("\tVERB", "\tNOUN").replace("\t????", "\tVERB")
    assert swapped != text and len(swapped) == len(text)
    path.write_text(swapped, encoding="utf-8")


def change_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights[min(weights)] += 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def change_config(folder: Path) -> None:
    values = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**values, "hidden_dropout_prob": 0.3}))


def touch(path: Path) -> None:
    path.write_bytes(path.read_bytes())


CHANGES = {
    "training labels": (lambda place: swap_labels(place / "data/udpos/train-en.tsv"), ["training data"]),
    "development labels": (lambda place: swap_labels(place / "data/udpos/dev-en.tsv"), ["development data"]),
    "labels of a test file": (lambda place: swap_labels(place / "data/udpos/test-de.tsv"), ["scored data in de"]),
    "a test file that is not asked for": (lambda place: swap_labels(place / "data/udpos/test-ru.tsv"), []),
    "a weight": (lambda place: change_a_weight(place / "encoder"), ["encoder"]),
    "the configuration": (lambda place: change_config(place / "encoder"), ["encoder"]),
    "the tokenizer": (lambda place: (place / "encoder/tokenizer.json").open("a").write("\n"), ["tokenizer"]),
    "another file": (lambda place: (place / "encoder/notes.md").write_text("x"), []),
    "the time of a file": (lambda place: touch(place / "data/udpos/train-en.tsv"), []),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_with_what(place: Path, line, change: str):
    arguments, training = CommandLine(line(flags="--languages en,de")).arguments("udpos", "none", "unused")
    before = used(arguments, training_arguments=training)
    assert before["global batch"] == 8 and len(before) == 7
    make, expected = CHANGES[change]
    make(place)
    now = used(arguments, training_arguments=training)
    assert [name for name in now if now[name] != before[name]] == expected and now.keys() == before.keys()
    difference = first_difference(before, now)
    assert difference == (None if not expected else (expected[0], before[expected[0]], now[expected[0]]))


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    path.write_text("one")
    status, first = path.stat(), content_hash(path)
    monkeypatch.setattr(files, "open", None, raising=False)
    assert content_hash(path) == first
    monkeypatch.undo()
    path.write_text("two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as some copying tools do
    assert content_hash(path) != first


@pytest.mark.parametrize("data", ["sample", "folder"])
@pytest.mark.parametrize("task", ["xnli", "panx", "uddep"])
def test_a_fingerprint_is_that_of_split_and_language(xtreme_folder: Path, task: str, data: str):
    source, of_task = open_source("sample" if data == "sample" else str(xtreme_folder)), get_task(task)
    asked = [("train", "en"), ("validation", "en"), ("test", "en"), ("test", "de")]
    found = [source.fingerprint(of_task, *one) for one in asked]
    assert len(set(found)) == 4 and found == [source.fingerprint(of_task, *one) for one in asked]
    with pytest.raises(InputError, match="no train data for 'de'"):
        source.fingerprint(of_task, "train", "de")


def test_rows_go_by_their_values():
    rows = Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, 0]})
    pieces = concatenate_datasets([rows.select([0]), rows.select([1, 2])])
    assert rows_hash(rows) == rows_hash(pieces) == rows_hash(rows.select([2, 1, 0]).select([2, 1, 0]))
    others = [rows.select([1, 0, 2]), rows.select([0, 1]), rows.rename_column("text", "word")]
    assert len({rows_hash(other) for other in (rows, *others)}) == 4


def test_results_say_what_was_used(place: Path, line):
    assert main(line(flags="--languages en,de --fusion none")) == 0
    arguments, training = CommandLine(line(flags="--languages en,de")).arguments("udpos", "none", "unused")
    assert RunResults.load(place / "out").used == used(arguments, training_arguments=training)
    scored = line("scored", "--languages ru --do_train false") + ["--model_name_or_path", str(place / "out")]
    assert main(scored) == 0
    now = RunResults.load(place / "scored").used
    assert {name for name in now if name.startswith("scored")} == {"scored data in ru"}
    assert now["training data"] == RunResults.load(place / "out").used["training data"]


@pytest.mark.parametrize("change", ["training labels", "a weight", "the tokenizer"])
def test_a_stage_of_other_data_is_not_taken(place: Path, line, change: str):
    """The words of the command are the same."""
    flags = '--intermediate_tasks udpos --fusion none --intermediate_arguments {"max_steps":1}'
    before = plan_stages(CommandLine(line(flags=flags, task="xnli")), "xnli", "none")[0]
    name = before.name
    CHANGES[change][0](place)
    now = plan_stages(CommandLine(line(flags=flags, task="xnli")), "xnli", "none")[0]
    assert now.settings == before.settings and now.name != name


def test_a_stage_is_trained_again_where_its_data_have_changed(place: Path, line):
    flags = "--intermediate_tasks udpos --fusion none --max_steps 1 --eval_strategy no"
    for output in ("first", "second"):
        assert main(line(output, flags, task="xnli")) == 0
    stages = place / "stages"
    assert len(list(stages.glob("udpos-????????????"))) == 1
    swap_labels(place / "data/udpos/train-en.tsv")
    assert main(line("third", flags, task="xnli")) == 0
    assert len(list(stages.glob("udpos-????????????"))) == 2
    first, third = (RunResults.load(place / name).used for name in ("first", "third"))
    assert first["encoder"] != third["encoder"] and first["training data"] == third["training data"]
    assert first["encoder"] in {of_encoder(str(folder))["encoder"] for folder in stages.glob("udpos-????????????")}


@pytest.mark.parametrize(
    ("change", "stages"),
    [("training labels", ""), ("a weight", ""), ("training labels", "--intermediate_tasks udpos")],
)
def test_a_finished_run_is_not_shown_beside_one_of_other_data(place: Path, line, capsys, change: str, stages: str):
    flags = f"--compare_baseline --max_steps 1 --eval_strategy no {stages}"
    task = "xnli" if stages else "udpos"
    assert main(line("both", flags, task)) == 0
    shutil.rmtree(place / "both/aif")
    again = line("both", f"{flags} --resume_from_checkpoint last", task)
    assert main(again) == 0  # as it is, the baseline is taken
    shutil.rmtree(place / "both/aif")
    CHANGES[change][0](place)
    capsys.readouterr()
    assert main(again) == 2
    message = capsys.readouterr().err
    expected = "encoder" if stages else CHANGES[change][1][0]
    assert f"baseline is of a run with {expected} '" in message and "give what that run was given" in message


@pytest.mark.parametrize(
    ("noted", "settings", "same"),
    [
        ({"task": "xnli"}, {"task": "xnli"}, True),
        ({"task": "xnli"}, {"task": "pawsx"}, False),
        ({"task": "xnli"}, {"task": "xnli", "prefix": "", "half": None}, True),  # which an older version did not have
        ({"task": "xnli"}, {"task": "xnli", "prefix": "query: "}, False),
        ({"task": "xnli"}, {"task": "xnli", "seed": 0}, False),
        ({"task": "xnli", "prefix": "query: "}, {"task": "xnli", "prefix": ""}, False),
        (None, {"task": "xnli"}, False),
    ],
)
def test_settings_that_a_file_notes(noted, settings, same: bool):
    assert same_settings(noted and as_noted(noted), settings) is same
