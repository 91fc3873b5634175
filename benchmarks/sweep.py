"""What does a sweep cost where the encoder is frozen? `python benchmarks/sweep.py --data PATH`.

A sweep trains fusion and head for every fusion layer and seed. `--train fusion` computes the encoder's states once and
keeps them; an ordinary run computes them anew for every batch of every pass, and to score. Timed are

    states     the pass that computes every layer's states of all rows and writes them to an empty folder
    run        training and scoring one DLFA on them
    ordinary   the same training and scoring with the encoder frozen in the model

in rounds that have each once, in an order of their own; given are medians, and of the sweep (states and all its runs
against as many ordinary ones) the median of the rounds' ratios. The sweep is one task, every layer, five seeds.

The file, `results/sweep/<encoder>-<device>.json` by default, is one `Report`; `python results/tables.py` makes the
sentence of it. It takes some ten minutes on two CPU cores.
"""

import argparse
import itertools
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from measuring import (
    add_common,
    device_name,
    keep_freed_memory,
    quartiles,
    report_file,
    timed,
    use_machine,
    write_report,
)

from modeling_dlfa.errors import InputError
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import RunData, evaluated_languages, open_source, prepare
from modeling_dlfa.training.layers import encoder_of
from modeling_dlfa.training.model import build_model
from modeling_dlfa.training.regimes import get_regime, with_states
from modeling_dlfa.training.results import short_name, versions
from modeling_dlfa.training.scoring import predictions
from modeling_dlfa.training.trainer import quiet_trainer


FOLDER = Path(__file__).resolve().parents[1] / "results" / "sweep"
SEEDS = 5


@dataclass(frozen=True)
class Report:
    """What one call of this script found, and with what. Seconds and ratios are quartiles over the rounds.

    Attributes:
        layers, seeds: of the sweep.
        tokens: of all rows together, without padding.
        states_seconds, run_seconds, ordinary_seconds: as above.
        sweep_ratio: ordinary runs of the sweep by the sweep on kept states.
        pass_ratio: the sweep on kept states by its first pass.
    """

    encoder: str
    device: str
    device_name: str
    threads: int
    versions: dict[str, str]
    task: str
    train_rows: int
    languages: int
    scored_rows: int
    epochs: int
    batch_size: int
    tokens: int
    layers: int
    seeds: int
    rounds: int
    states_seconds: list[float]
    run_seconds: list[float]
    ordinary_seconds: list[float]
    sweep_ratio: list[float]
    pass_ratio: list[float]


class Subject:
    """The three things that are timed, on the same rows."""

    def __init__(self, args: argparse.Namespace, folder: str):
        argv = ["--data", args.data, "--model_name_or_path", args.encoder, "--disable_tqdm", "true"]
        argv += ["--train", "fusion", "--max_train_samples", str(args.train_rows), "--max_dev_samples", "1"]
        argv += ["--max_eval_samples", str(args.scored_rows), "--num_train_epochs", str(args.epochs)]
        argv += ["--per_device_train_batch_size", str(args.batch_size), "--eval_strategy", "no", "--report_to", "none"]
        argv += ["--eval_split", "validation", "--use_cpu", str(args.device == "cpu"), "--states_layers", "all"]
        everything, _ = CommandLine(argv).arguments(args.task, "aif", folder)
        languages = evaluated_languages(everything, open_source(args.data))[: args.languages]
        line = CommandLine([*argv, "--languages", ",".join(languages)])
        self.arguments, self.training_arguments = line.arguments(args.task, "aif", folder)
        self.data = prepare(self.arguments)
        self.folders = (f"{folder}/states-{count}" for count in itertools.count())

    def states(self) -> None:
        self.arguments = replace(self.arguments, states_dir=next(self.folders))
        with_states(self.model(), self.data, self.arguments, self.training_arguments)

    def run(self) -> None:
        model = self.model()
        self._train(*get_regime("fusion").begin(model, self.data, self.arguments, self.training_arguments))

    def ordinary(self) -> None:
        model = self.model()
        encoder_of(model).requires_grad_(False)
        self._train(model, self.data)

    def model(self) -> Any:
        torch.manual_seed(0)
        return build_model(self.arguments, self.data.task).eval()

    def _train(self, model: Any, data: RunData) -> None:
        trainer = quiet_trainer(model, self.arguments, self.training_arguments, data, data.task.kind.keep)
        trainer.train()
        predictions(trainer, data.evaluation)


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder in XTREME's layout, or hub")
    parser.add_argument("--task", default="panx")
    add_common(parser, FOLDER)
    parser.add_argument("--train_rows", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--scored_rows", type=int, default=50, help="of each language")
    parser.add_argument("--languages", type=int, default=20, help="to score")
    parser.add_argument("--rounds", type=int, default=3)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = argument_parser()
    args = parser.parse_args(argv)
    counts = (args.train_rows, args.epochs, args.batch_size, args.scored_rows, args.languages, args.rounds)
    if min(*counts, args.threads) < 1:
        parser.error("rows, epochs, batch_size, languages, rounds and threads: expected whole numbers above 0")
    use_machine(parser, args)
    keep_freed_memory()

    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(args, folder)
        parts: dict[str, Callable[[], None]] = {
            "states": subject.states,
            "run": subject.run,
            "ordinary": subject.ordinary,
        }
        seconds: dict[str, list[float]] = {name: [] for name in parts}
        subject.states()  # what is done first takes longer, and a run needs some
        draw = random.Random(0)
        for _ in range(args.rounds):
            for name in draw.sample(list(parts), len(parts)):
                seconds[name].append(timed(parts[name], args.device))
                print(f"{name}: {seconds[name][-1]:.1f} s", flush=True)
        features = [one.features for one in subject.data.evaluation.values()]
        tokens = sum(sum(rows["length"][:]) for rows in (subject.data.train, *features))
        layers = subject.model().config.num_hidden_layers
    runs = layers * SEEDS
    sweeps = [first + runs * run for first, run in zip(seconds["states"], seconds["run"], strict=True)]
    name = short_name(args.encoder)
    report = Report(
        encoder=name,
        device=args.device,
        device_name=device_name(args.device),
        threads=args.threads,
        versions=versions(),
        task=args.task,
        train_rows=args.train_rows,
        languages=len(subject.data.evaluation),
        scored_rows=args.scored_rows,
        epochs=args.epochs,
        batch_size=args.batch_size,
        tokens=tokens,
        layers=layers,
        seeds=SEEDS,
        rounds=args.rounds,
        states_seconds=quartiles(seconds["states"]),
        run_seconds=quartiles(seconds["run"]),
        ordinary_seconds=quartiles(seconds["ordinary"]),
        sweep_ratio=quartiles(
            [runs * other / sweep for other, sweep in zip(seconds["ordinary"], sweeps, strict=True)]
        ),
        pass_ratio=quartiles([sweep / first for first, sweep in zip(seconds["states"], sweeps, strict=True)]),
    )
    write_report(report, report_file(args, FOLDER))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
