"""What a study of intermediate tasks says: the gain of each condition, and how hard its last stage was."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from scipy import stats

from ..analysis.difficulty import code_length, relative_error
from ..errors import InputError
from ..files import write_text
from ..pages import Table
from ..tasks.languages import by_family
from ..tasks.registry import get_task
from ..training.arguments import RunArguments
from ..training.derived import deciding
from ..training.fingerprints import used_here
from ..training.noted import are_noted, notes
from ..training.results import RunResults
from ..wording import mean_std, plus_minus, rounded, signed
from .figures import Point, ScatterPanel
from .sections import Section
from .spec import StudySpec
from .tables import COMPARED_COLUMNS, Row, compared, make_table


# Beside the records: difficulty/<encoder>/<condition>.json, the code length of a condition's last stage.
FOLDER = "difficulty"


@dataclass(frozen=True)
class Condition:
    """A condition of one model with the stages that its runs went through.

    Attributes:
        name: in the study's `conditions`.
        model: name of the model under it.
        runs: results of its runs, one per seed.
        bits: code length of the labels of its last stage, in bits per word or pair; nan if it was not measured.
    """

    name: str
    model: str
    runs: Sequence[RunResults]
    bits: float

    @property
    def last(self) -> list[Mapping[str, Any]]:
        """The last stage of every run."""
        return [run.intermediate[-1] for run in self.runs if run.intermediate]

    @property
    def control(self) -> bool:
        """Whether it controls for something: more steps on the target task, or sentences without meaningful labels."""
        return self.itself or self.without_labels

    @property
    def itself(self) -> bool:
        """Whether its last stage is the target task: a control before itself, a task like others before another."""
        return any(stage["task"] == run.task for run, stage in zip(self.runs, self.last))

    @property
    def without_labels(self) -> bool:
        """Whether the labels of its last stage mean nothing, or there are none: a control before any task."""
        return any(stage.get("control") or stage.get("shuffle_labels") for stage in self.last)

    @property
    def asked(self) -> tuple:
        """What its stages ask for: tasks, parts and whether labels were shuffled, but not how they were trained."""
        return tuple(
            (stage["task"], stage.get("train_half"), stage.get("shuffle_labels"))
            for stage in self.runs[0].intermediate
        )

    @property
    def errors(self) -> list[float]:
        """Error of every run's last stage relative to the most frequent answer."""
        return [relative_error(stage["development_score"], stage["development_majority"]) for stage in self.last]


def conditions(section: Section, bits: Mapping[str, float]) -> list[Condition]:
    """The conditions of a section that have runs, in the order of the study.

    Args:
        section: one of conditions.
        bits: condition -> code length, as `load_code_lengths` returns them.
    """
    return [
        Condition(model.condition, model.name, runs, bits.get(model.condition, math.nan))
        for model in section.models
        if model.condition is not None and (runs := [run.results for run in section.runs.get(model.name, ())])
    ]


def measured_conditions(spec: StudySpec, section: Section) -> list[Condition]:
    """The same, with the code lengths that were measured."""
    return conditions(section, load_code_lengths(spec, section.encoder))


# ---------------------------------------------------------------------------------------------------------------------
# Code lengths
# ---------------------------------------------------------------------------------------------------------------------


def measure_code_lengths(spec: StudySpec, report: Callable[[str], None] = print) -> None:
    """Measure what is not measured yet: the labels of every condition's last stage, given the pretrained encoder.

    Args:
        report: gets a line for each, of a task whose labels no probe can learn too.
    """
    known: dict[str, dict[str, Any]] = {}  # conditions that differ in training only have the same labels
    for (encoder, condition), arguments in _last_stages(spec).items():
        if get_task(arguments.task).kind.probe is None:
            report(f"{encoder}, {condition}: {arguments.task} has no code length")
            continue
        path = _code_length_file(spec, encoder, condition)
        settings = _settings(arguments)
        key = json.dumps(settings, sort_keys=True)
        used = used_here(arguments)
        values = _read(path, settings, used)
        if values is None:
            values = known.get(key) or code_length(replace(arguments, fusion="none", fusion_layer=None)).as_dict()
            values |= notes(settings, used)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, json.dumps(values, indent=1) + "\n")
            report(f"{encoder}, {condition}: {values['bits_per_label']:.2f} bits a label of {arguments.task}")
        known[key] = values


