"""What a study of several languages of training says: which language to label, for whom."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from ..pages import Table
from ..tasks.languages import by_family, language_name
from ..wording import mean_std, plus_minus, rounded, signed
from .figures import Column
from .records import Record
from .sections import Section, compared_with, scored
from .statistics import Comparison
from .tables import COMPARED_COLUMNS, Row, compared, make_table


@dataclass(frozen=True)
class Transfer:
    """One model of one task and encoder, trained in several languages.

    Attributes:
        name: of the task, with several encoders also of that, and of the model: "panx_dlfa".
        task, encoder, model, metric: what is trained, and how it is scored.
        runs: language of training -> its runs by seed, in the order of the study; the others are compared with the
            first.
    """

    name: str
    task: str
    encoder: str
    model: str
    metric: str
    runs: Mapping[str, Sequence[Record]]

    @property
    def title(self) -> str:
        return f"{self.task}, {self.encoder}: {self.model} by language of training"

    @property
    def first(self) -> str:
        """The language of training that others are compared with."""
        return next(iter(self.runs))

    @cached_property
    def languages(self) -> list[str]:
        """All that every run was scored in, in the order of the tables."""
        common = set.intersection(*(scored(run) for runs in self.runs.values() for run in runs))
        return [code for codes in by_family(common).values() for code in codes]

    @cached_property
    def targets(self) -> list[str]:
        """Languages that no model is trained in: the averages are over them, so that all are of the same languages."""
        return [code for code in self.languages if code not in self.runs]

    def scores(self, source: str, target: str) -> list[float]:
        """One for each seed, in percent."""
        return [run.results.scores[target] for run in self.runs[source] if target in run.results.scores]

    def score(self, source: str, target: str) -> float:
        """Mean over seeds; nan without one."""
        return mean_std(self.scores(source, target))[0]

    def average(self, source: str) -> list[float]:
        """Mean over `targets`, one for each seed."""
        return [fmean(run.results.scores[code] for code in self.targets) for run in self.runs[source] if self.targets]

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Language of training -> its average over `targets` against that of the first; those that share a seed."""
        return compared_with(self.first, self.runs, self.targets) if self.targets else {}

    def best(self, target: str) -> str:
        """The language of training with the highest score there: an oracle."""
        return max(self.runs, key=lambda source: self.score(source, target))


def transfers(sections: Sequence[Section]) -> list[Transfer]:
    """Those that differ in the language of training alone, where two or more have runs."""
    several = len({section.encoder for section in sections}) > 1
    found: dict[tuple[str, str, str], dict[str, Sequence[Record]]] = {}
    metrics: dict[str, str] = {}
    for section in sections:
        if section.source is None or not section.runs:
            continue
        metrics[section.task] = section.metric
        for model, runs in section.runs.items():
            found.setdefault((section.task, section.encoder, model), {})[section.source] = runs
    return [
        Transfer("_".join([task, *([encoder] if several else []), model]), task, encoder, model, metrics[task], runs)
        for (task, encoder, model), runs in found.items()
        if len(runs) > 1
    ]


def transfer_rows(transfer: Transfer) -> list[Row]:
    """One row for every pair of a language of training and one that is scored."""
    families = {code: family for family, codes in by_family(transfer.languages).items() for code in codes}
    rows = []
    for source in transfer.runs:
        for target in transfer.languages:
            scores = transfer.scores(source, target)
            score, deviation = mean_std(scores)
            own = transfer.score(target, target) if target in transfer.runs else math.nan
            rows.append(
                {
                    "task": transfer.task,
                    "encoder": transfer.encoder,
                    "model": transfer.model,
                    "source": source,
                    "target": target,
                    "family": families[target],
                    "seeds": len(scores),
                    "score": score,
                    "score_std": deviation,
                    "gap": own - score,
                    "difference": score - transfer.score(transfer.first, target),
                }
            )
    return rows


def transfer_tables(transfer: Transfer) -> list[Table]:
    """For people: languages of training compared, among themselves, and the best one for every target."""
    return [table for table in (_sources(transfer), _square(transfer), _best(transfer)) if table.rows]


def _sources(transfer: Transfer) -> Table:
    first = language_name(transfer.first)
    rows = []
    for source, runs in transfer.runs.items():
        mean, deviation = mean_std(transfer.average(source))
        rows.append(
            {
                "source": source,
                "seeds": len(runs),
                "own": transfer.score(source, source),
                "average": plus_minus(mean, deviation),
                **compared(transfer.comparisons.get(source)),
                "best": sum(transfer.best(target) == source for target in transfer.targets),
            }
        )
    columns = {
        "trained in": lambda row: language_name(row["source"]),
        "seeds": lambda row: str(row["seeds"]),
        "itself": lambda row: rounded(row["own"]),
        f"{len(transfer.targets)} others": lambda row: row["average"],
        **COMPARED_COLUMNS,
        "best for": lambda row: str(row["best"]),
    }
    notes = [
        f"{transfer.metric} in percent, mean ± standard deviation over seeds: in the language itself, and averaged "
        f"over the {len(transfer.targets)} languages that no model is trained in. Differences of that average to "
        f"training in {first}, in points. Best for: in how many of them it has the highest score, an oracle."
    ]
    return make_table(f"sources_{transfer.name}", "Languages of training", columns, rows, notes)


def _square(transfer: Transfer) -> Table:
    there = [code for code in transfer.runs if code in transfer.languages]
    rows = [
        [language_name(source), *(rounded(transfer.score(source, target)) for target in there)]
        for source in transfer.runs
    ]
    notes = [
        f"{transfer.metric} in percent, mean over seeds; a row is a language of training, a column the language that "
        "is scored. What a column loses against its own row is the gap of the transfer."
    ]
    return Table(f"square_{transfer.name}", "Among themselves", ["trained in", *there], rows if there else [], notes)


def _best(transfer: Transfer) -> Table:
    first = language_name(transfer.first)
    rows = []
    for family, codes in by_family(transfer.targets).items():
        for target in codes:
            best, score = transfer.best(target), transfer.score(transfer.first, target)
            found = transfer.score(best, target)
            gain = signed(found - score)
            rows.append([language_name(target), family, language_name(best), rounded(found), rounded(score), gain])
    header = ["scored in", "family", "best trained in", "score", f"trained in {first}", "difference"]
    notes = ["The best language is found on test data, among several: an oracle, and partly the luckiest."]
    return Table(f"best_{transfer.name}", "The best language for each", header, rows, notes, text_columns=3)


def transfer_columns(transfer: Transfer) -> list[Column]:
    """For a heat map: the other languages of training, and their differences to the first."""
    averages = {source: mean_std(transfer.average(source))[0] for source in transfer.runs}
    return [
        Column(
            language_name(source),
            source,
            None,
            averages[source] - averages[transfer.first],
            {code: transfer.score(source, code) - transfer.score(transfer.first, code) for code in transfer.languages},
        )
        for source in transfer.runs
        if source != transfer.first
    ]
