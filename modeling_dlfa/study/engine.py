"""The grid on Optuna: its storage hands out the cells, so that any number of workers anywhere can share a study.

Every cell is a trial. A worker takes a waiting one, sends heartbeats while it runs, and leaves the record in the
storage and in the study's folder. A trial whose heartbeat stops is failed by the next worker that looks, and its cell
enqueued again. What is to be done follows from the storage alone, so workers can come, go and be killed at any time.
A record that lies in the study's folder before the storage knows of its cell, as in a clone of a repository that has
the records, is taken into the storage when that is opened.

A worker that dies with a cell may have been killed by it, and that is counted. One that is interrupted, or was taken
for dead while it slept (a suspended laptop) and goes on, was not.
"""

import base64
import contextlib
import io
import json
import os
import re
import shutil
import socket
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, event
from sqlalchemy import Engine as Database
from sqlalchemy.exc import DatabaseError, SQLAlchemyError

from ..errors import InputError, one_line
from ..files import expanded, write_text
from ..privacy import without_paths, without_secrets
from ..training.arguments import RunArguments
from ..training.counts import packed, unpacked
from ..training.data import RunData, prepare
from ..training.derived import data_key
from ..training.folder import holds_run
from ..training.lora import ADAPTER
from ..training.noted import as_noted
from ..training.results import RunResults
from ..training.stages import Stage, run_chain
from . import HEARTBEAT
from .records import Record, has_record, load_records
from .spec import Cell, StudySpec


# A cell whose workers died so often is given up: it may be what kills them.
MAX_DEATHS = 3
# Of the study's attributes, with a number: that trial's worker was not dead after all.
AWOKEN = "awoken "
# Of a trial's attributes: its cell was not run for it, a record was there.
TAKEN = "taken"
# Beside a run's files: the settings it was made with.
CELL_FILE = "cell.json"


class State(Enum):
    """Where a cell stands."""

    DONE = "done"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True)
class CellStatus:
    """A cell with its state and the trial that says so; a cell that nobody has enqueued yet has none."""

    cell: Cell
    state: State
    trial: FrozenTrial | None

    @property
    def error(self) -> str:
        """Why a failed cell failed."""
        attributes = self.trial.user_attrs if self.trial is not None else {}
        return attributes.get("error", f"its worker died {MAX_DEATHS} times (last: {attributes.get('worker')})")

    @property
    def duration(self) -> timedelta | None:
        """How long a finished cell took; None if it is not done, or was before this storage knew of it."""
        if self.state is not State.DONE or self.trial is None or TAKEN in self.trial.user_attrs:
            return None
        return self.trial.duration


