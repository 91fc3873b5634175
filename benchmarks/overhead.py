"""What does fusion cost? Time, memory and parameters beside the plain encoder: `python benchmarks/overhead.py`.

Four models with the same weights and the same classifier of every token, so that every position of the output counts:

    plain    transformers' own `AutoModelForTokenClassification`
    none     `DLFAForTokenClassification` with `fusion="none"`: what the wrapper alone costs
    dlfa     with `fusion="aif"` at two thirds of the depth
    naive    the same, as one would write it down first: all hidden states kept, AIF as `Conv1d` between transposes

They are compared before anything is measured: plain with none bit for bit, dlfa with naive to rounding.

Every round runs each model once, in an order of its own, on the same padded batch. A model's time is the median over
the rounds, its ratio the median over the rounds of its time by that of plain in the same round, so that a machine that
slows down slows all of them. A training step is forward, backward and a step of the Trainer's default optimizer on all
parameters. Peak memory is what the weights (in training also the optimizer's state) and the tensors of one call take
together, counted by torch's allocator; scratch space inside its libraries is not seen on a CPU.

The file, `results/overhead/<encoder>-<device>.json` by default, is one `Report`; `python results/tables.py` makes
the table of docs/cost.md. It takes about eight minutes on two CPU cores; nothing else should run there meanwhile.
"""

import argparse
import copy
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
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
from torch import nn
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModelForTokenClassification
from transformers.modeling_outputs import TokenClassifierOutput

from modeling_dlfa import DLFAForTokenClassification
from modeling_dlfa.encoders import resolve_encoder
from modeling_dlfa.errors import InputError
from modeling_dlfa.modeling_dlfa import AIF, AIFBranch
from modeling_dlfa.training.results import short_name, versions


FOLDER = Path(__file__).resolve().parents[1] / "results" / "overhead"
LABELS = 17  # as part-of-speech tagging has
TOLERANCE = 1e-3  # how far the naive model may be from DLFA, by how far DLFA is from the plain encoder

Batch = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Measurement:
    """One model at one task and shape.

    Attributes:
        task: "inference" or "training".
        seconds: of one call; first quartile, median, third quartile over the rounds.
        ratio: the same of the time by that of the plain model in the same round.
        resident_bytes: weights and buffers, in training also the optimizer's state.
        peak_bytes: these and the most that the call's own tensors took at once.
    """

    task: str
    batch_size: int
    length: int
    model: str
    rounds: int
    seconds: list[float]
    ratio: list[float]
    resident_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class Report:
    """What one call of this script found, and with what."""

    encoder: str
    fusion_layer: int
    encoder_layers: int
    attention: str
    dtype: str
    device: str
    device_name: str
    threads: int
    versions: dict[str, str]
    parameters: dict[str, int]
    measurements: list[Measurement]


# ---------------------------------------------------------------------------------------------------------------------
# Models
# ---------------------------------------------------------------------------------------------------------------------


class NaiveBranch(nn.Module):
    """A branch of AIF over (B, E, T), with the weights of the given one."""

    def __init__(self, branch: AIFBranch):
        super().__init__()
        self.reduce, self.expand = pointwise(branch.reduce), pointwise(branch.expand)
        self.norm, self.activation = copy.deepcopy(branch.norm), branch.activation

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        states = self.norm(self.reduce(states).transpose(1, 2)).transpose(1, 2)
        return self.expand(self.activation(states))


def pointwise(linear: nn.Linear) -> nn.Conv1d:
    """The convolution with kernel size 1 that does what the linear map does."""
    convolution = nn.Conv1d(linear.in_features, linear.out_features, kernel_size=1)
    convolution.load_state_dict({"weight": linear.weight.unsqueeze(-1), "bias": linear.bias})
    return convolution


class Naive(nn.Module):
    """DLFA as one would write it down first, with the weights of the given model."""

    def __init__(self, model: DLFAForTokenClassification):
        super().__init__()
        fusion = cast(AIF, model.dlfa.fusion)
        self.layer = cast(int, model.config.fusion_layer)
        self.encoder = copy.deepcopy(model.dlfa.encoder)
        self.local_branch, self.global_branch = NaiveBranch(fusion.local_branch), NaiveBranch(fusion.global_branch)
        self.dropout, self.classifier = copy.deepcopy(model.dropout), copy.deepcopy(model.classifier)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor | None = None
    ) -> TokenClassifierOutput:
        states = self.encoder(input_ids, attention_mask, output_hidden_states=True).hidden_states
        x, y = states[-1].transpose(1, 2), states[self.layer].transpose(1, 2)  # (B, E, T)
        both = x + y
        mask = attention_mask.unsqueeze(1).to(both.dtype)  # (B, 1, T)
        mean = (both * mask).sum(dim=2, keepdim=True) / mask.sum(dim=2, keepdim=True)  # (B, E, 1)
        w = torch.sigmoid(self.local_branch(both) + self.global_branch(mean))
        fused = (w * x + (1 - w) * y).transpose(1, 2)
        logits = self.classifier(self.dropout(fused))
        loss = None if labels is None else nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return TokenClassifierOutput(cast(Any, loss), logits)


