"""What the benchmarks share: their arguments, time on a device that may run on by itself, what they write."""

import argparse
import ctypes
import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from modeling_dlfa.encoders import EMBEDDED
from modeling_dlfa.files import write_text
from modeling_dlfa.training.results import short_name


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed, up to blocks of 32 MiB.

    Giving it back to the system and asking again took a tenth of the time, and the model it hit differed by the run.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for parameter, value in ((-1, 2**31 - 1), (-3, 2**25)):  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
            libc.mallopt(parameter, value)


def timed(call: Callable[[], None], device: str) -> float:
    """Seconds of one call."""
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def add_common(parser: argparse.ArgumentParser, folder: Path) -> None:
    """The arguments of every benchmark of an encoder.

    Args:
        folder: where its files are.
    """
    parser.add_argument("--encoder", default=EMBEDDED, help='a Hub id, a folder or "embedded" (default)')
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, help=f"default: results/{folder.name}/<encoder>-<device>.json")


def use_machine(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Do as these arguments say, and keep transformers quiet."""
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch finds no GPU")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(args.threads)


def report_file(args: argparse.Namespace, folder: Path, more: str = "") -> Path:
    """Where the report goes."""
    return args.output or folder / f"{short_name(args.encoder).replace('/', '--')}-{args.device}{more}.json"


def write_report(report: Any, path: Path) -> None:
    """Write down what a benchmark has found, a dataclass, and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(asdict(report), indent=2) + "\n")
    print(f"written to {path}")


def quartiles(values: Sequence[float]) -> list[float]:
    return [float(value) for value in np.quantile(values, (0.25, 0.5, 0.75))]


def device_name(device: str) -> str:
    """What people call the processor."""
    if device != "cpu":
        return torch.cuda.get_device_name()
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text("utf-8").splitlines() if cpus.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