class Engine:
    """A study and its storage.

    Args:
        spec: what the study consists of.
        storage: URL of a database as SQLAlchemy writes it: "sqlite:///path" for workers on one machine,
            "postgresql+psycopg://user@host/database" for many. Default: `study.db` in the study's folder.
        heartbeat: seconds between two signs of life of a worker.

    Raises:
        InputError: two cells are the same run, or the storage cannot be opened.
    """

    def __init__(self, spec: StudySpec, storage: str | None = None, heartbeat: int = HEARTBEAT):
        spec.check_distinct()
        self.spec = spec
        self.storage = _local(storage or default_storage(spec))
        self.heartbeat = heartbeat
        self._data: dict[str, RunData] = {}
        self._trial: optuna.Trial | None = None  # the one that this worker runs, or ran last
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self.study = _open(self.storage, spec.name, heartbeat)
        self._take_records()

    # -----------------------------------------------------------------------------------------------------------------
    # What is to be done
    # -----------------------------------------------------------------------------------------------------------------

    def status(self) -> list[CellStatus]:
        """Where every cell of the grid stands."""
        optuna.storages.fail_stale_trials(self.study)
        trials: dict[str, list[FrozenTrial]] = {}
        for trial in self.study.get_trials(deepcopy=False):
            trials.setdefault(trial.user_attrs.get("key", ""), []).append(trial)
        awoken = {int(name.removeprefix(AWOKEN)) for name in self.study.user_attrs if name.startswith(AWOKEN)}
        return [self._cell_status(cell, trials.get(cell.key, []), awoken) for cell in self.spec.cells]

    @staticmethod
    def _cell_status(cell: Cell, trials: list[FrozenTrial], awoken: Collection[int]) -> CellStatus:
        for state, trial_state in (
            (State.DONE, TrialState.COMPLETE),
            (State.RUNNING, TrialState.RUNNING),
            (State.WAITING, TrialState.WAITING),
        ):
            if found := [trial for trial in trials if trial.state == trial_state]:
                return CellStatus(cell, state, found[0])
        retried = max((i for i, trial in enumerate(trials) if "retry" in trial.user_attrs), default=0)
        failed = [
            trial
            for trial in trials[retried:]
            if trial.state == TrialState.FAIL and "interrupted" not in trial.user_attrs and trial.number not in awoken
        ]
        # Without an error the worker died, which may or may not be the cell's fault.
        if any("error" in trial.user_attrs for trial in failed) or len(failed) >= MAX_DEATHS:
            return CellStatus(cell, State.FAILED, failed[-1])
        return CellStatus(cell, State.WAITING, None)

    def enqueue(self, statuses: Iterable[CellStatus]) -> None:
        """Put what is to be done and not yet in the queue there.

        Several workers may do so at once; `_is_superseded` sorts out what was enqueued twice.
        """
        for status in statuses:
            if status.state is State.WAITING and status.trial is None:
                self.study.enqueue_trial({}, user_attrs={"key": status.cell.key, "cell": status.cell.name})

    def _take_records(self) -> None:
        """Tell the storage of cells that have a record and that it knows nothing of.

        Several workers may do so at once: of a cell that is complete twice, one is looked at. Where weights are to be
        kept a record is not enough, nor is one that lacks something that would be scored now.
        """
        if self.spec.keep_weights:
            return
        for status in self.status():
            if status.state is State.WAITING and status.trial is None and has_record(self.spec.records, status.cell):
                try:
                    record = Record.load(self.spec.records, status.cell)
                except InputError:  # its counts are missing or damaged: the cell is run again
                    continue
                if not status.cell.used.keys() <= record.results.used.keys():
                    continue
                known = {"key": status.cell.key, "cell": status.cell.name, TAKEN: True, **_as_attributes(record)}
                self.study.add_trial(optuna.create_trial(value=record.results.on_development, user_attrs=known))

    def retry(self) -> list[Cell]:
        """Put failed cells into the queue again; returns them."""
        failed = [status.cell for status in self.status() if status.state is State.FAILED]
        for cell in failed:
            self.study.enqueue_trial({}, user_attrs={"key": cell.key, "cell": cell.name, "retry": True})
        return failed

    # -----------------------------------------------------------------------------------------------------------------
    # Doing it
    # -----------------------------------------------------------------------------------------------------------------

    def work(self, report: Callable[[str], None] = print) -> None:
        """Run cells until none is left, waiting for those of other workers: they may die.

        Args:
            report: gets a line for every cell that has ended.
        """
        cells = {cell.key: cell for cell in self.spec.cells}
        while True:
            statuses = self.status()
            self.enqueue(statuses)
            states = Counter(status.state for status in statuses)
            if states[State.WAITING]:
                self._run_one(partial(self._run_trial, cells=cells, report=report), report)
            elif states[State.RUNNING]:
                time.sleep(min(self.heartbeat, 5))
            else:
                return

    def _run_one(self, run: Callable[[optuna.Trial], float], report: Callable[[str], None]) -> None:
        """Run the trial that is next."""
        self._trial = None
        try:
            self.study.optimize(run, n_trials=1, catch=(Exception,))
        except Exception:
            # The storage takes no answer for a trial that is over: this worker has been taken for dead.
            if self._trial is None or not self._is_over(self._trial.number):
                raise
            self.study.set_user_attr(f"{AWOKEN}{self._trial.number}", True)
            report(
                f"{self._trial.user_attrs['cell']}: this worker was silent for too long, its cell is left to others"
            )

    def _is_over(self, number: int) -> bool:
        return self.study.get_trials(deepcopy=False)[number].state.is_finished()

    def _run_trial(self, trial: optuna.Trial, cells: Mapping[str, Cell], report: Callable[[str], None]) -> float:
        cell = cells.get(trial.user_attrs.get("key", ""))
        # Nothing waiting after all, a cell that the study no longer has, or one enqueued twice.
        if cell is None or self._is_superseded(trial):
            raise optuna.TrialPruned
        self._trial = trial
        started = time.monotonic()
        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
        try:
            record = self.run_cell(cell, trial.number)
        except KeyboardInterrupt:
            with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
                trial.set_user_attr("interrupted", True)
            raise
        except Exception as error:
            message = without_secrets(one_line(error, 500))
            trial.set_user_attr("error", f"{type(error).__name__}: {message}")
            trial.set_user_attr("traceback", without_secrets(traceback.format_exc()))
            report(f"failed: {cell.name}: {message}")
            raise
        for name, value in _as_attributes(record).items():
            trial.set_user_attr(name, value)
        took = timedelta(seconds=round(time.monotonic() - started))
        zero_shot = record.results.zero_shot_average
        transfer = "" if zero_shot is None else f", zero-shot {zero_shot:.1f}"
        report(f"{cell.name}: development {record.results.on_development:.1f}{transfer} ({took})")
        return record.results.on_development

    def _is_superseded(self, trial: optuna.Trial) -> bool:
        """Whether another trial of the same cell is done, or comes before this one."""
        same = [
            other
            for other in self.study.get_trials(deepcopy=False)
            if other.user_attrs.get("key") == trial.user_attrs["key"] and other.number != trial.number
        ]
        alive = (TrialState.RUNNING, TrialState.WAITING)
        return any(
            other.state == TrialState.COMPLETE or (other.state in alive and other.number < trial.number)
            for other in same
        )

    def run_cell(self, cell: Cell, number: int) -> Record:
        """Run a cell, or take the run that is there already, and write its record.

        Everything happens in a folder of the trial's own, which gets the cell's name when it is complete: a worker
        that was taken for dead cannot write into the run of its successor, and drops its own where that one has ended.
        """
        folder = self.spec.runs / cell.name
        attempt = self.spec.output_dir / "unfinished" / f"{cell.name}-{number}"
        arguments, training_arguments = cell.run_arguments(attempt)
        arguments = self.spec.keeping_states(cell, arguments)
        training_arguments.disable_tqdm = True
        stages = cell.stages()
        data = self._prepared(arguments)
        if not holds_run(folder, CELL_FILE, cell.known_as):
            shutil.rmtree(attempt, ignore_errors=True)
            with contextlib.redirect_stdout(io.StringIO()) as log:
                run_chain(stages, self.spec.stages, arguments, training_arguments, data)
            write_text(attempt / "train.log", log.getvalue())
            if not self.spec.keep_weights:
                (attempt / "model.safetensors").unlink()
                shutil.rmtree(attempt / ADAPTER, ignore_errors=True)
            write_text(attempt / CELL_FILE, json.dumps(as_noted(cell.known_as), indent=2) + "\n")
            if holds_run(folder, CELL_FILE, cell.known_as):
                shutil.rmtree(attempt, ignore_errors=True)
            else:
                shutil.rmtree(folder, ignore_errors=True)
                folder.parent.mkdir(parents=True, exist_ok=True)
                attempt.rename(folder)
        if stages and not self.spec.keep_weights:
            self._remove_stages(cell, stages)
        record = Record.of_run(cell, folder)
        record.save(self.spec.records)
        return record

    def _remove_stages(self, cell: Cell, stages: Sequence[Stage]) -> None:
        """Delete the stages of a finished cell that no cell still to be done goes on from."""
        waiting = [status.cell for status in self.status() if status.state is not State.DONE]
        needed = {stage.name for other in waiting if other.key != cell.key for stage in other.stages()}
        for stage in stages:
            if stage.name not in needed:
                shutil.rmtree(self.spec.stages / stage.name, ignore_errors=True)

    def _prepared(self, arguments: RunArguments) -> RunData:
        """The data of a run, read and encoded once for all runs of this worker that read the same."""
        key = data_key(arguments)
        if key not in self._data:
            self._data[key] = prepare(arguments)
        return self._data[key]

    def collect(self) -> list[Record]:
        """The records of all cells that are done, by whatever machine; those not in the folder yet are put there."""
        for status in self.status():
            if status.state is State.DONE and not has_record(self.spec.records, status.cell):
                assert status.trial is not None
                _of_attributes(status.cell, status.trial.user_attrs).save(self.spec.records)
        return load_records(self.spec.records, self.spec.cells)


