"""What a run leaves behind in numbers: `all_results.json`, and the table on the screen."""

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path, PureWindowsPath
from statistics import fmean
from typing import Any

from rich.markup import escape
from rich.table import Table

from ..errors import InputError
from ..files import expanded, write_text
from ..tasks.languages import by_family, language_label
from ..tasks.registry import saved_task
from ..tasks.task import Task
from .arguments import layer_name


RESULTS_FILE = "all_results.json"


@dataclass(frozen=True)
class RunResults:
    """Scores of one run and what they were made with. Scores are in percent.

    Attributes:
        task, eval_split: what was scored.
        metric: name of the reported metric, the one of `scores` and the averages.
        scores: language -> reported score.
        average: mean over all languages, as XTREME.
        zero_shot_average: mean without the training language; null if nothing else was scored.
        transfer_gap: score of the training language less the zero-shot average; null where one of them is missing.
        all_metrics: language -> every metric of the task (for POS: token accuracy and XTREME's F1).
        support: language -> number of scored sentences or pairs.
        chance_level: languages whose score is no better than always predicting the most frequent label.
        development_score: reported metric on the development data of the training language, of the model scored here;
            null where nothing is trained.
        encoder, fusion, fusion_layer: the model; `model_config` has the other fields of `DLFAConfig`.
        seed, train_language, train_samples, train_runtime: of the training; seconds.
        training: the recipe.
        data: where the data came from: "hub", "sample" or a folder.
        versions: of Python and the libraries.
        scouting: how the fusion layer "auto" was found, see `scout.Scouting`; null where it was given.
        development_majority: reported metric on the same data of always the most frequent label (for parsing, arc);
            null in files of old versions.
        intermediate: the stages that the encoder went through before, first to last, each as `stage_summary`.
        task_definition: what the task is, as `Task.definition`; null in files of old versions.
        eval_data: where the scored data came from, if not from where the training data did.
        used: fingerprints of what was read and started from, and the global batch, see `fingerprints.used`; empty in
            files of old versions.
        found: what a kind that trains nothing tells beside the scores, as `kinds.untrained.Found.beside`; null for
            others, and in files of old versions.
        settled: what was set on development data of the training language once the model was trained, as
            `Kind.settle`: the threshold of "no answer". Empty where nothing was, and then no entry of the file.

    Examples:
        >>> from modeling_dlfa import RunResults
        >>> results = RunResults.load("runs/udpos")
        >>> f"{results.zero_shot_average:.1f} {results.metric} over {len(results.scores) - 1} languages"
        '82.0 f1 over 9 languages'
    """

    task: str
    eval_split: str
    metric: str
    scores: dict[str, float]
    average: float
    zero_shot_average: float | None
    transfer_gap: float | None
    all_metrics: dict[str, dict[str, float]]
    support: dict[str, int]
    chance_level: list[str]
    development_score: float | None
    encoder: str
    fusion: str
    fusion_layer: int | list[int] | None
    model_config: dict[str, Any]
    seed: int
    train_language: str
    train_samples: int
    train_runtime: float
    training: dict[str, Any]
    data: str
    versions: dict[str, str]
    scouting: dict[str, Any] | None = None
    development_majority: float | None = None
    intermediate: list[dict[str, Any]] = field(default_factory=list)
    task_definition: dict[str, Any] | None = None
    eval_data: str | None = None
    used: dict[str, Any] = field(default_factory=dict)
    found: dict[str, Any] | None = None
    settled: dict[str, Any] = field(default_factory=dict)

    @property
    def of_task(self) -> Task:
        """The task, as it is defined here, with what was set for this model.

        Raises:
            InputError: there is no such task.
        """
        return replace(saved_task(self.task, self.task_definition), settled=self.settled)

    def as_dict(self) -> dict[str, Any]:
        """The entries of the file."""
        values = asdict(self)
        return values if self.settled else {name: value for name, value in values.items() if name != "settled"}

    @property
    def on_development(self) -> float:
        """The development score of a run that has trained something.

        Raises:
            InputError: it has not.
        """
        if self.development_score is None:
            raise InputError(f"{self.task} trains nothing: there is no development score")
        return self.development_score

    @property
    def model_name(self) -> str:
        """Short name for tables: "baseline", "DLFA k=8", "DLFA k=4+8", "mix_all", "baseline after uddep"."""
        name = {"none": "baseline", "aif": "DLFA"}.get(self.fusion, self.fusion)
        if self.fusion_layer is not None:
            name += f" k={layer_name(self.fusion_layer)}"
        if self.intermediate:
            name += f" after {', '.join(stage['task'] for stage in self.intermediate)}"
        return name

    def save(self, folder: str | Path) -> Path:
        """Write `all_results.json`, whole or not at all."""
        path = Path(expanded(folder)) / RESULTS_FILE
        write_text(path, json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n")
        return path

    @classmethod
    def load(cls, path: str | Path) -> "RunResults":
        """Read the file, or that of a folder.

        Raises:
            InputError: the file is missing, is not JSON or lacks an entry.
        """
        path = results_file(path)
        try:
            values = {**_OF_OLD_FILES, **json.loads(path.read_text(encoding="utf-8"))}
            return cls(**{entry.name: values[entry.name] for entry in fields(cls)})
        except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
            raise InputError(f"{path} is not the results file of a run: {error!r}") from error


def results_file(path: str | Path) -> Path:
    """The results file that is meant by its own path, or by the folder of its run."""
    path = Path(expanded(path))
    return path / RESULTS_FILE if path.is_dir() else path


_OF_OLD_FILES = {
    **{"scouting": None, "development_majority": None, "intermediate": []},
    **{"task_definition": None, "eval_data": None, "used": {}, "found": None, "settled": {}},
}


def stage_summary(results: RunResults, fusion_carried: bool) -> dict[str, Any]:
    """What the results of a later run say of a stage before it.

    Args:
        fusion_carried: whether the stage's fusion went on with its encoder.
    """
    names = ("task", "metric", "development_score", "development_majority", "fusion", "fusion_layer", "seed")
    summary = {name: getattr(results, name) for name in (*names, "train_samples", "data")}
    training = {name: results.training[name] for name in STAGE_RECIPE if name in results.training}
    control = {"control": True} if results.of_task.kind.control else {}
    return summary | training | control | {"fusion_carried": fusion_carried}


# Entries of a run's recipe that the summary of a stage repeats.
STAGE_RECIPE = ("steps", "batch_size", "learning_rate", "train_half", "shuffle_labels")


def averages(scores: dict[str, float], train_language: str) -> dict[str, float | None]:
    """Average, zero-shot average and transfer gap of scores by language."""
    others = [value for language, value in scores.items() if language != train_language]
    zero_shot = fmean(others) if others else None
    gap = scores[train_language] - zero_shot if train_language in scores and zero_shot is not None else None
    return {"average": fmean(scores.values()), "zero_shot_average": zero_shot, "transfer_gap": gap}


def short_name(name: str) -> str:
    """How tables and cards call an encoder or data: a local folder by its own name, anything else as it is."""
    path = Path(expanded(name))
    return path.resolve().name if path.is_dir() else name


def data_name(data: str) -> str:
    """How reports and cards call data: "hub", "sample", "files", or a folder by its own name, there or not."""
    short = short_name(data)
    return PureWindowsPath(short).name or short


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    libraries = ("torch", "transformers", "tokenizers", "datasets", "accelerate", "seqeval")
    return {"python": platform.python_version()} | {library: version(library) for library in libraries}


def results_table(runs: Sequence[RunResults]) -> Table:
    """A table of one task: languages by family; one run with all its metrics, or several side by side.

    With two runs the last column is their difference (second less first). A score at chance level has a "?".
    """
    first = runs[0]
    kind = first.of_task.kind
    training = f"{first.train_samples:,} {first.train_language} examples · seed {first.seed}"
    regime = first.training.get("train", "all")
    training += "" if regime == "all" else f" · trained: {regime}"
    training = training if kind.trains else "nothing trained"
    title = f"{first.task} · {short_name(first.encoder)} · {training}"
    table = Table(title=escape(title), title_justify="left", caption_justify="left")
    table.add_column("family", style="dim")
    table.add_column("language")
    table.add_column("n", justify="right", style="dim")
    if len(runs) == 1:
        metrics = [first.metric, *(name for name in next(iter(first.all_metrics.values())) if name != first.metric)]
        headers, cells = metrics, [{code: first.all_metrics[code][name] for code in first.scores} for name in metrics]
    else:
        headers, cells = [run.model_name for run in runs], [run.scores for run in runs]
    for header in headers:
        table.add_column(
            escape(header), justify="right", style="bold" if header == headers[0] or len(runs) > 1 else ""
        )
    if len(runs) == 2:
        table.add_column("difference", justify="right")

    for family, codes in by_family(first.scores).items():
        for code in codes:
            marks = ["?" if code in run.chance_level else "" for run in runs] if len(runs) > 1 else [""] * len(cells)
            if len(runs) == 1 and code in first.chance_level:
                marks[0] = "?"
            values = [column[code] for column in cells]
            table.add_row(
                family if code == codes[0] else "",
                escape(language_label(code, first.train_language)),
                str(first.support[code]),
                *(f"{value:.1f}{mark}" for value, mark in zip(values, marks, strict=True)),
                *_difference(values, len(runs)),
                end_section=code == codes[-1],
            )
    for label, key in (("average", "average"), ("zero-shot average", "zero_shot_average"), ("gap", "transfer_gap")):
        if len(runs) == 1:
            values = [averages(column, first.train_language)[key] for column in cells]
        else:
            values = [getattr(run, key) for run in runs]
        if None not in values and (kind.trains or key == "average"):
            table.add_row("", label, "", *(f"{value:.1f}" for value in values), *_difference(values, len(runs)))
    table.caption = f"{first.metric} on {first.eval_split} data, in percent"
    table.caption += "; * training language" if kind.trains else ""
    if any(run.chance_level for run in runs):
        table.caption += f"; ? no better than {kind.chance}"
    return table


def _difference(values: Sequence[Any], runs: int) -> list[str]:
    return [f"{values[1] - values[0]:+.1f}"] if runs == 2 else []
