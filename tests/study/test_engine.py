"""The grid on Optuna: every cell once, whoever runs it, and whoever dies."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import optuna
import pytest
import yaml
from optuna.trial import TrialState

from modeling_dlfa.errors import InputError
from modeling_dlfa.study import engine as engine_module
from modeling_dlfa.study.commands import stopped_by_signals, time_left
from modeling_dlfa.study.engine import MAX_DEATHS, Engine, State
from modeling_dlfa.study.records import has_record, load_records
from modeling_dlfa.study.spec import StudySpec, load_spec
from modeling_dlfa.tasks.predictions import prediction_file
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.results import RunResults
from tests import forks


@pytest.fixture
def make_spec(tmp_path: Path, tiny_encoder: str, xtreme_folder: Path):
    """make_spec(name, **entries): a study of four cells, a second or two each, in a folder of its own."""

    def build(name: str = "small", **entries) -> StudySpec:
        values = {
            "tasks": ["udpos"],
            "models": {"dlfa": {"fusion_layer": 1}},
            "encoders": [tiny_encoder],
            "seeds": [1, 2],
            "arguments": {
                "data": str(xtreme_folder),
                "languages": "en,de,zh",
                "max_length": 16,
                "learning_rate": 5e-3,
                "num_train_epochs": 1,
                "per_device_train_batch_size": 8,
                "eval_strategy": "no",
                "use_cpu": True,
            },
            **entries,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return load_spec(path, tmp_path / name)

    return build


def quiet(_: str) -> None:
    pass


def working(spec: StudySpec, *flags: str) -> list[str]:
    command = ["-m", "modeling_dlfa.study", "run", str(spec.output_dir.with_suffix(".yaml"))]
    return [*command, "--output_dir", str(spec.output_dir), "--heartbeat", "1", *flags]


def worker(spec: StudySpec, *flags: str) -> subprocess.Popen:
    """A worker in an interpreter of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen([sys.executable, *working(spec, *flags)], env=ALONE, **pipes)
    WORKERS.append(process)
    return process


def forked(spec: StudySpec, *flags: str) -> forks.Fork:
    """A worker in a process of its own."""
    WORKERS.append(process := forks.start(working(spec, *flags), environment=ALONE))
    return process


ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}
WORKERS: list[subprocess.Popen | forks.Fork] = []


@pytest.fixture(autouse=True)
def no_worker_is_left():
    """A stopped one would stay for good where a test fails."""
    yield
    while WORKERS:
        WORKERS.pop().kill()


def states(engine: Engine) -> dict[str, State]:
    return {status.cell.name.rpartition("/")[2]: status.state for status in engine.status()}


def trials(engine: Engine) -> Counter[TrialState]:
    return Counter(trial.state for trial in engine.study.get_trials(deepcopy=False))


def assert_same_records(one: StudySpec, other: StudySpec) -> None:
    first, second = load_records(one.records, one.cells), load_records(other.records, other.cells)
    assert [record.cell.name for record in first] == [cell.name for cell in one.cells]
    assert [record.cell.name for record in second] == [cell.name for cell in other.cells]
    for a, b in zip(first, second, strict=True):
        assert a.results.all_metrics == b.results.all_metrics
        assert a.results.development_score == b.results.development_score
        assert all(np.array_equal(a.counts[code], b.counts[code]) for code in a.counts)


def test_one_worker_runs_the_grid(make_spec, tmp_path):
    spec = make_spec()
    engine = Engine(spec)
    lines: list[str] = []
    engine.work(lines.append)
    assert set(states(engine).values()) == {State.DONE}
    assert [line.split(":")[0] for line in lines] == [cell.name for cell in spec.cells]
    assert trials(engine) == {TrialState.COMPLETE: 4}
    for cell in spec.cells:
        left = {path.name for path in (spec.runs / cell.name).iterdir()}
        assert {"all_results.json", "predictions", "README.md", "cell.json"} <= left
        assert "model.safetensors" not in left
    assert not list((spec.output_dir / "unfinished").rglob("*.json"))


