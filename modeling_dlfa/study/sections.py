"""The runs of a study by task and encoder, and what is concluded from them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean
from typing import Any

from ..tasks.languages import by_family, language_name
from .records import Record
from .spec import BASELINE, Cell, Model, StudySpec
from .statistics import Comparison, Selection, compare, holm, select


@dataclass(frozen=True)
class Section:
    """One task with one encoder: the runs that the study asks for, those that there are, and what they say.

    In a study of conditions also one model with it, without and under each condition.

    Attributes:
        name: "udpos"; in a study of several encoders "udpos_xlm-roberta-base", of several languages of training
            "udpos_de", of a model "udpos_dlfa".
        task, encoder: as in `Cell`.
        cells: asked for.
        runs: model name -> its runs by seed, models without any left out.
        reference: name of the model that the others are compared with.
        of_conditions: whether it is about the conditions of that model.
        rivals: as in `StudySpec`.
        tuned: group -> what tuning has found for it, as in `StudySpec.tuned`.
        tuned_in: the language of training that it was found in; None: that of the runs.
        source: as in `Cell`.
    """

    name: str
    task: str
    encoder: str
    cells: Sequence[Cell]
    runs: Mapping[str, Sequence[Record]]
    reference: str = BASELINE
    of_conditions: bool = False
    rivals: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tuned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tuned_in: str | None = None
    source: str | None = None

    @property
    def title(self) -> str:
        title = f"{self.task}, {self.encoder}"
        if self.source is not None:
            title += f", trained in {language_name(self.source)}"
        return f"{title}: {self.reference} under conditions" if self.of_conditions else title

    @property
    def reference_label(self) -> str:
        """What tables and sentences call the reference."""
        return f"{self.reference} alone" if self.of_conditions else self.reference

    @property
    def first(self) -> Record:
        return next(iter(self.runs.values()))[0]

    @property
    def metric(self) -> str:
        """Name of the reported metric inside a sentence."""
        results = self.first.results
        name = results.of_task.kind.metric_names.get(results.metric, results.metric)
        return name if name.split()[0].isupper() else name[0].lower() + name[1:]

    @property
    def train_language(self) -> str:
        """Name of the language of training and development data."""
        return language_name(self.first.results.train_language)

    @property
    def baseline(self) -> Sequence[Record]:
        return self.runs.get(self.reference, ())

    @cached_property
    def models(self) -> list[Model]:
        """In the order of the study, the baseline first, with those that have no run yet."""
        return list({cell.model.name: cell.model for cell in self.cells}.values())

    @cached_property
    def groups(self) -> dict[str, list[Model]]:
        """Groups with several layers, by layer: those are curves, and have a layer to choose."""
        groups: dict[str, list[Model]] = {}
        for model in self.models:
            groups.setdefault(model.group, []).append(model)
        return {
            name: sorted(models, key=lambda model: model.layers) for name, models in groups.items() if len(models) > 1
        }

    @property
    def missing(self) -> dict[str, list[int]]:
        """Model name -> seeds without a run."""
        there = {record.cell.name for runs in self.runs.values() for record in runs}
        seeds: dict[str, list[int]] = {}
        for cell in self.cells:
            if cell.name not in there:
                seeds.setdefault(cell.model.name, []).append(cell.seed)
        return seeds

    @property
    def done(self) -> int:
        """Number of runs."""
        return sum(map(len, self.runs.values()))

    @property
    def progress(self) -> str:
        """ "20 of 24 runs"."""
        return f"{self.done} of {len(self.cells)} runs"

    @cached_property
    def all_languages(self) -> list[str]:
        """Languages that any run was scored in, in the order of the tables."""
        found = {code for runs in self.runs.values() for run in runs for code in scored(run)}
        return [code for codes in by_family(found).values() for code in codes]

    @cached_property
    def languages(self) -> list[str]:
        """Languages of the zero-shot averages: those of all runs, without the training language."""
        return [
            code
            for code in self.all_languages
            if code != self.first.results.train_language
            and all(code in scored(run) for runs in self.runs.values() for run in runs)
        ]

    def zero_shot(self, run: Record) -> float:
        """Mean score over `languages`; nan if there are none."""
        return fmean(run.results.scores[code] for code in self.languages) if self.languages else math.nan

    @cached_property
    def comparisons(self) -> dict[str, Comparison]:
        """Of every model that shares a seed with the baseline."""
        return self.compared_in(self.languages) if self.languages else {}

    @cached_property
    def by_language(self) -> dict[str, dict[str, Comparison]]:
        """language -> comparisons of the runs that were scored in it."""
        return {code: self.compared_in([code]) for code in self.all_languages}

    def compared_in(self, languages: Sequence[str]) -> dict[str, Comparison]:
        """The same over other languages, of the runs that were scored in all of them."""
        runs = {name: [run for run in runs if scored(run).issuperset(languages)] for name, runs in self.runs.items()}
        return compared_with(self.reference, runs, languages)

    @cached_property
    def selections(self) -> dict[str, Selection]:
        """Group -> the choice among its layers."""
        compared = {
            name: {model.name: self.comparisons[model.name] for model in models if model.name in self.comparisons}
            for name, models in self.groups.items()
        }
        return {name: select(comparisons) for name, comparisons in compared.items() if comparisons}

    @cached_property
    def of_rivals(self) -> dict[tuple[str, str], Comparison]:
        """(model, rival) -> the first against the second, both at the layer chosen; Holm's correction is over all."""
        found: dict[tuple[str, str], Comparison] = {}
        for name, others in self.rivals.items() if self.languages else ():
            ours = self._chosen(name)
            for theirs in filter(None, map(self._chosen, others)) if ours else ():
                seeds = {run.cell.seed for run in self.runs[theirs]}
                if any(run.cell.seed in seeds for run in self.runs[ours]):
                    compared = compare({ours: self.runs[ours]}, self.runs[theirs], languages=self.languages)
                    found[ours, theirs] = compared[ours]
        adjusted = holm([comparison.p_value for comparison in found.values()])
        return {pair: replace(one, p_adjusted=p) for (pair, one), p in zip(found.items(), adjusted, strict=True)}

    def _chosen(self, group: str) -> str:
        """Name of the group's model with runs, of several that chosen on development data; empty without any."""
        if group in self.groups:
            return self.selections[group].chosen.model if group in self.selections else ""
        return next((model.name for model in self.models if model.group == group and model.name in self.runs), "")

    def model(self, name: str) -> Model:
        return next(model for model in self.models if model.name == name)

    def at_chance(self, name: str, code: str) -> bool:
        """Whether a run of the model is no better in a language than always the most frequent label."""
        return any(code in run.results.chance_level for run in self.runs.get(name, ()))


