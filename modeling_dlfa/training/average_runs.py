"""Average the weights of finished runs that differ in their seed: the mean is a run of its own, scored as they were.

    dlfa average runs/seed1 runs/seed2 runs/seed3 --output_dir runs/mean

One model instead of several, which costs no more to use. Schmidt et al. (2023, arXiv 2305.16834) average runs beside
the checkpoints of each. Heads that start at random by each run's seed, and are averaged all the same, are our choice:
whether that holds, the score on development data says.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cli import CommandParser, guarded, make_console, quiet_libraries
from ..errors import InputError
from ..files import expanded, read_json, write_text
from .score import add_scoring, score_command


if TYPE_CHECKING:
    from ..modeling_dlfa import DLFAPreTrainedModel
    from ..tasks.task import Task
    from .results import RunResults


# Of a run's settings: which rows are read.
OF_ROWS = ("max_dev_samples", "max_eval_samples")
# Of its results: which model it is, trained on what.
OF_MODEL = (
    *("encoder", "fusion", "fusion_layer", "model_config", "intermediate"),
    *("train_language", "train_samples", "data", "task_definition"),
)
SELECTION = re.compile(r"mean of \d+ runs")


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for something the user gave, 1 for anything else."""
    return guarded(_main, argv)


def _main(argv: list[str], debug: bool) -> None:
    given = vars(parser().parse_args(argv))
    del given["debug"]
    if not debug:
        quiet_libraries()
    from .launch import show  # not before the arguments are known, so that help is quick

    show([average(given.pop("runs"), **given)], make_console())


def average(folders: Sequence[str | Path], **given: Any) -> "RunResults":
    """Average runs, and score the mean as the first was scored.

    Args:
        folders: of finished runs of one model on one task.
        given: other arguments, as of `dlfa average`; None where they were not given.

    Returns:
        The results, which are in the folder of the mean with its checkpoint, predictions and model card.

    Raises:
        InputError: runs that cannot be averaged; data or an output folder as for every run.
    """
    from .data import prepare
    from .folder import TRAINED_FILE, checkpoint_to_resume
    from .launch import output_root
    from .run import finished_run, run
    from .trainer import make_trainer

    paths = [Path(expanded(folder)) for folder in folders]
    runs = [finished_run(path) for path in paths]
    check_alike(paths, runs)
    first = runs[0]
    asked = {"eval_split": first.eval_split, "languages": ",".join(first.scores)}
    asked |= {name: first.training[name] for name in OF_ROWS if first.training.get(name)}
    asked |= {name: value for name, value in given.items() if value is not None}
    # The model is there, its scores are not.
    command = score_command(str(paths[0]), **asked, do_train=True, resume_from_checkpoint="last")
    output = output_root(command)
    arguments, training_arguments = command.arguments(command.tasks[0], first.fusion, output)
    data = prepare(arguments)
    if arguments.no_answer_threshold is None:
        data = data.settled({})  # it is set for the mean
    summary = described(runs)
    note = output / TRAINED_FILE
    if not (note.is_file() and read_json(note) == summary):  # else it was killed while it was scored
        checkpoint_to_resume(output, None)
        model = mean_of(paths, data.task)
        keeping: dict[str, Any] = {"keep": data.task.kind.keep, "eval_dataset": data.development.features}
        make_trainer(model, arguments, training_arguments, data, **keeping).save_model()
        (output / "training_args.bin").unlink(missing_ok=True)  # a pickle: nothing to share
        write_text(note, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    return run(arguments, training_arguments, data)


def check_alike(paths: Sequence[Path], runs: Sequence["RunResults"]) -> None:
    """Refuse what has no mean.

    Raises:
        InputError: a single run, one that is named twice, or runs of different models.
    """
    if len(paths) < 2:
        raise InputError(f"{paths[0]}: expected two runs or more")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(f"{', '.join(map(str, paths))}: one run is named twice")
    if not runs[0].of_task.kind.trains:
        raise runs[0].of_task.kind.cannot(runs[0].of_task, "averaging what was trained")
    first = _recipe(runs[0])
    for path, one in zip(paths, runs, strict=True):
        if SELECTION.match(one.training["selection"]):
            raise InputError(f"{path} is a mean of runs itself: average those that it is made of")
        theirs = _recipe(one)
        for name in first | theirs:
            if first.get(name) != theirs.get(name):
                difference = f"{name} {theirs.get(name)}, {paths[0]} has {first.get(name)}"
                raise InputError(f"{path}: {difference}: expected runs that differ in their seed")


def _recipe(run: "RunResults") -> dict[str, Any]:
    """What runs share that differ in their seed, by name."""
    training = {name: value for name, value in run.training.items() if name != "selection"}
    fingerprints = ("training data", "development data", "encoder", "tokenizer")
    read = {f"fingerprint of the {name}": run.used.get(name) for name in fingerprints}
    return {name: getattr(run, name) for name in ("task", *OF_MODEL)} | training | read


def described(runs: Sequence["RunResults"]) -> dict[str, Any]:
    """What results say of the mean, beside its scores: what the first run's say, and of which runs it is."""
    names = (*OF_MODEL, "seed", "versions", "scouting", "used")
    seeds = ", ".join(str(one.seed) for one in runs)
    training = {**runs[0].training, "selection": f"mean of {len(runs)} runs, seeds {seeds}"}  # as `SELECTION`
    seconds = round(sum(one.train_runtime for one in runs), 1)
    return {name: getattr(runs[0], name) for name in names} | {"training": training, "train_runtime": seconds}


def mean_of(folders: Sequence[Path], task: "Task") -> "DLFAPreTrainedModel":
    """The mean of models, summed up in float64; what is no fraction, such as a count of batches, is the first's.

    Raises:
        InputError: as `open_finished`, or weights of other shapes.
    """
    import torch

    from .model import open_finished

    model = open_finished(folders[0], task)
    weights = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    totals = {name: tensor.double() for name, tensor in weights.items()}
    for folder in folders[1:]:
        others = open_finished(folder, task).state_dict()
        for name, total in totals.items():
            if name not in others or others[name].shape != total.shape:
                raise InputError(f"{folder}: {name} is not as in {folders[0]}: expected runs of one model")
            total += others[name]
    with torch.no_grad():
        for name, tensor in weights.items():
            tensor.copy_(totals[name] / len(folders))
    return model


def parser() -> CommandParser:
    made = CommandParser("dlfa average", __doc__ or "", usage="dlfa average RUN RUN ... [--ARGUMENT VALUE ...]")
    made.add_argument("runs", nargs="+", metavar="RUN", help="output folders of finished runs, their weights kept")
    add_scoring(made, "as the first run was")
    made.add_common()
    return made
