"""What the commands of a study do, and what they show."""

import argparse
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

import torch
from rich.markup import escape
from rich.table import Table

from ..cli import make_console
from ..errors import InputError
from ..machine import shared_threads
from .engine import CellStatus, Engine, State
from .intermediate import measure_code_lengths
from .records import Record, load_records
from .report import write_report
from .scouting import scout_study, scout_table
from .spec import StudySpec
from .tuning import tuned_study


def run_study(spec: StudySpec, arguments: argparse.Namespace) -> int:
    """Run what is left of the study, then write the report."""
    spec.check()
    engine = _engine(spec, arguments)
    if arguments.retry:
        engine.retry()
    if os.environ.get(WORKER) is None:
        _check_data(engine.status())
    with stopped_by_signals():
        if arguments.workers > 1:
            _run_workers(arguments)
        if spec.tune:
            spec = tuned_study(spec, _line)
            engine = _engine(spec, arguments)
        if arguments.workers == 1:
            engine.work(_line)
    if os.environ.get(WORKER) is None:
        try:
            measure_code_lengths(spec, _line)
        except InputError as error:
            _line(f"not measured: {error}")  # the report says the rest
        _write_report(spec, engine.collect())
    statuses = engine.status()
    _show_failures(statuses)
    return int(any(status.state is not State.DONE for status in statuses))


def _check_data(statuses: Sequence[CellStatus]) -> None:
    """Look for the data of what is to be done, before hours of work on the rest.

    Raises:
        InputError: naming the task and what is missing.
    """
    waiting = [status.cell for status in statuses if status.state is State.WAITING]
    for cell in {(*cell.place, cell.model.condition): cell for cell in waiting}.values():
        try:
            cell.check_data()
        except InputError as error:
            raise InputError(f"{'/'.join(cell.place)}: {error}") from error


def show_status(spec: StudySpec, arguments: argparse.Namespace) -> int:
    """Show how far the study is."""
    statuses = _engine(spec, arguments).status()
    console = make_console()
    console.print(status_table(spec, statuses))
    _show_failures(statuses)
    left = time_left(statuses)
    if left is not None:
        console.print(f"about {left} left", highlight=False)
    if all(status.state is State.WAITING for status in statuses):  # later ones have been through it
        try:
            spec.check()
        except InputError as error:
            _line(f"run refuses it: {error}")
    return 0


def _show_failures(statuses: Sequence[CellStatus]) -> None:
    for status in statuses:
        if status.state is State.FAILED:
            _line(f"failed: {status.cell.name}: {status.error}")


def retry_failed(spec: StudySpec, arguments: argparse.Namespace) -> int:
    """Put failed cells into the queue again."""
    for cell in (cells := _engine(spec, arguments).retry()):
        print(cell.name)
    print(f"{len(cells)} cells will be run again by the next worker")
    return 0


def scout_layers(spec: StudySpec, arguments: argparse.Namespace) -> int:
    """Rank all layers on development data of the training language, without running the grid."""
    spec.check()
    make_console().print(scout_table(scout_study(spec, _line)))
    return 0


def report_study(spec: StudySpec, arguments: argparse.Namespace) -> int:
    """Write the report from the records, without the storage unless one is given."""
    spec.check_distinct()
    spec.check_tuned()
    records = _engine(spec, arguments).collect() if arguments.storage else load_records(spec.records, spec.cells)
    if not records:
        raise InputError(f"{spec.records}: no cell of {spec.name} is done, there is nothing to report")
    _write_report(spec, records)
    return 0


RUN: dict[str, Callable[[StudySpec, argparse.Namespace], int]] = {
    "run": run_study,
    "status": show_status,
    "retry": retry_failed,
    "scout": scout_layers,
    "report": report_study,
}
"""Name of a command -> what runs it and returns the exit code; `study.__main__.COMMANDS` describes them."""


def _write_report(spec: StudySpec, records: Sequence[Record]) -> None:
    page = write_report(spec, records, spec.output_dir / "report")
    _line(f"report of {len(records)} of {len(spec.cells)} runs: {page}")


# ---------------------------------------------------------------------------------------------------------------------
# Status
# ---------------------------------------------------------------------------------------------------------------------