def compared_with(
    reference: str, runs: Mapping[str, Sequence[Record]], languages: Sequence[str]
) -> dict[str, Comparison]:
    """Those that share a seed with the reference, each against it; no name, where it has no run."""
    baseline = runs.get(reference, ())
    seeds = {run.cell.seed for run in baseline}
    others = {
        name: own for name, own in runs.items() if name != reference and any(run.cell.seed in seeds for run in own)
    }
    return compare(others, baseline, languages=languages)


def scored(run: Record) -> set[str]:
    """The languages in which a run has a score that is a number, of one example or more."""
    return {
        code for code, score in run.results.scores.items() if math.isfinite(score) and len(run.counts.get(code, ()))
    }


def sections(spec: StudySpec, records: Sequence[Record]) -> list[Section]:
    """One for every task, encoder and language of training, in the order of the study, with or without runs.

    In a study of conditions it holds the models without any, where there are several, and one for every model follows.
    """
    there = {record.cell.name: record for record in records}
    cells: dict[tuple[str, str, str | None, str], list[Cell]] = {}
    for cell in spec.cells:
        if cell.model.condition is None and (spec.models or not spec.conditions):
            cells.setdefault((cell.task, cell.encoder, cell.source, ""), []).append(cell)
        if spec.conditions:
            cells.setdefault((cell.task, cell.encoder, cell.source, cell.model.base), []).append(cell)
    several = len({encoder for _, encoder, *_ in cells}) > 1
    made = []
    for (task, encoder, source, base), asked in cells.items():
        runs: dict[str, list[Record]] = {}
        for cell in sorted(asked, key=lambda cell: cell.seed):
            if cell.name in there:
                runs.setdefault(cell.model.name, []).append(there[cell.name])
        order = dict.fromkeys(cell.model.name for cell in asked)
        ordered = {name: runs[name] for name in order if name in runs}
        name = "_".join(filter(None, [task, encoder if several else None, source, base]))
        rivals = {} if base else spec.rivals
        groups = dict.fromkeys(cell.model.tuned_as for cell in asked)
        tuned = {group: spec.tuned.get(spec.tuned_name(task, encoder, group), {}) for group in groups}
        first = spec.train_languages[0] if spec.train_languages else None
        reference = base or BASELINE
        made.append(Section(name, task, encoder, asked, ordered, reference, bool(base), rivals, tuned, first, source))
    return made
