"""Intermediate-task training: stages are ordinary runs, found again, and blind to target languages."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import set_seed

from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import prepare
from modeling_dlfa.training.folder import holds_run
from modeling_dlfa.training.model import build_model
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.stages import STAGE_FILE, plan_stages, run_chain, stages_folder


ONE_EPOCH = "--num_train_epochs 1 --eval_strategy no"


@pytest.fixture
def command(argv, tmp_path: Path):
    """command(flags): a command of the target task xnli with short runs."""
    return lambda flags="", task="xnli": CommandLine(argv(task, tmp_path / "out", f"{ONE_EPOCH} {flags}"))


def names(command: CommandLine, fusion: str = "aif") -> list[str]:
    return [stage.name for stage in plan_stages(command, "xnli", fusion)]


def chain(command: CommandLine, folder: Path, output: Path, fusion: str = "aif") -> RunResults:
    stages = plan_stages(command, "xnli", fusion)
    return run_chain(stages, folder, *command.arguments("xnli", fusion, output))


# ---------------------------------------------------------------------------------------------------------------------
# What a stage is
# ---------------------------------------------------------------------------------------------------------------------


def test_a_stage_has_its_own_recipe_and_the_arguments_of_the_command(command):
    given = (
        '--intermediate_tasks uddep,udpos --intermediate_arguments {"max_steps":7,"udpos":{"max_steps":5,"seed":9}}'
    )
    stages = plan_stages(command(given + " --seed 3 --fusion_layer 1"), "xnli", "aif")
    assert [stage.task for stage in stages] == ["uddep", "udpos"]
    for stage, steps, seed in zip(stages, (7, 5), (3, 9)):
        run, training = stage.arguments(None, "unused")
        assert (run.task, run.fusion, run.fusion_layer, run.intermediate_tasks) == (stage.task, "aif", 1, None)
        assert (run.languages, run.eval_split) == ("en", "validation")
        assert (training.max_steps, training.seed) == (steps, seed)
    plain = CommandLine(["--intermediate_tasks", "uddep", "--data", "elsewhere"])
    run, training = plan_stages(plain, "xnli", "none")[0].arguments("before", "unused")
    recipe = TASKS["uddep"].recipe
    assert (run.model_name_or_path, run.max_length) == ("before", recipe.max_length)
    assert training.num_train_epochs == recipe.num_train_epochs


SAME = [("", ""), ("--seed 4", "--seed=4"), ("", "--logging_steps 3"), ("", "--stages_dir elsewhere")]
OTHER = [
    *("--seed 4", "--learning_rate 1e-4", "--fusion_layer 1", "--train_half easy", "--shuffle_labels"),
    *("--freeze_embeddings", "--max_train_samples 8", '--intermediate_arguments {"max_steps":9}'),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_stages_of_equal_settings_have_one_name(command, one, other):
    both = [names(command(f"--intermediate_tasks uddep,udpos {flags}")) for flags in (one, other)]
    assert both[0] == both[1]


@pytest.mark.parametrize("flags", OTHER)
def test_stages_of_other_settings_have_other_names(command, flags):
    both = [names(command(f"--intermediate_tasks uddep,udpos {more}")) for more in ("", flags)]
    assert set(both[0]).isdisjoint(both[1])


def test_a_stage_is_another_one_after_another_or_with_another_fusion(command):
    alone, after = names(command("--intermediate_tasks udpos")), names(command("--intermediate_tasks uddep,udpos"))
    carried = names(command("--intermediate_tasks uddep,udpos --carry_fusion"))
    assert after[0] == carried[0]
    assert len({*alone, after[1], carried[1], *names(command("--intermediate_tasks udpos"), "none")}) == 4


def test_models_may_go_on_from_one_stage(command):
    plain = '--intermediate_tasks udpos --fusion_layer 1 --intermediate_arguments {"fusion":"none"}'
    by_task = '--intermediate_tasks udpos --intermediate_arguments {"udpos":{"fusion":"none"}}'
    asked = [(flags, fusion) for flags in (plain, by_task) for fusion in ("none", "aif")]
    shared = {name for flags, fusion in asked for name in names(command(flags), fusion)}
    assert shared == set(names(command("--intermediate_tasks udpos"), "none"))
    (stage,) = plan_stages(command(plain), "xnli", "aif")
    run, _ = stage.arguments(None, "unused")
    assert (run.fusion, run.fusion_layer) == ("none", None)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--intermediate_tasks udpos,parsing", "unknown task 'parsing'"),
        ("--intermediate_tasks udpos --fusion_layer auto", "give the layer that the stages fuse"),
        ("--fusion_layer auto --carry_fusion", "give the layer of the model before"),
        ("--intermediate_arguments max_steps=5", "is not JSON"),
        ("--intermediate_arguments [5]", "expected a JSON object"),
        (
            '--intermediate_tasks udpos --intermediate_arguments {"udpos":5}',
            "expected an object of arguments, found 5",
        ),
        (
            '--intermediate_tasks udpos --intermediate_arguments {"fusion":"adapter"}',
            "fusion 'adapter': expected one of aif, ",
        ),
        (
            '--intermediate_tasks udpos --intermediate_arguments {"fusion":["none"]}',
            "fusion ['none']: expected one of aif, ",
        ),
        (
            '--intermediate_tasks udpos --carry_fusion --intermediate_arguments {"fusion":"none"}',
            "fusion 'none' --carry_fusion: the run would go on with 'aif'",
        ),
        ('--intermediate_arguments {"languages":"de"}', "languages is not an argument of a stage"),
        ('--intermediate_arguments {"udpos":{"task":"panx"}}', "task is not an argument of a stage"),
        ('--intermediate_tasks udpos --intermediate_arguments {"max_step":5}', "unrecognized arguments: --max_step=5"),
    ],
)
def test_what_cannot_be_a_stage_is_refused(command, flags, message):
    with pytest.raises(InputError) as error:
        plan_stages(command(flags), "xnli", "aif")
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--intermediate_tasks xnli --train_half easy", "xnli has no trees"),
        ("--intermediate_tasks uddep --shuffle_labels", "uddep has trees"),
        ("--carry_fusion", "tiny-encoder is a plain encoder"),
    ],
)
def test_a_command_that_cannot_work_stops_before_training(argv, tmp_path, capsys, flags, message):
    assert main(argv("xnli", tmp_path / "out", f"{ONE_EPOCH} {flags}")) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "stages").exists() and not (tmp_path / "out").exists()


# ---------------------------------------------------------------------------------------------------------------------
# What goes on
# ---------------------------------------------------------------------------------------------------------------------


def weights(folder: Path, prefix: str) -> dict[str, torch.Tensor]:
    return {k: v for k, v in load_file(folder / "model.safetensors").items() if k.startswith(prefix)}


@pytest.mark.crossed("fusion", "carry")
@pytest.mark.parametrize("fusion", ["none", "aif"])
@pytest.mark.parametrize("carry", [False, True])
def test_the_encoder_goes_on_the_head_is_new_the_fusion_as_asked(command, tmp_path, fusion, carry):
    flags = "--fusion_layer 1 --input_norm layer"
    given = command(f"--intermediate_tasks udpos {flags} --seed 5{' --carry_fusion' if carry else ''}")
    (stage,) = plan_stages(given, "xnli", fusion)
    chain(given, tmp_path / "stages", tmp_path / "out", fusion)
    folder = tmp_path / "stages" / stage.name

    arguments, _ = command(f"--model_name_or_path {folder} {flags}{' --carry_fusion' if carry else ''}").arguments(
        "xnli", fusion, tmp_path / "by_hand"
    )
    fresh_arguments, _ = command(flags).arguments("xnli", fusion, tmp_path / "fresh")
    set_seed(5)
    model = build_model(arguments, TASKS["xnli"])
    luck = torch.random.get_rng_state()
    set_seed(5)
    fresh = build_model(fresh_arguments, TASKS["xnli"])
    assert torch.equal(luck, torch.random.get_rng_state())
    assert model.config.pooling == fresh.config.pooling == "mean"
    before = weights(folder, "dlfa.")
    kept = ("dlfa.encoder.", *(("dlfa.fusion.", "dlfa.input_norm.") if carry else ()))
    differ = 0
    for name, weight in model.named_parameters():
        of_stage = name.startswith(kept)
        assert torch.equal(weight, before[name] if of_stage else fresh.get_parameter(name)), name
        differ += of_stage and not torch.equal(weight, fresh.get_parameter(name))
    assert differ > 10


@pytest.mark.slow
def test_a_run_by_hand_on_a_finished_run_is_the_chain(command, tmp_path):
    given = command("--intermediate_tasks udpos --fusion_layer 1")
    chained = chain(given, tmp_path / "stages", tmp_path / "out")
    (stage,) = plan_stages(given, "xnli", "aif")
    by_hand = command(f"--model_name_or_path {tmp_path / 'stages' / stage.name} --fusion_layer 1")
    results = chain(by_hand, tmp_path / "none", tmp_path / "hand")
    assert results.scores == chained.scores and results.intermediate == chained.intermediate
    assert results.model_name == "DLFA k=1 after udpos"
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("out", "hand"))
    assert all(torch.equal(theirs[name], weight) for name, weight in ours.items())
    alone = chain(command("--fusion_layer 1"), tmp_path / "none", tmp_path / "alone")
    assert alone.intermediate == [] and alone.all_metrics != chained.all_metrics


def test_results_say_where_the_encoder_comes_from(command, tiny_encoder, tmp_path):
    given = command("--intermediate_tasks uddep-upos,uddep --fusion none")
    results = chain(given, tmp_path / "stages", tmp_path / "out", "none")
    loaded = RunResults.load(tmp_path / "out")
    assert loaded == results
    assert results.encoder == tiny_encoder
    assert [stage["task"] for stage in results.intermediate] == ["uddep-upos", "uddep"]
    stage = RunResults.load(tmp_path / "stages" / plan_stages(given, "xnli", "none")[1].name)
    assert list(stage.scores) == ["en"] and stage.zero_shot_average is None
    assert stage.scores["en"] == stage.development_score
    last = results.intermediate[1]
    assert last["development_score"] == stage.development_score
    assert last["development_majority"] == stage.development_majority
    assert 0 < last["development_majority"] < 100
    assert (last["metric"], last["steps"], last["fusion_carried"]) == ("las", stage.training["steps"], False)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "uddep-upos" in card and "uddep (las" in card
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["encoder_config"]["_name_or_path"] == Path(tiny_encoder).name


def test_a_checkpoint_that_lacks_weights_is_refused(command, finished_run, tmp_path):
    folder = tmp_path / "damaged"
    shutil.copytree(finished_run("udpos"), folder)
    kept = load_file(folder / "model.safetensors")
    del kept["dlfa.encoder.encoder.layer.1.output.dense.weight"]
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    arguments, _ = command(f"--model_name_or_path {folder}").arguments("xnli", "none", "unused")
    with pytest.raises(InputError, match=r"damaged lacks 1 weights .* such as encoder\.encoder\.layer\.1\.output"):
        build_model(arguments, TASKS["xnli"])


# ---------------------------------------------------------------------------------------------------------------------
# Found again
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_finished_stage_is_taken_and_a_damaged_or_unfinished_one_trained_again(command, tmp_path):
    given, folder = command("--intermediate_tasks udpos --fusion_layer 1"), tmp_path / "stages"
    first = chain(given, folder, tmp_path / "one")
    (stage,) = plan_stages(given, "xnli", "aif")
    weights_file = folder / stage.name / "model.safetensors"
    written = weights_file.stat().st_mtime_ns
    assert chain(given, folder, tmp_path / "two").scores == first.scores
    assert weights_file.stat().st_mtime_ns == written

    (folder / stage.name / "stage.json").write_text("{}")
    assert not holds_run(folder / stage.name, STAGE_FILE, stage.settings)
    (folder / f"{stage.name}.partial").mkdir()
    (folder / f"{stage.name}.partial" / "model.safetensors").write_bytes(b"half")
    assert chain(given, folder, tmp_path / "three").scores == first.scores
    assert weights_file.stat().st_mtime_ns > written
    assert sorted(entry.name for entry in folder.iterdir()) == [stage.name, f"{stage.name}.lock"]


@pytest.mark.slow
def test_runs_of_one_command_share_a_stage_and_it_stands_beside_them(argv, tmp_path, capsys):
    flags = f"{ONE_EPOCH} --intermediate_tasks udpos --compare_baseline --fusion_layer 1"
    assert main(argv("xnli", tmp_path / "runs" / "first", flags)) == 0
    shown = capsys.readouterr().out
    assert "baseline after udpos" in shown and "DLFA k=1 after udpos" in shown
    stages = tmp_path / "runs" / "stages"
    assert len([entry for entry in stages.iterdir() if entry.is_dir()]) == 2  # one a fusion
    times = {entry: entry.stat().st_mtime_ns for entry in stages.glob("*/model.safetensors")}
    assert main(argv("pawsx", tmp_path / "runs" / "second", flags)) == 0
    assert times == {entry: entry.stat().st_mtime_ns for entry in stages.glob("*/model.safetensors")}
    assert stages_folder(command_of(argv, tmp_path, "--stages_dir here"), tmp_path) == Path("here")


def command_of(argv, tmp_path, flags):
    return CommandLine(argv("xnli", tmp_path / "out", flags)).arguments("xnli", "aif", tmp_path)[0]


# ---------------------------------------------------------------------------------------------------------------------
# Only the training language
# ---------------------------------------------------------------------------------------------------------------------


def test_stages_open_nothing_but_training_and_development_data_of_the_training_language(
    command, opened_files, xtreme_folder, tmp_path
):
    halves = '{"uddep-depth":{"train_half":"hard"}}'
    flags = f"--intermediate_tasks udpos,uddep-depth --intermediate_arguments {halves} --languages de,ru"
    start = None
    for stage in plan_stages(command(flags), "xnli", "none"):
        run_chain([], tmp_path, *stage.arguments(start, tmp_path / stage.task))
        start = tmp_path / stage.task
    read = {str(Path(name).relative_to(xtreme_folder)) for name in opened_files if name.startswith(str(xtreme_folder))}
    assert read == {"udpos/train-en.tsv", "udpos/dev-en.tsv", "uddep/train-en.conllu", "uddep/dev-en.conllu"}


def test_other_data_change_nothing_in_a_stage(command, xtreme_folder, tmp_path):
    """Test data and target languages are noise in one folder."""
    folder = tmp_path / "noise"
    shutil.copytree(xtreme_folder, folder)
    for file in (folder / "uddep").iterdir():
        if file.name not in ("train-en.conllu", "dev-en.conllu"):
            file.write_bytes(b"\xff")
    found = []
    for number, flags in enumerate(("", f"--data {folder}")):
        (stage,) = plan_stages(command(f"--intermediate_tasks uddep {flags}"), "xnli", "none")
        run_chain([], tmp_path, *stage.arguments(None, tmp_path / str(number)))
        found.append(load_file(tmp_path / str(number) / "model.safetensors"))
    assert all(torch.equal(found[1][name], weight) for name, weight in found[0].items())


def test_halves_and_shuffled_labels_are_of_the_training_rows_only(command):
    def rows(flags, task="uddep-upos"):
        arguments, _ = command(flags).arguments(task, "none", "unused")
        data = prepare(arguments)
        return data.train["labels"][:], data.development.references, data.train_samples

    whole, development, samples = rows("")
    easy, hard, shuffled = rows("--train_half easy"), rows("--train_half hard"), rows("--shuffle_labels")
    assert easy[1] == hard[1] == shuffled[1] == development
    assert easy[2] + hard[2] == samples and sorted(map(str, easy[0] + hard[0])) == sorted(map(str, whole))
    flat = [[tag for row in labels for tag in row if tag >= 0] for labels in (whole, shuffled[0])]
    assert sorted(flat[0]) == sorted(flat[1]) and flat[0] != flat[1]
    assert rows("--shuffle_labels")[0] == shuffled[0]


@pytest.mark.parametrize(
    ("flags", "of_runs", "of_stages"),
    [
        ("--task tatoeba", ["layer"], ["aif"]),
        ("--task tatoeba --compare_baseline", ["none", "layer"], ["none", "aif"]),
        ("--task tatoeba --fusion none", ["none"], ["none"]),
        ("--task tatoeba --carry_fusion", ["aif"], ["aif"]),
        ("--task tatoeba --fusion layer", ["layer"], ["layer"]),
        ("--task all --fusion concat --carry_fusion", ["layer"], ["concat"]),
        ("--task udpos --fusion layer", ["layer"], ["layer"]),
    ],
)
def test_stages_before_what_trains_nothing_train_all_layers(flags: str, of_runs: list, of_stages: list):
    command = CommandLine([*flags.split(), "--intermediate_tasks", "uddep"])
    task = "tatoeba" if "udpos" not in flags else "udpos"
    fusions = command.fusions_of(task)
    assert fusions == of_runs
    assert [stage.fusion for fusion in fusions for stage in plan_stages(command, task, fusion)] == of_stages
