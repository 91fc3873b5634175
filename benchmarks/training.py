"""How long do an epoch and scoring take, beside other loops? `python benchmarks/training.py --data PATH`.

Three loops over the same rows, with the same model (the baseline) and the same fused AdamW on all weights:

    xtreme   as XTREME's scripts: every row padded to 128; batches of 4, 8 of them for an update; scored 8 at a time
    plain    a `Trainer` as in transformers' examples: random order, padded to the longest of the batch; batches of 32;
             scored 8 at a time (its default) in the order of the files, language after language
    ours     `dlfa train`: groups of like lengths, padded to the longest of the batch; batches of 32; scored by a
             budget of tokens, all languages together

so that every loop makes the same number of updates of 32 rows. What an epoch or scoring comes to is a sum over
hundreds of steps, which differ in length: a round takes a sample of each loop's steps, spread evenly over their
lengths, about `--tokens` padded tokens of each loop, all in an order of their own. A step's mean time by the number of
steps is the time of the whole. Given are the median over the rounds, and the median of the ratio to ours in the same
round, so that a machine that slows down slows all loops. Steps read rows, pad them and compute; nothing is logged,
evaluated or saved. Padding is counted over all steps.

The file, `results/training_speed/<encoder>-<device>.json` by default, is one `Report`; `python results/tables.py`
makes the table of it. It takes about ten minutes on two CPU cores. `--count` counts tokens and times nothing.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
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
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.encoding import IGNORED
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import evaluated_languages, open_source, prepare
from modeling_dlfa.training.model import build_model
from modeling_dlfa.training.results import short_name, versions
from modeling_dlfa.training.scoring import merged
from modeling_dlfa.training.trainer import make_trainer


FOLDER = Path(__file__).resolve().parents[1] / "results" / "training_speed"
TASKS = ("panx", "udpos", "xnli", "pawsx")
UPDATE = 32  # rows
FIXED, FIXED_BATCH = 128, 4  # XTREME's length and batch
SCORED = 8  # rows of a batch in the loops that are not ours

Batch = dict[str, torch.Tensor]
Step = list[Callable[[], Batch]]  # what makes each batch that is computed before weights change


@dataclass(frozen=True)
class Plan:
    """One loop over some rows: an epoch, or scoring.

    Attributes:
        steps: what is computed, in order.
        padded: tokens of each step, padding included.
        tokens: of all rows, without.
        rows: how many there are.
    """

    steps: list[Step]
    padded: list[int]
    tokens: int
    rows: int

    @classmethod
    def of(cls, loader: DataLoader, lengths: Sequence[int], batches: int = 1, length: int | None = None) -> "Plan":
        """What a loader gives.

        Args:
            lengths: of its rows.
            batches: how many make a step.
            length: that every row is padded to; default: the longest of its batch.
        """
        dataset: Any = loader.dataset
        collator: Any = loader.collate_fn
        made: list[list[int]] = list(loader.batch_sampler)  # pyright: ignore
        padded = [len(rows) * (length or max(lengths[row] for row in rows)) for rows in made]
        starts = range(0, len(made), batches)
        return cls(
            steps=[
                [lambda rows=rows: collator(dataset.__getitems__(rows)) for rows in made[start : start + batches]]
                for start in starts
            ],
            padded=[sum(padded[start : start + batches]) for start in starts],
            tokens=sum(lengths),
            rows=len(lengths),
        )

    def __add__(self, other: "Plan") -> "Plan":
        """One after the other."""
        return Plan(
            self.steps + other.steps,
            self.padded + other.padded,
            self.tokens + other.tokens,
            self.rows + other.rows,
        )

    @property
    def padding(self) -> float:
        """Share of padding in all tokens."""
        return 1 - self.tokens / sum(self.padded)

    def sample(self, tokens: int, draw: random.Random) -> list[Step]:
        """Steps with about so many padded tokens together, spread evenly over the lengths of steps."""
        count = min(len(self.steps), max(2, round(tokens * len(self.steps) / sum(self.padded))))
        by_length = sorted(range(len(self.steps)), key=self.padded.__getitem__)
        start = draw.random()
        return [self.steps[by_length[int((place + start) * len(by_length) / count)]] for place in range(count)]


@dataclass(frozen=True)
class Measurement:
    """One loop at one task.

    Attributes:
        phase: "training" (an epoch) or "scoring" (all languages once).
        languages: how many the rows are of.
        steps: updates, or batches scored.
        tokens, padded_tokens: without and with padding; `padding` is its share.
        rounds: 0 where only tokens were counted.
        seconds: of the whole phase; first quartile, median, third quartile over the rounds.
        ratio: the same of the time by that of ours in the same round.
    """

    task: str
    phase: str
    loop: str
    languages: int
    rows: int
    steps: int
    tokens: int
    padded_tokens: int
    padding: float
    rounds: int = 0
    seconds: list[float] = field(default_factory=list)
    ratio: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """What one call of this script found, and with what."""

    encoder: str
    device: str
    device_name: str
    threads: int
    precision: str
    versions: dict[str, str]
    measurements: list[Measurement]


# ---------------------------------------------------------------------------------------------------------------------
# Loops
# ---------------------------------------------------------------------------------------------------------------------


def padded_to(length: int, collator: Callable[[list[dict[str, Any]]], Any], pad_id: int) -> Callable[..., Any]:
    """A collator that pads every row to the same length."""

    def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        beyond = {"input_ids": pad_id, "labels": IGNORED}
        return {
            name: torch.nn.functional.pad(value, (0, length - value.shape[1]), value=beyond.get(name, 0))
            if value.dim() == 2
            else value
            for name, value in collator(rows).items()
        }

    return collate


def plans(task: str, args: argparse.Namespace, folder: str) -> tuple[Any, int, dict[str, dict[str, Plan]]]:
    """The model, the number of languages, and phase -> loop -> what is computed.

    Raises:
        InputError: the data are not there.
    """
    argv = ["--data", args.data, "--model_name_or_path", args.encoder, "--disable_tqdm", "true"]
    argv += ["--max_train_samples", str(args.train_rows), "--max_eval_samples", str(args.scored_rows)]
    argv += ["--eval_strategy", "no", "--report_to", "none"]
    argv += ["--use_cpu"] if args.device == "cpu" else []
    arguments, training_arguments = CommandLine(argv).arguments(task, "none", folder)
    # Some tasks of a folder have more languages in one split, some in the other.
    by_split = {
        split: evaluated_languages(replace(arguments, eval_split=split), open_source(arguments.data))
        for split in ("test", "validation")
    }
    split = max(by_split, key=lambda name: len(by_split[name]))
    languages = by_split[split][: args.languages]
    arguments = replace(arguments, eval_split=split, languages=",".join(languages))
    data = prepare(arguments)
    torch.manual_seed(0)
    model: Any = build_model(arguments, data.task)
    ours = make_trainer(model, arguments, training_arguments, data, keep=data.task.kind.keep)
    collator, train = data.task.kind.collator(data.tokenizer), data.train
    fixed = padded_to(FIXED, collator, data.tokenizer.pad_token_id)  # pyright: ignore

    def plain(batch: int, collate: Any) -> Trainer:
        batches: Any = {"per_device_train_batch_size": batch, "per_device_eval_batch_size": SCORED}
        more = TrainingArguments(folder, use_cpu=args.device == "cpu", report_to="none", disable_tqdm=True, **batches)
        return Trainer(model=model, args=more, train_dataset=train, data_collator=collate)

    others = {"xtreme": (plain(FIXED_BATCH, fixed), FIXED), "plain": (plain(UPDATE, collator), None)}
    lengths = train["length"][:]
    found: dict[str, dict[str, Plan]] = {"training": {}, "scoring": {}}
    for name, (trainer, length) in others.items():
        batches = UPDATE // trainer.args.train_batch_size
        found["training"][name] = Plan.of(trainer.get_train_dataloader(), lengths, batches, length)
        for eval_set in data.evaluation.values():
            rows = eval_set.features.sort("sentence")  # the order of the file
            plan = Plan.of(trainer.get_test_dataloader(rows), rows["length"][:], 1, length)  # pyright: ignore
            found["scoring"][name] = found["scoring"][name] + plan if name in found["scoring"] else plan
    found["training"]["ours"] = Plan.of(ours.get_train_dataloader(), lengths)
    rows, _ = merged(data.evaluation)
    found["scoring"]["ours"] = Plan.of(ours.get_test_dataloader(rows), rows["length"][:])
    return model, len(languages), found


# ---------------------------------------------------------------------------------------------------------------------
# Measuring
# ---------------------------------------------------------------------------------------------------------------------


class Subject:
    """The model as all loops use it."""

    def __init__(self, model: Any, args: argparse.Namespace):
        self.model = model.to(args.device)
        self.device = args.device
        self.bf16 = args.bf16
        # No learning, so that every step meets the same weights.
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, fused=True)

    def run(self, phase: str, step: Step) -> None:
        self.model.train(phase == "training")
        with torch.set_grad_enabled(phase == "training"):
            for make in step:
                batch = {name: value.to(self.device) for name, value in make().items()}
                with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
                    outputs = self.model(**batch)
                if phase == "training":
                    (outputs.loss / len(step)).backward()
                else:
                    outputs.logits.argmax(dim=-1).cpu()
        if phase == "training":
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad()


def measure(
    subject: Subject, by_phase: dict[str, dict[str, Plan]], args: argparse.Namespace
) -> dict[tuple[str, str], list[float]]:
    """(phase, loop) -> seconds of the whole phase, estimated in every round."""
    times: dict[tuple[str, str], list[float]] = {
        (phase, loop): [] for phase, by_loop in by_phase.items() for loop in by_loop
    }
    for phase, loop in times:  # what is done first takes longer
        steps = by_phase[phase][loop].steps
        subject.run(phase, steps[len(steps) // 2])
    draw = random.Random(0)
    for _ in range(args.rounds):
        work = [
            (phase, loop, step) for phase, loop in times for step in by_phase[phase][loop].sample(args.tokens, draw)
        ]
        draw.shuffle(work)
        seconds: dict[tuple[str, str], list[float]] = {key: [] for key in times}
        for phase, loop, step in work:
            seconds[phase, loop].append(timed(partial(subject.run, phase, step), args.device))
        for (phase, loop), own in seconds.items():
            times[phase, loop].append(sum(own) / len(own) * len(by_phase[phase][loop].steps))
    return times


def measured(task: str, args: argparse.Namespace) -> Iterator[Measurement]:
    """Every loop at a task, an epoch and scoring."""
    with tempfile.TemporaryDirectory() as folder:
        model, languages, by_phase = plans(task, args, str(Path(folder) / "out"))
        times = {} if args.count else measure(Subject(model, args), by_phase, args)
    for phase, by_loop in by_phase.items():
        for loop, plan in by_loop.items():
            seconds = times.get((phase, loop), [])
            ours = times.get((phase, "ours"), [])
            yield Measurement(
                task=task,
                phase=phase,
                loop=loop,
                languages=languages if phase == "scoring" else 1,
                rows=plan.rows,
                steps=len(plan.steps),
                tokens=plan.tokens,
                padded_tokens=sum(plan.padded),
                padding=plan.padding,
                rounds=len(seconds),
                seconds=quartiles(seconds) if seconds else [],
                ratio=quartiles([own / other for own, other in zip(seconds, ours)]) if seconds else [],
            )


def argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="a folder in XTREME's layout, or hub")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    add_common(parser, FOLDER)
    parser.add_argument("--bf16", action="store_true", help="compute in bfloat16, in all loops")
    parser.add_argument("--train_rows", type=int, default=5000, help="of an epoch")
    parser.add_argument("--scored_rows", type=int, default=250, help="of each language")
    parser.add_argument("--languages", type=int, default=20, help="to score")
    parser.add_argument("--tokens", type=int, default=8192, help="padded tokens of a loop in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", action="store_true", help="only count tokens")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = argument_parser()
    args = parser.parse_args(argv)
    if min(args.train_rows, args.scored_rows, args.languages, args.tokens, args.rounds, args.threads) < 1:
        parser.error("rows, languages, tokens, rounds and threads: expected whole numbers above 0")
    use_machine(parser, args)
    keep_freed_memory()

    measurements: list[Measurement] = []
    for task in args.tasks:
        for each in measured(task, args):
            measurements.append(each)
            time = f"{each.seconds[1]:.1f} s, {each.ratio[1]:.2f} of ours" if each.seconds else "not timed"
            print(f"{task} {each.phase} {each.loop}: padding {each.padding:.0%}, {time}", flush=True)
    name = short_name(args.encoder)
    report = Report(
        encoder=name,
        device=args.device,
        device_name=device_name(args.device),
        threads=args.threads,
        precision="bfloat16" if args.bf16 else "float32",
        versions=versions(),
        measurements=measurements,
    )
    write_report(report, report_file(args, FOLDER, "-bf16" if args.bf16 else ""))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
