"""What a cell leaves for good, and that nothing else is taken for it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modeling_dlfa.errors import InputError
from modeling_dlfa.study.records import Record, check_comparable, has_record, load_records
from modeling_dlfa.study.spec import BASELINE, Cell, Model
from modeling_dlfa.tasks.scores import score_of_counts
from modeling_dlfa.training.counts import packed, unpacked
from modeling_dlfa.training.results import RunResults


@pytest.fixture(scope="module")
def recorded(tiny_encoder, xtreme_folder, tmp_path_factory):
    """recorded(task) -> the record of a short run of the task."""
    from modeling_dlfa.training.run import run

    made: dict[str, Record] = {}

    def record(task: str) -> Record:
        if task not in made:
            arguments = {
                "task": task,
                "model_name_or_path": tiny_encoder,
                "data": str(xtreme_folder),
                "fusion": "none",
                "seed": 1,
                "max_length": 16,
                "num_train_epochs": 2,
                "learning_rate": 5e-3,
                "eval_strategy": "no",
                "use_cpu": True,
                "disable_tqdm": True,
            }
            cell = Cell(task, "tiny-encoder", Model(BASELINE, BASELINE, {"fusion": "none"}), 1, arguments)
            folder = tmp_path_factory.mktemp("runs") / task
            run_arguments, training_arguments = cell.run_arguments(folder)
            run(run_arguments, training_arguments)
            made[task] = Record.of_run(cell, folder)
        return made[task]

    return record


@pytest.mark.parametrize("task", ["xnli", "pawsx", "panx", "udpos"])
def test_counts_add_up_to_the_reported_score(recorded, task):
    record = recorded(task)
    assert record.counts.keys() == record.results.scores.keys() == {"en", "de", "ru", "zh"}
    for language, counts in record.counts.items():
        assert counts.shape == (record.results.support[language], 3)
        assert score_of_counts(counts.sum(axis=0)) == pytest.approx(record.results.scores[language], abs=1e-9)
    assert 0 < record.results.average < 100  # else any counts would do


def test_a_record_comes_back_as_it_was(recorded, tmp_path):
    record = recorded("panx")
    assert not has_record(tmp_path, record.cell)
    record.save(tmp_path)
    assert has_record(tmp_path, record.cell)
    (again,) = load_records(tmp_path, [record.cell])
    assert again.results == record.results
    assert all(np.array_equal(again.counts[code], record.counts[code]) for code in record.counts)
    assert RunResults.load(tmp_path / f"{record.cell.name}.json") == record.results  # a results file like any other
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".tmp")]


def test_a_record_names_no_folder_of_this_machine(recorded, tmp_path, tiny_encoder, xtreme_folder):
    record = recorded("panx")
    record.save(tmp_path)
    file = tmp_path / f"{record.cell.name}.json"
    text = file.read_text("utf-8")
    assert '"encoder": "tiny-encoder"' in text and '"data": "xtreme"' in text
    for value in (text, repr(record.results)):  # the storage takes them from there
        assert not any(str(Path(folder).parent) in value for folder in (tiny_encoder, xtreme_folder))
    # What is left out still tells one folder from another of the same name.
    cell = record.cell
    other = {**cell.arguments, "data": str(tmp_path / "xtreme")}
    elsewhere = Cell(cell.task, cell.encoder, cell.model, cell.seed, other)
    assert has_record(tmp_path, record.cell) and not has_record(tmp_path, elsewhere)
    # A record of an old version has the paths.
    values = json.loads(text)
    file.write_text(json.dumps({**values, "settings": record.cell.settings}), "utf-8")
    assert has_record(tmp_path, record.cell) and not has_record(tmp_path, elsewhere)


@pytest.mark.parametrize("largest", [0, 1, 255, 256, 70_000])
def test_counts_of_any_size(recorded, largest):
    record = recorded("panx")
    counts = {"en": np.array([[0, largest, 1], [0, 0, largest]])}
    content = packed(Record(record.cell, record.results, counts).counts)
    assert np.array_equal(unpacked(content)["en"], counts["en"])


def test_a_record_of_other_arguments_is_none(recorded, tmp_path):
    record = recorded("panx")
    record.save(tmp_path)
    cell = record.cell
    other = Cell(cell.task, cell.encoder, cell.model, cell.seed, {**cell.arguments, "max_length": 17})
    assert other.name == cell.name
    assert not has_record(tmp_path, other)
    assert load_records(tmp_path, [other]) == []


@pytest.mark.parametrize(
    ("changed", "comparable"),
    [
        ({}, True),
        ({"scored data in de": "other"}, False),
        ({"training data": "other"}, False),
        ({"encoder": "other"}, False),
        ({"global batch": 7}, True),
        (None, True),  # of an old version, which did not say
    ],
)
def test_records_of_other_data_are_not_compared(recorded, changed, comparable: bool):
    """As where some cells were run before a file was changed, and some after."""
    record = recorded("panx")
    model = Model("dlfa", "dlfa", {"fusion": "aif"})
    cell = Cell(record.cell.task, "tiny-encoder", model, 1, {**record.cell.arguments, "fusion": "aif"})
    used = {} if changed is None else {**record.results.used, **changed}
    other = Record(cell, replace(record.results, used=used), {})
    if comparable:
        return check_comparable([record, other])
    assert changed is not None
    with pytest.raises(InputError, match=f"dlfa-seed1 cannot be compared: {next(iter(changed))} .*, now other"):
        check_comparable([record, other])


def test_a_record_of_other_data_is_none(recorded, tmp_path):
    record = recorded("panx")
    record.save(tmp_path)
    cell = Cell(record.cell.task, "tiny-encoder", record.cell.model, 1, {**record.cell.arguments})
    assert cell.key == record.cell.key and has_record(tmp_path, cell)
    cell = Cell(record.cell.task, "tiny-encoder", record.cell.model, 1, {**record.cell.arguments})
    cell.__dict__["used"] = {**record.cell.used, "scored data in de": "other"}
    assert cell.key != record.cell.key and not has_record(tmp_path, cell)


@pytest.mark.parametrize("damage", ["missing", "text", "cut"])
def test_damaged_counts(recorded, tmp_path, damage):
    record = recorded("panx")
    record.save(tmp_path)
    counts: Path = tmp_path / f"{record.cell.name}.npz"
    content = counts.read_bytes()
    counts.unlink()
    if damage != "missing":
        counts.write_bytes(b"counts" if damage == "text" else content[: len(content) // 2])
    with pytest.raises(InputError, match=r"baseline-seed1\.npz") as error:
        load_records(tmp_path, [record.cell])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"arguments": {}})])
def test_a_damaged_results_file_is_no_record(recorded, tmp_path, text):
    record = recorded("panx")
    record.save(tmp_path)
    (tmp_path / f"{record.cell.name}.json").write_text(text)
    assert load_records(tmp_path, [record.cell]) == []