def test_a_cell_is_an_ordinary_run(make_spec, tmp_path):
    spec = make_spec(seeds=[3])
    Engine(spec).work(quiet)
    cell = spec.cells[1]
    flags = [f"--{name}={value}" for name, value in cell.arguments.items()]
    assert main([*flags, f"--output_dir={tmp_path / 'alone'}", "--disable_tqdm=true"]) == 0
    alone, in_study = RunResults.load(tmp_path / "alone"), RunResults.load(spec.runs / cell.name)
    assert alone.all_metrics == in_study.all_metrics
    assert alone.model_config == in_study.model_config and alone.training == in_study.training
    for language in alone.scores:
        files = [
            prediction_file(folder / "predictions", get_task("udpos"), language)
            for folder in (tmp_path / "alone", spec.runs / cell.name)
        ]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_what_is_done_is_not_done_again(make_spec):
    spec = make_spec(seeds=[1])
    Engine(spec).work(quiet)
    before = {path: path.stat().st_mtime_ns for path in spec.output_dir.rglob("*.json")}
    lines: list[str] = []
    Engine(spec).work(lines.append)
    assert lines == []
    assert {path: path.stat().st_mtime_ns for path in spec.output_dir.rglob("*.json")} == before


def test_more_seeds_add_cells_and_other_arguments_replace_them(make_spec):
    Engine(make_spec(seeds=[1])).work(quiet)
    lines: list[str] = []
    more = make_spec(seeds=[1, 2])
    Engine(more).work(lines.append)
    assert [line.split(":")[0].rpartition("-")[2] for line in lines] == ["seed2", "seed2"]

    changed = make_spec(seeds=[1], arguments={**yaml_arguments(more), "learning_rate": 1e-5})
    assert not any(has_record(changed.records, cell) for cell in changed.cells)
    old = [record.results.scores for record in load_records(more.records, more.cells)][:2]
    Engine(changed).work(quiet)
    records = load_records(changed.records, changed.cells)
    assert [record.results.training["learning_rate"] for record in records] == [1e-5, 1e-5]
    assert [record.results.scores for record in records] != old


def yaml_arguments(spec: StudySpec) -> dict:
    return dict(spec.arguments)


def test_data_are_encoded_once_for_all_cells_of_a_task(make_spec, monkeypatch):
    calls = []
    prepare = engine_module.prepare
    monkeypatch.setattr(engine_module, "prepare", lambda arguments: calls.append(arguments.task) or prepare(arguments))
    spec = make_spec(tasks=["udpos", "xnli"])
    Engine(spec).work(quiet)
    assert len(load_records(spec.records, spec.cells)) == 8
    assert calls == ["udpos", "xnli"]


def test_a_finished_run_is_taken_over_and_one_of_other_arguments_is_not(make_spec, monkeypatch):
    spec = make_spec(seeds=[1])
    Engine(spec).work(quiet)
    (spec.output_dir / "study.db").unlink()  # as if the worker had died just before it told the storage
    shutil.rmtree(spec.records)
    runs = []
    run_chain = engine_module.run_chain
    monkeypatch.setattr(engine_module, "run_chain", lambda *args: runs.append(args[2].fusion) or run_chain(*args))
    (spec.runs / spec.cells[1].name / "cell.json").write_text('{"task": "udpos"}')
    Engine(spec).work(quiet)
    assert runs == ["aif"]
    assert len(load_records(spec.records, spec.cells)) == 2


def test_records_come_from_the_storage_where_the_folder_has_none(make_spec, tmp_path):
    spec = make_spec(seeds=[1])
    engine = Engine(spec)
    engine.work(quiet)
    kept = tmp_path / "kept"
    shutil.move(spec.records, kept)
    assert [record.cell.name for record in engine.collect()] == [cell.name for cell in spec.cells]
    for cell in spec.cells:
        assert (spec.records / f"{cell.name}.json").read_bytes() == (kept / f"{cell.name}.json").read_bytes()