def build_models(encoder: str, device: str) -> dict[str, Any]:
    """The four models by name.

    Encoder and classifier are the same tensors in all: copies that lie elsewhere in memory differed by 3 % in time.
    """
    torch.manual_seed(0)
    # Without the start at the identity, so that every weight of the fusion has its part in the result.
    kwargs: dict[str, Any] = {"num_labels": LABELS, "dtype": torch.float32}
    none = DLFAForTokenClassification.from_encoder(encoder, fusion="none", **kwargs)
    dlfa = DLFAForTokenClassification.from_encoder(encoder, identity_init=False, **kwargs)
    plain = AutoModelForTokenClassification.from_pretrained(encoder, **kwargs)
    naive = Naive(dlfa)
    models = {"plain": plain, "none": none, "dlfa": dlfa, "naive": naive}
    for model in models.values():
        model.to(device).eval()
    weights = plain.base_model.state_dict(keep_vars=True)
    for model, encoder_module in ((none, none.dlfa.encoder), (dlfa, dlfa.dlfa.encoder), (naive, naive.encoder)):
        encoder_module.load_state_dict(weights, assign=True)
        model.classifier.load_state_dict(plain.classifier.state_dict(keep_vars=True), assign=True)
    return models


@torch.inference_mode()
def check_models(models: dict[str, Any], batch: Batch, encoder: str) -> None:
    """Compare what must be equal.

    Raises:
        InputError: the encoder's own token classifier is not a linear map of its output.
        RuntimeError: the models do not do the same.
    """
    logits = {name: model(**without_labels(batch)).logits[batch["labels"] >= 0] for name, model in models.items()}
    if not torch.equal(logits["plain"], logits["none"]):
        raise InputError(
            f"{encoder}: its own token classifier is more than a linear map, expected an encoder like BERT"
        )
    error, effect = ((logits["dlfa"] - logits[name]).abs().max().item() for name in ("naive", "plain"))
    if not error < TOLERANCE * effect:
        raise RuntimeError(f"the naive model's logits are {error:.1e} away, where fusion changes them by {effect:.1e}")


# ---------------------------------------------------------------------------------------------------------------------
# Measuring
# ---------------------------------------------------------------------------------------------------------------------


