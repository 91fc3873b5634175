"""What does each fusion cost? Parameters, and its time beside the encoder's: `python benchmarks/fusions.py`.

The encoders are BERTs of 12 layers as wide as multilingual-e5-small (384) and XLM-R base (768), with random weights
and few words: neither changes what a fusion costs. The time of a fusion is that of its own forward pass at inference,
on states that the encoder has computed before. Every round runs the encoder and each fusion once, in an order of its
own; the share is the median over the rounds of a fusion's time by that of the encoder in the same round.

The file, `results/overhead/fusions-cpu.json` by default, is one `Report`; `python results/tables.py` makes
the table of docs/cost.md. Run it on an idle machine.
"""

import argparse
import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measuring import device_name, keep_freed_memory, quartiles, timed, write_report
from overhead import FOLDER, make_batch, without_labels
from transformers import BertConfig, BertModel

from modeling_dlfa import DLFAConfig
from modeling_dlfa.configuration_dlfa import FUSION_READS
from modeling_dlfa.modeling_dlfa import FUSIONS, lower_part, states_read
from modeling_dlfa.training.results import versions


LAYERS, VOCABULARY = 12, 1000
ENCODER = "encoder"
# One fusion reads several layers as well as one: its cost is told of both.
CASES: dict[str, dict[str, Any]] = {name: {"fusion": name} for name in FUSION_READS if name != "none"}
CASES["aif, two layers"] = {"fusion": "aif", "fusion_layer": [4, 8]}


@dataclass(frozen=True)
class Cost:
    """One fusion around an encoder of one width.

    Attributes:
        parameters: of the fusion.
        share: of its time by that of the encoder in the same round; first quartile, median, third quartile.
    """

    width: int
    fusion: str
    parameters: int
    share: list[float]


@dataclass(frozen=True)
class Report:
    """What one call of this script found, and with what; seconds are the encoders' medians, by width."""

    layers: int
    batch_size: int
    length: int
    rounds: int
    device_name: str
    threads: int
    versions: dict[str, str]
    seconds: dict[str, float]
    costs: list[Cost]


def measure(width: int, batch_size: int, length: int, rounds: int) -> tuple[float, list[Cost]]:
    """The encoder's median time in seconds, and what every fusion costs beside it."""
    torch.manual_seed(0)
    heads, batch = width // 32, without_labels(make_batch(batch_size, length, VOCABULARY, "cpu"))
    encoder_config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=LAYERS,
        num_attention_heads=heads,
        intermediate_size=4 * width,
    )
    encoder: Any = BertModel(encoder_config, add_pooling_layer=False).eval()
    states = encoder(**batch, output_hidden_states=True).hidden_states
    calls: dict[str, Any] = {ENCODER: lambda: encoder(**batch)}
    parameters: dict[str, int] = {}
    for name, arguments in CASES.items():
        # A copy, because a new configuration resets how its encoder attends.
        config = DLFAConfig(encoder_config=copy.deepcopy(encoder_config), **arguments)
        fusion = FUSIONS[config.fusion](config).eval()
        parameters[name] = sum(weight.numel() for weight in fusion.parameters())
        read = [states[k] for k in states_read(config)]

        def call(fusion=fusion, read=read, reads=config.fusion_reads) -> None:
            fusion(read[-1], lower_part(read, reads), batch["attention_mask"])

        calls[name] = call
    times: dict[str, list[float]] = {name: [] for name in calls}
    names, draw = list(calls), random.Random(0)
    for _ in range(rounds + 1):
        draw.shuffle(names)
        for name in names:
            times[name].append(timed(calls[name], "cpu"))
    times = {name: found[1:] for name, found in times.items()}  # the first round warms up
    shares = {name: [own / whole for own, whole in zip(times[name], times[ENCODER])] for name in CASES}
    costs = [Cost(width, name, parameters[name], quartiles(shares[name])) for name in CASES]
    return quartiles(times[ENCODER])[1], costs


@torch.inference_mode()
def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", nargs="+", type=int, default=[384, 768], help="multiples of 32")
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, default=FOLDER / "fusions-cpu.json")
    args = parser.parse_args(argv)
    if min(args.batch_size, args.length, args.rounds, args.threads) < 1:
        parser.error("batch size, length, rounds and threads: expected whole numbers above 0")
    if any(width < 32 or width % 32 for width in args.widths):
        parser.error("widths: expected multiples of 32")
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    seconds, costs = {}, []
    for width in args.widths:
        seconds[str(width)], found = measure(width, args.batch_size, args.length, args.rounds)
        costs += found
        print(f"{width}: " + ", ".join(f"{one.fusion} {one.share[1]:.3f}" for one in found), flush=True)
    report = Report(
        layers=LAYERS,
        batch_size=args.batch_size,
        length=args.length,
        rounds=args.rounds,
        device_name=device_name("cpu"),
        threads=args.threads,
        versions=versions(),
        seconds=seconds,
        costs=costs,
    )
    write_report(report, args.output)


if __name__ == "__main__":
    main()