def test_in_a_clone_with_records_what_has_one_is_not_run(make_spec, monkeypatch):
    spec = make_spec(seeds=[1])
    Engine(spec).work(quiet)
    shutil.rmtree(spec.runs)
    (spec.output_dir / "study.db").unlink()
    before = {path: path.read_bytes() for path in spec.records.rglob("*.*")}
    monkeypatch.setattr(engine_module, "run_chain", lambda *args: pytest.fail("it was run"))
    engine = Engine(spec)
    assert set(states(engine).values()) == {State.DONE} and time_left(engine.status()) is None
    engine.work(lambda line: pytest.fail(line))
    assert [record.cell.name for record in Engine(spec).collect()] == [cell.name for cell in spec.cells]
    assert {path: path.read_bytes() for path in spec.records.rglob("*.*")} == before
    assert trials(engine) == {TrialState.COMPLETE: 2}


def _of_another_seed(record: Path) -> None:
    text = record.read_text(encoding="utf-8")
    assert '"seed": 1' in text
    record.write_text(text.replace('"seed": 1', '"seed": 2'), encoding="utf-8")


@pytest.mark.parametrize(
    ("case", "left", "keep_weights"),
    [
        ("no counts", lambda record: record.with_suffix(".npz").unlink(), False),
        ("cut counts", lambda record: record.with_suffix(".npz").write_bytes(b"PK"), False),
        (
            "other settings",
            lambda record: record.write_text(record.read_text().replace('"seed": 1', '"seed": 2')),
            False,
        ),
        ("weights are to be kept", lambda record: None, True),
    ],
)
def test_what_has_no_whole_record_is_run(make_spec, case, left, keep_weights):
    spec = make_spec(seeds=[1], models={})
    Engine(spec).work(quiet)
    shutil.rmtree(spec.runs)
    (spec.output_dir / "study.db").unlink()
    left(spec.records / f"{spec.cells[0].name}.json")
    lines: list[str] = []
    spec = make_spec(seeds=[1], models={}, keep_weights=keep_weights)
    Engine(spec).work(lines.append)
    assert [line.split(":")[0] for line in lines] == [spec.cells[0].name], case
    assert len(load_records(spec.records, spec.cells)) == 1
    assert (spec.runs / spec.cells[0].name / "model.safetensors").is_file() == keep_weights


# ---------------------------------------------------------------------------------------------------------------------
# Failures
# ---------------------------------------------------------------------------------------------------------------------


def test_a_failed_cell_keeps_its_error_and_can_be_retried(make_spec, monkeypatch):
    spec = make_spec(seeds=[1])
    run_chain = engine_module.run_chain

    def fails(stages, folder, arguments, *args):
        if arguments.fusion == "aif":
            raise InputError("training has\ndiverged")
        return run_chain(stages, folder, arguments, *args)

    monkeypatch.setattr(engine_module, "run_chain", fails)
    engine = Engine(spec)
    engine.work(quiet)
    assert states(engine) == {"baseline-seed1": State.DONE, "dlfa-seed1": State.FAILED}
    (failed,) = (status for status in engine.status() if status.state is State.FAILED)
    assert failed.error == "InputError: training has diverged"
    engine.work(quiet)
    assert trials(engine)[TrialState.FAIL] == 1  # not tried again by itself

    monkeypatch.setattr(engine_module, "run_chain", run_chain)
    assert [cell.model.name for cell in engine.retry()] == ["dlfa"]
    assert states(engine)["dlfa-seed1"] is State.WAITING
    engine.work(quiet)
    assert set(states(engine).values()) == {State.DONE}
    assert engine.retry() == []


