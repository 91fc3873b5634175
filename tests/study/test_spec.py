"""A study's YAML file: the grid that it asks for, and one clear line for what is wrong with it."""

from pathlib import Path

import pytest
import yaml

from modeling_dlfa.errors import InputError
from modeling_dlfa.study.spec import load_spec


@pytest.fixture
def write(tmp_path: Path, tiny_encoder: str):
    """write(**entries): a study file with those entries over a small whole one; None leaves an entry out."""

    def file(**entries) -> Path:
        values = {
            "tasks": ["udpos"],
            "models": {"dlfa": {"fusion_layer": [0, 2]}},
            "encoders": [tiny_encoder],
            "seeds": [1, 2],
            "arguments": {"max_length": 16},
            **entries,
        }
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump({k: v for k, v in values.items() if v is not None}), encoding="utf-8")
        return path

    return file


def names(spec) -> list[str]:
    return [cell.name for cell in spec.cells]


def test_the_grid_is_complete_and_goes_seed_by_seed(write):
    spec = load_spec(
        write(tasks=["udpos", "xnli"], models={"dlfa": {"fusion_layer": [0, 2]}, "sum": {"fusion": "sum"}})
    )
    models = ["baseline", "dlfa-k0", "dlfa-k2", "sum"]
    assert names(spec) == [
        f"{task}/tiny-encoder/{model}-seed{seed}" for seed in (1, 2) for task in ("udpos", "xnli") for model in models
    ]
    assert len({cell.key for cell in spec.cells}) == len(spec.cells)


def test_all_layers_are_those_of_the_encoder(write):
    spec = load_spec(write(models={"dlfa": {"fusion_layer": "all"}}, seeds=[1]))
    assert [cell.model.fusion_layer for cell in spec.cells] == [None, 0, 1, 2]
    assert [cell.model.group for cell in spec.cells] == ["baseline", "dlfa", "dlfa", "dlfa"]


def test_states_are_kept_that_are_read_of_the_same_encoder(write, tiny_encoder, tiny_config, tmp_path: Path):
    """One with fewer layers has none of the other's upper ones."""
    tiny_config("bert", num_hidden_layers=2).save_pretrained(tmp_path / "lower")
    models = {"dlfa": {"fusion_layer": "all"}}
    arguments = {"max_length": 16, "train": "fusion"}
    spec = load_spec(write(models=models, encoders=[tiny_encoder, str(tmp_path / "lower")], arguments=arguments))
    kept = {cell.encoder: spec.keeping_states(cell, cell.run_arguments("out")[0]).states_layers for cell in spec.cells}
    assert kept == {"tiny-encoder": "0,1,2,3", "lower": "0,1,2"}
    spec.check()


def test_layers_that_are_fused_at_once_are_one_model(write):
    models = {"dlfa": {"fusion_layer": [[2, 0], 1]}, "two": {"fusion": "sum", "fusion_layer": "0,2"}}
    spec = load_spec(write(models=models, seeds=[1]))
    assert [cell.model.name for cell in spec.cells] == ["baseline", "dlfa-k0+2", "dlfa-k1", "two"]
    assert [cell.model.fusion_layer for cell in spec.cells] == [None, [0, 2], 1, [0, 2]]
    assert [cell.model.place for cell in spec.cells] == [None, None, 1, None]
    assert [cell.run_arguments("out")[0].fusion_layer for cell in spec.cells] == [None, [0, 2], 1, [0, 2]]
    spec.check()


def test_a_study_without_models_is_the_baseline_alone(write):
    assert names(load_spec(write(models=None, seeds=[4]))) == ["udpos/tiny-encoder/baseline-seed4"]


def test_arguments_of_a_cell_come_from_study_task_and_model_the_later_winning(write):
    spec = load_spec(
        write(
            arguments={"learning_rate": 1e-3, "max_length": 16, "weight_decay": 0.5},
            tasks={"udpos": {"learning_rate": 2e-3, "max_length": 32}},
            models={"one": {"fusion_layer": 1, "max_length": 64, "config_overrides": {"aif_output": "scale"}}},
        )
    )
    baseline, one = spec.cells[:2]
    run, training = baseline.run_arguments("out")
    assert (run.fusion, run.max_length, training.learning_rate, training.seed) == ("none", 32, 2e-3, 1)
    run, training = one.run_arguments("out")
    assert (run.fusion, run.fusion_layer, run.max_length) == ("aif", 1, 64)
    assert run.overrides() == {"aif_output": "scale"} and training.weight_decay == 0.5
    assert training.output_dir == "out"