def make_batch(batch_size: int, length: int, vocabulary: int, device: str) -> Batch:
    """Random tokens; the first row is full, the others are padded, at most half of them."""
    generator = torch.Generator().manual_seed(0)
    shape = (batch_size, length)
    lengths = torch.randint((length + 1) // 2, length + 1, (batch_size, 1), generator=generator)
    lengths[0] = length
    mask = torch.arange(length) < lengths  # (B, T)
    labels = torch.randint(LABELS, shape, generator=generator).masked_fill(~mask, -100)
    tokens = torch.randint(vocabulary // 2, vocabulary, shape, generator=generator)  # no special ones
    batch = {"input_ids": tokens, "attention_mask": mask.long(), "labels": labels}
    return {name: tensor.to(device) for name, tensor in batch.items()}


def without_labels(batch: Batch) -> Batch:
    return {name: tensor for name, tensor in batch.items() if name != "labels"}


class Subject:
    """A model as it is measured: its two tasks, and what it takes when nothing runs."""

    def __init__(self, model: nn.Module, batch: Batch, states: dict[torch.Tensor, dict]):
        """states: the optimizer's, of weights that were seen before; new ones are added."""
        self.model = model
        # No learning, so that every step meets the same weights.
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, fused=True)
        self.optimizer.state.update({weight: states[weight] for weight in model.parameters() if weight in states})
        self.run("training", batch)  # which makes the states that are not there yet
        states.update(self.optimizer.state)

    def run(self, task: str, batch: Batch) -> None:
        self.model.train(task == "training")
        if task == "training":
            self.model(**batch).loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        else:
            with torch.inference_mode():
                self.model(**without_labels(batch))

    def resident_bytes(self, task: str) -> int:
        tensors = [*self.model.parameters(), *self.model.buffers()]
        if task == "training":
            tensors += [value for state in self.optimizer.state.values() for value in state.values()]
        return sum(tensor.nbytes for tensor in tensors)


def peak_bytes(call: Callable[[], None], device: str) -> int:
    """The most memory that a call has allocated and not yet freed at any moment, in bytes."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return torch.cuda.max_memory_allocated() - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        call()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text("utf-8"))["traceEvents"]
    changes = [(event["ts"], event["args"]["Bytes"]) for event in events if event["name"] == "[memory]"]
    return int(np.cumsum([change for _, change in sorted(changes, key=lambda pair: pair[0])]).max())


def measure(
    subjects: dict[str, Subject], task: str, batch: Batch, device: str, rounds: int, seconds: float
) -> list[Measurement]:
    """Memory, then time of every model over at least `rounds` rounds, and as many as `seconds` allow."""
    batch_size, length = batch["input_ids"].shape
    calls = {name: lambda subject=subject: subject.run(task, batch) for name, subject in subjects.items()}
    peaks = {name: peak_bytes(call, device) for name, call in calls.items()}  # also warms up
    times: dict[str, list[float]] = {name: [] for name in calls}
    names, draw = list(calls), random.Random(0)
    end = time.perf_counter() + seconds
    while len(times["plain"]) < rounds or time.perf_counter() < end:
        draw.shuffle(names)
        for name in names:
            times[name].append(timed(calls[name], device))
    found = []
    for name, subject in subjects.items():
        resident = subject.resident_bytes(task)
        found.append(
            Measurement(
                task=task,
                batch_size=batch_size,
                length=length,
                model=name,
                rounds=len(times[name]),
                seconds=quartiles(times[name]),
                ratio=quartiles([own / plain for own, plain in zip(times[name], times["plain"])]),
                resident_bytes=resident,
                peak_bytes=resident + peaks[name],
            )
        )
    return found


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser, FOLDER)
    parser.add_argument("--batch_sizes", nargs="+", type=int, default=[8, 32])
    parser.add_argument("--lengths", nargs="+", type=int, default=[32, 128])
    parser.add_argument("--rounds", type=int, default=5, help="at least, for each task and shape")
    parser.add_argument("--seconds", type=float, default=35, help="go on with rounds for so long, each task and shape")
    args = parser.parse_args(argv)
    if min(args.rounds, args.threads, *args.batch_sizes, *args.lengths) < 1:
        parser.error("rounds, threads, batch sizes and lengths: expected whole numbers above 0")
    use_machine(parser, args)
    keep_freed_memory()

    models = build_models(resolve_encoder(args.encoder), args.device)
    config = models["dlfa"].config
    vocabulary, positions = config.encoder_config.vocab_size, config.encoder_config.max_position_embeddings
    if max(args.lengths) > positions:
        raise InputError(f"--lengths {max(args.lengths)}: {args.encoder} has {positions} positions")
    batch = make_batch(min(args.batch_sizes), min(args.lengths), vocabulary, args.device)
    check_models(models, batch, args.encoder)
    states: dict[torch.Tensor, dict] = {}
    subjects = {name: Subject(model, batch, states) for name, model in models.items()}
    measurements = []
    for batch_size in args.batch_sizes:
        for length in args.lengths:
            batch = make_batch(batch_size, length, vocabulary, args.device)
            for task in ("inference", "training"):
                found = measure(subjects, task, batch, args.device, args.rounds, args.seconds)
                measurements += found
                ratios = ", ".join(f"{each.model} {each.ratio[1]:.3f}" for each in found[1:])
                print(
                    f"{task} {batch_size} x {length}: plain {1000 * found[0].seconds[1]:.1f} ms; {ratios}", flush=True
                )
    name = short_name(args.encoder)
    report = Report(
        encoder=name,
        fusion_layer=config.fusion_layer,
        encoder_layers=config.num_hidden_layers,
        attention=config.encoder_config._attn_implementation,
        dtype="float32",
        device=args.device,
        device_name=device_name(args.device),
        threads=args.threads,
        versions=versions(),
        parameters={name: sum(each.numel() for each in model.parameters()) for name, model in models.items()},
        measurements=measurements,
    )
    write_report(report, report_file(args, FOLDER))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