def test_a_cell_that_kills_its_workers_is_given_up(make_spec):
    spec = make_spec(seeds=[1], models={})
    engine = Engine(spec)
    for death in range(MAX_DEATHS):
        assert states(engine) == {"baseline-seed1": State.WAITING}, death
        engine.enqueue(engine.status())
        with pytest.warns(UserWarning, match="Heartbeat"):
            trial = engine.study.ask()
        trial.set_user_attr("worker", "somewhere:1")
        engine.study.tell(trial, state=TrialState.FAIL)
    (status,) = engine.status()
    assert status.state is State.FAILED
    assert "died 3 times" in status.error and "somewhere:1" in status.error
    engine.work(quiet)
    assert states(engine) == {"baseline-seed1": State.FAILED}


def test_a_cell_enqueued_twice_is_run_once(make_spec):
    spec = make_spec(seeds=[1])
    engine = Engine(spec)
    statuses = engine.status()
    engine.enqueue(statuses)
    engine.enqueue(statuses)  # another worker that had looked at the same time
    lines: list[str] = []
    engine.work(lines.append)
    assert len(lines) == 2
    assert trials(engine)[TrialState.COMPLETE] == 2
    cells = {cell.key: cell for cell in spec.cells}
    engine.study.optimize(lambda trial: engine._run_trial(trial, cells, lines.append), n_trials=2)
    assert len(lines) == 2
    assert trials(engine) == {TrialState.COMPLETE: 2, TrialState.PRUNED: 2}


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", ["nonsense"]),
        ("mysqueel://host/x", ["mysqueel"]),
        ("sqlite:////proc/none/study.db", ["/proc/none/study.db"]),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/none", ["me:***@127.0.0.1:1"]),
    ],
)
def test_a_storage_that_cannot_be_opened(make_spec, url, words):
    with pytest.raises(InputError) as error:
        Engine(make_spec(), url)
    message = str(error.value)
    assert "\n" not in message and "secret" not in message
    assert all(word in message for word in words)


# ---------------------------------------------------------------------------------------------------------------------
# Several processes
# ---------------------------------------------------------------------------------------------------------------------