def status_table(spec: StudySpec, statuses: Sequence[CellStatus]) -> Table:
    """Cells by task and encoder, counted by state."""
    table = Table(title=escape(spec.name), title_justify="left")
    table.add_column("task")
    table.add_column("encoder")
    for state in State:
        table.add_column(state.value, justify="right")
    counts: dict[tuple[str, str], Counter[State]] = {}
    for status in statuses:
        counts.setdefault((status.cell.task, status.cell.encoder), Counter())[status.state] += 1
    for (task, encoder), by_state in counts.items():
        table.add_row(escape(task), escape(encoder), *(str(by_state[state]) for state in State))
    return table


def time_left(statuses: Sequence[CellStatus], now: datetime | None = None) -> timedelta | None:
    """What is left, by the mean time of the finished cells of the same task and encoder, else of all.

    None while nothing that was run is finished. It is for the workers running now, at least one.
    """
    now = now or datetime.now()
    took: dict[tuple[str, str], list[float]] = {}
    for status in statuses:
        if status.duration is not None:
            took.setdefault((status.cell.task, status.cell.encoder), []).append(status.duration.total_seconds())
    if not took:
        return None
    overall = fmean(seconds for times in took.values() for seconds in times)
    left = 0.0
    for status in statuses:
        if status.state in (State.RUNNING, State.WAITING):
            expected = fmean(took.get((status.cell.task, status.cell.encoder), [overall]))
            since = status.trial.datetime_start if status.trial is not None else None
            begun = (now - since).total_seconds() if status.state is State.RUNNING and since else 0.0
            left += max(expected - begun, 0.0)
    workers = max(1, sum(status.state is State.RUNNING for status in statuses))
    return timedelta(seconds=round(left / workers))


# ---------------------------------------------------------------------------------------------------------------------
# Workers
# ---------------------------------------------------------------------------------------------------------------------

WORKER = "DLFA_STUDY_WORKER"  # set in the processes that `--workers` starts


def _run_workers(arguments: argparse.Namespace) -> None:
    command = [sys.executable, "-m", "modeling_dlfa.study", "run", arguments.study, "--workers", "1"]
    command += ["--heartbeat", str(arguments.heartbeat)]
    for name in ("storage", "output_dir"):
        if value := getattr(arguments, name):
            command += [f"--{name}", value]
    workers = [
        subprocess.Popen(command, env={**os.environ, **worker_environment(number, arguments.workers)})
        for number in range(arguments.workers)
    ]
    try:
        for worker in workers:
            worker.wait()
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """SIGTERM, of a batch system or of the command that started a worker, ends it as control-C does.

    What comes within seconds of the first signal is ignored: control-C reaches workers from the terminal and again
    from their command, and a worker must be able to say that it was interrupted. What is raised while Python tidies up
    is lost, so it is raised again until it is heard; that it was lost is nothing to print.
    """
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    last = -math.inf

    def stop(*_: Any) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before < SAME_SIGNAL:
            last = before
            return
        if again is not None:
            signal.setitimer(signal.ITIMER_REAL, SAME_SIGNAL)
        raise KeyboardInterrupt

    def lost(unraisable: Any) -> None:
        if again is None or unraisable.exc_type is not KeyboardInterrupt:
            unraisable_hook(unraisable)

    again = getattr(signal, "SIGALRM", None)  # not on Windows
    unraisable_hook, sys.unraisablehook = sys.unraisablehook, lost
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, again) if number is not None]
    handlers = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        if again is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        sys.unraisablehook = unraisable_hook


SAME_SIGNAL = 5.0  # seconds


def worker_environment(number: int, workers: int) -> dict[str, str]:
    """Environment of one of several workers on this machine: its share of the cores, and one of the GPUs."""
    environment = {WORKER: str(number), **shared_threads(workers)}
    if gpus := torch.cuda.device_count():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(gpus)))).split(",")
        environment["CUDA_VISIBLE_DEVICES"] = visible[number % len(visible)]
    return environment


def _engine(spec: StudySpec, arguments: argparse.Namespace) -> Engine:
    return Engine(spec, arguments.storage, arguments.heartbeat)


def _line(text: str) -> None:
    print(text, flush=True)