def load_code_lengths(spec: StudySpec, encoder: str) -> dict[str, float]:
    """condition -> bits per label, for those that were measured with the study's settings."""
    found = {}
    for (name, condition), arguments in _last_stages(spec).items():
        if name == encoder:
            values = _read(_code_length_file(spec, name, condition), _settings(arguments), used_here(arguments))
            found |= {condition: values["bits_per_label"]} if values else {}
    return found


def _last_stages(spec: StudySpec) -> dict[tuple[str, str], RunArguments]:
    """(encoder, condition) -> the arguments of its last stage."""
    found: dict[tuple[str, str], RunArguments] = {}
    for cell in spec.cells:
        key = (cell.encoder, cell.model.condition or "")
        if key[1] and key not in found and (stages := cell.stages()):
            found[key] = stages[-1].run_arguments()
    return found


def _settings(arguments: RunArguments) -> dict[str, Any]:
    """What a code length depends on."""
    return {name: getattr(arguments, name) for name in (*deciding("data"), "pooling")}


def _code_length_file(spec: StudySpec, encoder: str, condition: str) -> Path:
    return spec.output_dir / FOLDER / encoder / f"{condition}.json"


def _read(path: Path, settings: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values in a file; None where there is none, or one of other settings, data or another encoder."""
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return values if are_noted(values, settings, used) else None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} does not hold a code length: {error!r}") from error


# ---------------------------------------------------------------------------------------------------------------------
# Tables
# ---------------------------------------------------------------------------------------------------------------------


def condition_rows(section: Section, found: Sequence[Condition]) -> list[Row]:
    """One row for every condition."""
    rows = []
    for condition in found:
        scores = [stage["development_score"] for stage in condition.last]
        rows.append(
            {
                "task": section.task,
                "encoder": section.encoder,
                "model": section.reference,
                "condition": condition.name,
                "stages": ", ".join(stage["task"] for stage in condition.runs[0].intermediate),
                "control": condition.control,
                "seeds": len(condition.runs),
                "steps": condition.last[0].get("steps", math.nan) if condition.last else math.nan,
                "metric": condition.last[0]["metric"] if condition.last else "",
                "stage_development": mean_std(scores)[0],
                "stage_development_std": mean_std(scores)[1],
                "relative_error": mean_std(condition.errors)[0],
                "bits_per_label": condition.bits,
                "development": mean_std([run.on_development for run in condition.runs])[0],
                "zero_shot": mean_std([section.zero_shot(run) for run in section.runs[condition.model]])[0],
                **compared(section.comparisons.get(condition.model)),
            }
        )
    return rows


def conditions_table(section: Section, found: Sequence[Condition]) -> Table:
    """How hard the stages were, and what they brought."""
    columns: dict[str, Callable[[Row], str]] = {
        "condition": lambda row: row["condition"] + (" (control)" if row["control"] else ""),
        "stages": lambda row: row["stages"],
        "steps": lambda row: rounded(row["steps"], 0),
        "stage dev": lambda row: (
            f"{row['metric']} {plus_minus(row['stage_development'], row['stage_development_std'])}"
        ),
        "relative error": lambda row: rounded(row["relative_error"], 2),
        "bits per label": lambda row: rounded(row["bits_per_label"], 2),
        "zero-shot": lambda row: rounded(row["zero_shot"]),
        **COMPARED_COLUMNS,
    }
    notes = [
        f"Zero-shot {section.metric} in percent, differences to the {section.reference_label} in points. How hard the "
        "last stage is: its error on development data relative to always the most frequent answer, and the "
        "prequential code length of its training labels given the pretrained encoder (Voita and Titov 2020).",
        *_correlation_notes(section, found),
    ]
    return make_table(
        f"conditions_{section.name}", "Intermediate tasks", columns, condition_rows(section, found), notes, 2
    )


def families_table(section: Section, found: Sequence[Condition]) -> Table:
    """The difference of every condition, averaged over the languages of a family."""
    families = by_family(section.languages)
    rows = []
    for family, codes in families.items():
        compared_models = section.compared_in(codes)
        differences = [compared_models.get(condition.model) for condition in found]
        cells = [signed(one.difference) if one else signed(math.nan) for one in differences]
        rows.append([family, ", ".join(codes), *cells])
    header = ["family", "languages", *(condition.name for condition in found)]
    note = f"Differences to the {section.reference_label}, in points, mean over the family's languages and over seeds."
    return Table(f"families_{section.name}", "Language families", header, rows, [note], 2)


# ---------------------------------------------------------------------------------------------------------------------
# Gain over difficulty
# ---------------------------------------------------------------------------------------------------------------------

MEASURES: dict[str, Callable[[Condition], float]] = {
    "error relative to the most frequent answer": lambda condition: fmean(condition.errors or [math.nan]),
    "code length, bits per label": lambda condition: condition.bits,
}


def panels(section: Section, found: Sequence[Condition]) -> list[ScatterPanel]:
    """Difference over difficulty, one panel for each measure that there are values of.

    Of conditions that ask for the same labels, such as a task at two learning rates, the first counts.
    """
    made = []
    for measure, value in MEASURES.items():
        points: list[Point] = []
        asked = set()
        for condition in found:
            one, x = section.comparisons.get(condition.model), value(condition)
            if one is not None and not math.isnan(x):
                repeats = condition.asked in asked
                points.append(Point(condition.name, x, one.difference, one.low, one.high, condition.control, repeats))
                asked.add(condition.asked)
        if points:
            made.append(ScatterPanel(measure, points))
    return made


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho of gain and difficulty, with its 95 % interval and the p-value of permutations.

    The interval is that of Fisher's z with the variance of Bonett and Wright (2000), (1 + rho² / 2) / (n - 3); it
    takes conditions as drawn from many. nan where ranks agree altogether, which an interval of this kind cannot say.
    """

    rho: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p: float = math.nan
    conditions: int = 0


def rank_correlation(points: Sequence[Point]) -> Correlation:
    """Over the points that count: no controls, and none that repeats another.

    nan where fewer than four conditions are left or one of the two does not vary.
    """
    x, y = np.array([(point.x, point.y) for point in points if point.counts]).reshape(-1, 2).T
    if len(x) < 4 or not np.ptp(x) or not np.ptp(y):
        return Correlation(conditions=len(x))

    # Ranks of shuffled values are shuffled ranks: they are taken once, and rho is their correlation.
    ranks = np.array([stats.zscore(stats.rankdata(values)) for values in (x, y)])

    def rho(shuffled: np.ndarray, axis: int = -1) -> np.ndarray:
        return (shuffled * ranks[1]).mean(axis=axis).round(12)  # equal ones are equal to the bit

    # Exact up to 8 conditions (8! orders), else drawn.
    test = stats.permutation_test(
        (ranks[0],), rho, permutation_type="pairings", vectorized=True, n_resamples=50_000, rng=0
    )
    found = float(rho(ranks[0]))
    low, high = math.nan, math.nan
    if abs(found) < 1:
        width = stats.norm.isf(0.025) * math.sqrt((1 + found**2 / 2) / (len(x) - 3))
        low, high = (float(np.tanh(np.arctanh(found) + side * width)) for side in (-1, 1))
    return Correlation(found, low, high, float(test.pvalue), len(x))


def _correlation_notes(section: Section, found: Sequence[Condition]) -> list[str]:
    notes = []
    for panel in panels(section, found):
        one = rank_correlation(panel.points)
        if not math.isnan(one.rho):
            interval = "" if math.isnan(one.low) else f"95 % CI {one.low:+.2f} to {one.high:+.2f}, "
            notes.append(
                f"Gain and {panel.xlabel}: rank correlation {one.rho:+.2f} ({interval}p = {one.p:.2f}, permutations) "
                f"over {one.conditions} conditions, without controls and those that ask for the labels of one before."
            )
    return notes