def test_a_cell_with_other_arguments_is_another_cell(write):
    first = load_spec(write(arguments={"learning_rate": 1e-3}))
    same = load_spec(write(arguments={"learning_rate": 1e-3}, seeds=[1, 2, 3], title="more seeds"))
    other = load_spec(write(arguments={"learning_rate": 2e-3}))
    keys = [{cell.key for cell in spec.cells} for spec in (first, same, other)]
    assert keys[0] < keys[1]
    assert not keys[0] & keys[2]


def test_output_dir(write, tmp_path):
    assert load_spec(write()).output_dir == Path("runs/small")
    assert load_spec(write(output_dir="results/x")).output_dir == Path("results/x")
    assert load_spec(write(output_dir="results/x"), tmp_path).output_dir == tmp_path


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"tasks": None}, ["tasks", "xnli"]),
        ({"tasks": ["upos"]}, ["upos", "udpos"]),
        ({"tasks": 3}, ["tasks", "3"]),
        ({"seed": [1]}, ["unknown entry 'seed'", "seeds"]),
        ({"seeds": 3}, ["seeds", "list", "3"]),
        ({"seeds": []}, ["seeds", "[]"]),
        ({"seeds": [1, 1]}, ["seeds", "twice"]),
        ({"seeds": ["one"]}, ["seeds", "whole numbers", "one"]),
        ({"encoders": "embedded"}, ["encoders", "list"]),
        ({"encoders": ["a/same", "b/same"]}, ["encoders", "same", "alike"]),
        ({"models": ["dlfa"]}, ["models", "dlfa"]),
        ({"models": {"baseline": {"fusion": "sum"}}}, ["models", "'baseline'", "always"]),
        ({"models": {"dlfa": 8}}, ["models.dlfa", "8"]),
        ({"models": {"dlfa": {"seed": 8}}}, ["models.dlfa", "seed", "the study sets it"]),
        ({"arguments": {"output_dir": "x"}}, ["arguments", "output_dir"]),
        ({"seeds": [True, 2]}, ["seeds", "whole numbers", "True"]),
        ({"models": {"dlfa": {"fusion_layer": [1, 1]}}}, ["models.dlfa.fusion_layer", "[1, 1]", "twice"]),
        ({"models": {"dlfa": {"fusion_layer": [[0, 1], [1, 0]]}}}, ["models.dlfa.fusion_layer", "twice"]),
        ({"models": {"dlfa": {"fusion_layer": [[]]}}}, ["models.dlfa.fusion_layer", "lists of such", "[[]]"]),
        ({"models": {"dlfa": {"fusion_layer": []}}}, ["models.dlfa.fusion_layer", "numbers of layers", "[]"]),
        ({"models": {"dlfa": {"fusion_layer": [1, "1"]}}}, ["models.dlfa.fusion_layer", "numbers of layers", "'1'"]),
        ({"models": {"Baseline": {}}}, ["models", "'baseline'", "always"]),
        ({"models": {"dlfa": {}, "DLFA": {"fusion": "sum"}}}, ["models", "called alike", "DLFA"]),
        *[
            ({entry: {name: {"learning_rate": 1e-4}}}, [entry, words])
            for entry in ("models", "conditions")
            for name, words in (
                ("../x", "cannot be the name of a folder"),
                ("/tmp/x", "cannot be the name of a folder"),
                ("a/b", "cannot be the name of a folder"),
                ("a\\b", "cannot be the name of a folder"),
                ("..", "cannot be the name of a folder"),
                ("a ", "cannot be the name of a folder"),
                ("<img src=x>", "cannot be the name of a folder"),
                ("a\nb", "cannot be the name of a folder"),
                ("", "is no name"),
                (8, "8 is no name"),
                ("x" * 200, "longer than"),
                ("nul", "device"),
                ("COM1.x", "device"),
            )
        ],
        ({"name": "../x"}, ["name", "cannot be the name of a folder"]),
        ({"encoders": ["user/.."]}, ["encoders", "cannot be the name of a folder"]),
        ({"encoders": ["a/Same", "b/same"]}, ["encoders", "alike"]),
        ({"arguments": {"hub_token": "mine"}}, ["arguments.hub_token", "secret", "HF_TOKEN"]),
        ({"models": {"dlfa": {"run_name": "hf_" + "aB3" * 11}}}, ["models.dlfa.run_name", "secret"]),
        ({"notes": "in postgresql://me:mine@host/db"}, ["notes", "secret"]),
        ({"arguments": {"fusion_layer": [1, 2]}}, ["arguments.fusion_layer", "models"]),
        ({"rivals": ["dlfa"]}, ["rivals", "each with a list", "dlfa"]),
        ({"rivals": {"dlfa": "sum"}}, ["rivals", "each with a list", "sum"]),
        ({"rivals": {"dlfa": []}}, ["rivals", "each with a list"]),
        ({"models": {"dlfa": {}}, "rivals": {"dlfa": ["sum"]}}, ["rivals", "'sum' is none of the models", "dlfa"]),
        ({"models": {"dlfa": {}}, "rivals": {"dlfa-k1": ["dlfa"]}}, ["rivals", "'dlfa-k1' is none of the models"]),
        ({"models": {"dlfa": {}}, "rivals": {"dlfa": ["dlfa"]}}, ["rivals.dlfa", "other models"]),
        (
            {"models": {"dlfa": {}, "sum": {"fusion": "sum"}}, "rivals": {"dlfa": ["sum", "sum"]}},
            ["rivals.dlfa", "each once"],
        ),
    ],
)
def test_mistakes_are_one_line(write, entries, words):
    path = write(**entries)
    with pytest.raises(InputError) as error:
        load_spec(path)
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in words), message
    assert "mine" not in message and "aB3" not in message


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            {"models": {"one": {"fusion_layer": 1}, "two": {"fusion": "aif", "fusion_layer": "1"}}},
            ["udpos/tiny-encoder/one-seed1", "udpos/tiny-encoder/two-seed1", "the same run"],
        ),
        ({"models": {"one": {"fusion": "none"}}}, ["baseline-seed1", "one-seed1", "the same run"]),
        ({"models": {"one": {}, "two": {"fusion_layer": 2}}}, ["one-seed1", "two-seed1", "the same run"]),
        (
            {
                "models": {
                    "one": {"fusion_layer": 1},
                    "two": {"fusion_layer": 1, "config_overrides": {"gate_bias": 4.0}},
                }
            },
            ["one-seed1", "two-seed1", "the same run"],
        ),
        ({"conditions": {"more": {"seed_of_no": 1}}}, ["seed_of_no"]),
        ({"conditions": {"more": {"logging_steps": 5}}}, ["baseline-seed1", "baseline+more-seed1", "the same run"]),
        (
            {
                "models": {"a": {"fusion_layer": 1}, "a+b": {"fusion_layer": 2}},
                "conditions": {"b": {"learning_rate": 1e-3}},
            },
            ["called alike", "a+b-seed1"],
        ),
        (
            {"models": {"dlfa": {"fusion_layer": [[0, 7]]}}},
            ["dlfa-k0+7", "fusion_layer=[0, 7]", "0 (embeddings) to 2"],
        ),
        ({"models": {"two": {"fusion_layer": "1,two"}}}, ["udpos/tiny-encoder/two", "--fusion_layer 1,two"]),
        ({"models": {"dlfa": {"fusion_layer": [0, 7]}}}, ["dlfa-k7", "fusion_layer=7", "0 (embeddings) to 2"]),
        ({"models": {"dlfa": {"fusion_leyer": 1}}}, ["udpos/tiny-encoder/dlfa", "fusion_leyer"]),
        ({"arguments": {"learning_rate": "fast"}}, ["learning_rate", "fast"]),
        ({"arguments": {"eval_strategy": False}}, ["eval_strategy", "False"]),
        ({"encoders": ["no/such"]}, ["no/such"]),
        (
            {"models": {"dlfa": {"train_language": "de"}}},
            ["udpos/tiny-encoder/dlfa", "train_language de, where baseline has the default", "under train_languages"],
        ),
        (
            {"models": {"dlfa": {"eval_split": "validation"}}},
            [
                "udpos/tiny-encoder/dlfa",
                "eval_split validation, where baseline has the default",
                "in a study of its own",
            ],
        ),
    ],
)
def test_check_finds_what_no_run_could_start_with(write, entries, words):
    spec = load_spec(write(**entries))
    with pytest.raises(InputError) as error:
        spec.check()
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize("text", ["a: [", "[]", "just words", "\x00"])
def test_files_that_are_no_study(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="broken.yaml") as error:
        load_spec(path)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match="none.yaml"):
        load_spec(tmp_path / "none.yaml")


def test_the_layer_that_is_found_and_that_of_the_default_are_two_models(write):
    load_spec(write(models={"auto": {"fusion_layer": "auto"}, "two thirds": {"fusion_layer": 2}})).check()


def test_folders_by_other_spellings_are_one_encoder(write, tiny_encoder):
    with pytest.raises(InputError, match="encoders: two are called alike"):
        load_spec(write(encoders=[tiny_encoder, f"{tiny_encoder}/../tiny-encoder/"]))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected entries such as 'tasks: [xnli]', found None"),
        ("[a]", "expected entries such as 'tasks: [xnli]', found ['a']"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_is_no_study(tmp_path: Path, content: str | None, message: str):
    path = tmp_path / "study.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_spec(path)
    assert str(error.value) == f"{path if content is not None else f'cannot read the study {path}'}: {message}"
