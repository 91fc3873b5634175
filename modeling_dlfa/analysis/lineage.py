"""Finished runs that started from one encoder, and what they are called beside each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, shortened
from ..files import expanded
from ..training.fingerprints import of_encoder
from ..training.model import encoder_layers, is_dlfa, open_config
from ..training.results import RESULTS_FILE, RunResults, data_name
from ..training.run import finished_run
from .opened import check_is_model


FIRST = "encoder"
"""How the encoder itself is called beside its runs."""

LONGEST_NAME = 60


@dataclass(frozen=True)
class NamedRun:
    """A finished run.

    Attributes:
        name: how pages call it.
        folder: where its model is.
        results: what it has left.
    """

    name: str
    folder: Path
    results: RunResults

    @property
    def started_from(self) -> str | None:
        """Fingerprint of the encoder that it says it started from; None where it has none, as behind stages."""
        return _started_from(self.results)


def check_first(encoder: str) -> int:
    """Look at the encoder that runs started from, and return how many layers it has.

    Raises:
        InputError: it cannot be opened, or is itself a run.
    """
    check_is_model(encoder)
    if not is_dlfa(open_config(encoder)):
        return encoder_layers(encoder)
    found = "is a DLFA checkpoint"
    if (Path(encoder) / RESULTS_FILE).is_file():
        found = f"is a finished run of the encoder {data_name(RunResults.load(encoder).encoder)}"
    raise InputError(f"{encoder} {found}: expected the encoder that the runs started from, as it was first")


def named_runs(given: Sequence[str], encoder: str) -> list[NamedRun]:
    """The runs with their names.

    Args:
        given: folders, or NAME=FOLDER.
        encoder: that all must have started from.

    Raises:
        InputError: a folder holds no finished run with its model, or one of another encoder; a name cannot be one;
            two runs have the same, or are the same.
    """
    names, folders = zip(*(_named(one) for one in given), strict=True)
    results = []
    for folder in folders:
        check_is_model(str(folder))
        results.append(finished_run(folder))
        _check_started_from(folder, results[-1], encoder)
    usual = iter(usual_names([one for one, name in zip(results, names, strict=True) if name is None]))
    seen: dict[str, str] = {FIRST: encoder}
    there: dict[Path, str] = {}
    runs = []
    for name, folder, one in zip(names, folders, results, strict=True):
        run = NamedRun(name or next(usual), folder, one)
        if (same := there.setdefault(folder.resolve(), run.name)) != run.name:
            raise InputError(f"{folder} is given twice, as {same} and as {run.name}: leave out one of the two")
        if run.name in seen:
            raise InputError(
                f"{seen[run.name]} and {folder} are both called {run.name!r}: give one a name, NAME=FOLDER"
            )
        seen[run.name] = str(folder)
        runs.append(run)
    return runs


def _named(given: str) -> tuple[str | None, Path]:
    """Name and folder; a folder that is there with its "=" is one."""
    name, sign, folder = given.partition("=")
    if not sign or Path(expanded(given)).is_dir():
        return None, Path(expanded(given))
    if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise InputError(
            f"{shortened(given)}: expected NAME=FOLDER, a name of 1 to {LONGEST_NAME} printable characters"
        )
    return name.strip(), Path(expanded(folder))


def _check_started_from(folder: Path, results: RunResults, encoder: str) -> None:
    """Compare encoders by name and depth, and by content where the run says what it started from.

    Raises:
        InputError: they differ.
    """
    now = of_encoder(encoder)["encoder"]
    known = _started_from(results)
    if known != now and data_name(results.encoder) != data_name(encoder):
        raise InputError(
            f"{folder} is a run of the encoder {data_name(results.encoder)}: expected runs that started from {encoder}"
        )
    if (layers := encoder_layers(str(folder))) != (expected := encoder_layers(encoder)):
        raise InputError(
            f"{folder} has an encoder of {layers} layers, and {encoder} has {expected}: expected runs that started "
            "from it"
        )
    if known not in (None, now):
        raise InputError(
            f"{folder} started from other weights than {encoder} has now (fingerprint {known}, not {now}): expected "
            "the very encoder"
        )


def _started_from(results: RunResults) -> str | None:
    """As `NamedRun.started_from`: a run behind stages has the fingerprint of the last stage alone."""
    return None if results.intermediate else results.used.get("encoder")


# ---------------------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------------------


def usual_names(runs: Sequence[RunResults]) -> list[str]:
    """The task of each run; of runs of one task also what sets them apart, as little as does.

    Runs that differ in nothing of `_facets` keep one name.
    """
    names, facets = [run.task for run in runs], [_facets(run) for run in runs]
    for of_facet in zip(*facets, strict=True):
        before = list(names)
        for place, name in enumerate(before):
            told = {facet for other, facet in zip(before, of_facet, strict=True) if other == name}
            if len(told) > 1:
                names[place] = f"{name}, {of_facet[place]}"
    return names


def _facets(run: RunResults) -> list[str]:
    """What may set a run apart from others of its task, the most telling first."""
    training = run.training
    return [
        run.model_name,
        f"{training.get('train', 'all')} trained",
        f"{training['train_half']} half" if training.get("train_half") else "both halves",
        "labels shuffled" if training.get("shuffle_labels") else "true labels",
        f"in {run.train_language}",
        f"{run.train_samples:,} rows",
        f"learning rate {training.get('learning_rate')}",
        f"{training.get('steps', 0):,} steps",
        f"seed {run.seed}",
    ]