def wait_for(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_of_two_workers_one_is_killed_and_the_table_is_that_of_one_worker(make_spec, backend, request):
    alone = make_spec("alone")
    Engine(alone).work(quiet)

    together = make_spec("together")
    url = (
        request.getfixturevalue("postgresql_url")
        if backend == "postgresql"
        else f"sqlite:///{together.output_dir}/s.db"
    )
    workers = [forked(together, "--storage", url) for _ in range(2)]
    unfinished = together.output_dir / "unfinished"
    # One is killed while it trains, the other goes on.
    wait_for(lambda: any(path.is_dir() for path in unfinished.glob("*/*/*")))
    engine = Engine(together, url, heartbeat=1)
    running = [t for t in engine.study.get_trials() if t.state == TrialState.RUNNING and "worker" in t.user_attrs]
    victim = int(running[0].user_attrs["worker"].rpartition(":")[2])
    os.kill(victim, signal.SIGKILL)
    codes = {process.pid: process.wait(timeout=300) for process in workers}
    survivor = next(pid for pid in codes if pid != victim)
    output = {process.pid: process.communicate() for process in workers}
    assert codes == {victim: -signal.SIGKILL, survivor: 0}, output

    assert set(states(engine).values()) == {State.DONE}
    assert trials(engine)[TrialState.COMPLETE] == 4
    assert trials(engine)[TrialState.FAIL] == 1
    assert_same_records(alone, together)
    assert (together.output_dir / "report" / "index.html").exists()


@pytest.mark.slow
def test_workers_of_one_command(make_spec):
    spec = make_spec("several")
    process = worker(spec, "--workers", "2")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    engine = Engine(spec)
    done = [t for t in engine.study.get_trials() if t.state == TrialState.COMPLETE]
    assert len(done) == 4
    assert len({t.user_attrs["worker"] for t in done}) == 2
    assert output.count("report of 4 of 4 runs") == 1


def long_cell(make_spec, name: str) -> StudySpec:
    """A study of one cell that does not end by itself before it is looked at."""
    spec = make_spec(name, seeds=[1], models=None)
    return make_spec(name, seeds=[1], models=None, arguments={**yaml_arguments(spec), "num_train_epochs": 60})


def started(engine: Engine) -> list[int]:
    """Processes that run a cell."""
    running = [t for t in engine.study.get_trials(deepcopy=False) if t.state == TrialState.RUNNING]
    return [int(t.user_attrs["worker"].rpartition(":")[2]) for t in running if "worker" in t.user_attrs]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "state"),
    [
        (signal.SIGINT, 130, State.WAITING),
        (signal.SIGTERM, 130, State.WAITING),
        (signal.SIGKILL, -signal.SIGKILL, State.FAILED),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_an_interruption_is_no_death(make_spec, monkeypatch, number, code, state):
    monkeypatch.setattr(engine_module, "MAX_DEATHS", 1)
    spec = long_cell(make_spec, "interrupted")
    process = forked(spec)
    engine = Engine(spec, heartbeat=1)
    wait_for(lambda: started(engine))
    time.sleep(2)  # until there is a heartbeat that can stop
    os.kill(process.pid, number)
    output = "".join(process.communicate(timeout=60))
    assert process.returncode == code, output
    assert "Traceback" not in output
    wait_for(lambda: not started(engine) or engine.status()[0].state is not State.RUNNING, 60)
    assert states(engine) == {"baseline-seed1": state}


@pytest.mark.slow
def test_a_command_that_is_terminated_stops_its_workers(make_spec):
    spec = long_cell(make_spec, "terminated")
    process = worker(spec, "--workers", "2")
    engine = Engine(spec, heartbeat=1)
    wait_for(lambda: started(engine))
    process.terminate()
    output, _ = process.communicate(timeout=60)  # ends when the workers have let go of the pipe too
    assert process.returncode == 130 and "Traceback" not in output, output
    # The second worker may have begun with the cell when the first had let go of it.
    begun = [trial for trial in engine.study.get_trials() if "worker" in trial.user_attrs]
    assert begun and all(trial.state == TrialState.FAIL and trial.user_attrs["interrupted"] for trial in begun)


@pytest.mark.slow
def test_a_worker_that_slept_goes_on_without_what_others_have_taken_over(make_spec, monkeypatch):
    monkeypatch.setattr(engine_module, "MAX_DEATHS", 1)
    spec = make_spec("slept", seeds=[1], models=None)
    spec = make_spec("slept", seeds=[1], models=None, arguments={**yaml_arguments(spec), "num_train_epochs": 8})
    process = forked(spec)
    engine = Engine(spec, heartbeat=1)
    wait_for(lambda: started(engine) == [process.pid])
    time.sleep(0.5)  # until there is a heartbeat that can stop
    os.kill(process.pid, signal.SIGSTOP)
    wait_for(lambda: engine.status()[0].state is not State.RUNNING, 20)
    assert states(engine) == {"baseline-seed1": State.FAILED}  # for all that is known, it is dead
    monkeypatch.setattr(engine_module, "MAX_DEATHS", 3)
    lines: list[str] = []
    engine.work(lines.append)
    assert states(engine) == {"baseline-seed1": State.DONE} and len(lines) == 1
    file = spec.runs / spec.cells[0].name / "all_results.json"
    before = file.stat().st_mtime_ns
    os.kill(process.pid, signal.SIGCONT)
    output = "".join(process.communicate(timeout=120))
    assert process.returncode == 0, output
    assert "Traceback" not in output and "silent for too long" in output and "report of 1 of 1 runs" in output
    assert trials(engine) == {TrialState.FAIL: 1, TrialState.COMPLETE: 1}
    assert file.stat().st_mtime_ns == before
    assert not list((spec.output_dir / "unfinished").rglob("*.json"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_is_raised_once_and_again_only_where_it_was_lost(monkeypatch, number):
    monkeypatch.setattr("modeling_dlfa.study.commands.SAME_SIGNAL", 0.2)
    handlers = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        try:
            os.kill(os.getpid(), number)
            pytest.fail("nothing was raised")
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGTERM)  # is the same signal
        time.sleep(5)
        pytest.fail("was not raised again")
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == handlers
    time.sleep(0.3)


class Dying:
    """An object at whose end a signal comes, as it may while Python tidies up."""

    def __init__(self, error: type[Exception] | None = None):
        self.error = error

    def __del__(self):
        if self.error:
            raise self.error
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_that_is_lost_is_not_printed_and_comes_again(monkeypatch):
    monkeypatch.setattr("modeling_dlfa.study.commands.SAME_SIGNAL", 0.2)
    printed = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: printed.append(lost.exc_type))
    hook = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        Dying(ValueError)
        Dying()  # its signal is lost
        assert printed == [ValueError]
        time.sleep(5)
        pytest.fail("was not raised again")
    assert sys.unraisablehook is hook


def test_a_worker_that_slept_has_not_died(make_spec, monkeypatch):
    """It is taken for dead while it trains; what it has trained is taken when the cell's turn comes again."""
    monkeypatch.setattr(engine_module, "MAX_DEATHS", 1)
    spec = make_spec(seeds=[1], models={})
    engine = Engine(spec)
    run_chain, calls = engine_module.run_chain, []

    def slept(*arguments):
        calls.append(arguments)
        results = run_chain(*arguments)
        (trial,) = engine.study.get_trials()
        engine.study._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
        return results

    monkeypatch.setattr(engine_module, "run_chain", slept)
    lines: list[str] = []
    engine.work(lines.append)
    assert set(states(engine).values()) == {State.DONE}
    assert len(calls) == 1 and ["silent" in line for line in lines] == [True, False]
    assert trials(engine) == {TrialState.FAIL: 1, TrialState.COMPLETE: 1}


@pytest.fixture
def postgresql_url():
    """A PostgreSQL server of the test's own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="postgresql"))  # pytest's own folders are closed to other users
    # It does not run as root.
    user = "nobody" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run(
        [initdb, "-D", folder / "data", "-U", "dlfa", "-A", "trust", "-E", "UTF8", "--no-sync"],
        check=True,
        user=user,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    options = {"-D": folder / "data", "-p": str(port), "-k": folder, "-h": "127.0.0.1"}
    log = open(folder / "log", "w")  # noqa: SIM115
    command = [Path(initdb).with_name("postgres"), *(part for option in options.items() for part in option)]
    server = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)
    url = f"postgresql+psycopg://dlfa@127.0.0.1:{port}/postgres"
    import psycopg

    def answers() -> bool:
        assert server.poll() is None, Path(log.name).read_text()
        try:
            psycopg.connect(url.replace("+psycopg", ""), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    try:
        wait_for(answers, 60)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
        log.close()
        shutil.rmtree(folder)


def test_optuna_has_what_the_engine_leans_on():
    """`fail_stale_trials` is experimental there: say so if it goes."""
    assert callable(optuna.storages.fail_stale_trials)


def test_a_trial_is_taken_by_one_worker(tmp_path: Path):
    """Without a lock from its first read on, SQLite gave some of so many to both."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    studies = [engine_module._open(url, "race", 20) for _ in range(2)]
    for number in range(60):
        studies[0].enqueue_trial({}, user_attrs={"key": str(number)})
    taken: list[list[int]] = [[], []]
    ready = threading.Barrier(2)

    def take(study: optuna.Study, own: list[int]) -> None:
        ready.wait()
        own += [study.ask().number for _ in range(30)]

    workers = [threading.Thread(target=take, args=both) for both in zip(studies, taken)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(taken[0] + taken[1]) == list(range(60))