def _as_attributes(record: Record) -> dict[str, Any]:
    """A record as attributes of its trial."""
    return {"results": record.results.as_dict(), "counts": base64.b64encode(packed(record.counts)).decode()}


def _of_attributes(cell: Cell, attributes: Mapping[str, Any]) -> Record:
    results = RunResults(**without_paths(attributes["results"]))
    return Record(cell, results, unpacked(base64.b64decode(attributes["counts"])))


_FILE = "sqlite:///"


def default_storage(spec: StudySpec) -> str:
    """A SQLite database in the study's folder."""
    return f"{_FILE}{spec.output_dir / 'study.db'}"


def _local(url: str) -> str:
    """The URL of a database; that of a file with its `~` as the home folder."""
    return f"{_FILE}{expanded(url.removeprefix(_FILE))}" if url.startswith(_FILE) else url


def _open(url: str, name: str, heartbeat: int) -> optuna.Study:
    """The study of that name in a database, both made if they are not there."""
    sqlite = url.startswith(_FILE)
    options = {"connect_args": {"timeout": 60}} if sqlite else {"pool_pre_ping": True}
    tries = 3
    while True:
        try:
            if sqlite:
                Path(url.removeprefix(_FILE)).parent.mkdir(parents=True, exist_ok=True)
            storage = optuna.storages.RDBStorage(
                url, engine_kwargs=options, heartbeat_interval=heartbeat, grace_period=3 * heartbeat
            )
            if sqlite:
                _serialise(storage.engine)
            return optuna.create_study(storage=storage, study_name=name, direction="maximize", load_if_exists=True)
        except (SQLAlchemyError, ImportError, OSError, ValueError) as error:
            tries -= 1
            if tries and isinstance(error, DatabaseError):
                time.sleep(1)  # of workers that start together on a new database, one makes the tables
                continue
            reason = one_line(error, 300)
            shown = without_secrets(_without_password(f"--storage {url}: cannot be opened: {reason}"))
            raise InputError(shown) from error


def _serialise(database: Database) -> None:
    """Let SQLite's transactions begin before they read: two workers would take one trial, each before the other wrote.

    Other databases lock the row that is read.
    """

    @event.listens_for(database, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    database.dispose()


def _without_password(text: str) -> str:
    """Also of a password that is no valid part of a URL."""
    return re.sub(r"(//[^:/@\s]*):[^@\s]*@", r"\1:***@", text)
