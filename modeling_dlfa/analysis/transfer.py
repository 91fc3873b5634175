"""Whether languages that are more like the training language are those that transfer works for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from ..errors import InputError
from ..training.results import RunResults, data_name, results_file
from ..vectors import Layer
from .permutation import correlation_p, rank_correlation
from .relatives import Alike, branch, family


FEWEST = 5  # languages; with fewer a rank correlation says nothing


@dataclass(frozen=True)
class Scores:
    """Scores of one task: language -> percent, the mean over some runs.

    Attributes:
        encoder: of the runs, a folder by its own name.
        model: fusion, layer and stages before, as `RunResults.model_name`.
    """

    task: str
    metric: str
    train_language: str
    encoder: str
    model: str
    runs: int
    by_language: dict[str, float]


@dataclass(frozen=True)
class Transfer:
    """Similarity to the training language against scores, in one layer.

    Attributes:
        points: language -> (similarity, score), the training language left out.
        rho: rank correlation.
        p_value: two-sided, families as blocks.
    """

    scores: Scores
    kind: str
    layer: Layer
    points: dict[str, tuple[float, float]]
    rho: float
    p_value: float


def read_scores(files: Sequence[str]) -> list[Scores]:
    """The scores in results files, a mean for each task.

    Raises:
        InputError: a file is none or named twice, or runs of a task differ in encoder, fusion, metric or training
            language.
    """
    by_task: dict[str, list[RunResults]] = {}
    read: set[Path] = set()
    for file in files:
        if (path := results_file(file).resolve()) in read:
            raise InputError(f"--scores {file}: this run is named twice")
        read.add(path)
        results = RunResults.load(file)
        by_task.setdefault(results.task, []).append(results)
        first = _of_all_runs(by_task[results.task][0])
        for name, value in _of_all_runs(results).items():
            if value != first[name]:
                theirs = f"{value}, another one {first[name]}"
                raise InputError(f"--scores {file}: {name} {theirs}: expected the same of all runs of {results.task}")
    return [mean_scores(runs) for runs in by_task.values()]


def _of_all_runs(run: RunResults) -> dict[str, str]:
    """What runs share whose scores are averaged."""
    names = ("metric", "train_language", "eval_split")
    return {
        "encoder": data_name(run.encoder),
        "model": run.model_name,
        **{name: getattr(run, name) for name in names},
    }


def mean_scores(runs: Sequence[RunResults]) -> Scores:
    """The mean over runs of a task, in the languages that all have."""
    first = runs[0]
    common = [language for language in first.scores if all(language in run.scores for run in runs)]
    means = {language: fmean(run.scores[language] for run in runs) for language in common}
    encoder, model = data_name(first.encoder), first.model_name
    return Scores(first.task, first.metric, first.train_language, encoder, model, len(runs), means)


def transfer(found: Alike, scores: Scores, kind: str, layer: Layer) -> Transfer | None:
    """None where fewer than `FEWEST` languages have both, or none is that of the training."""
    languages = list(found.languages)
    there = [one for one in languages if one in scores.by_language and one != scores.train_language]
    if scores.train_language not in languages or len(there) < FEWEST:
        return None
    row = found.whole[kind][layer][languages.index(scores.train_language)]
    points = {one: (float(row[languages.index(one)]), scores.by_language[one]) for one in there}
    similarities, of_scores = zip(*points.values(), strict=True)
    rho = rank_correlation(similarities, of_scores)
    p_value = correlation_p(similarities, of_scores, [(family(one), branch(one)) for one in there])
    return Transfer(scores, kind, layer, points, rho, p_value)


def transfers(found: Alike, scores: Sequence[Scores], kinds: Sequence[str]) -> list[Transfer]:
    """Of all scores, kinds of similarity and layers, those that can be told."""
    layers: Mapping = found.whole[kinds[0]]
    tried = [transfer(found, one, kind, layer) for one in scores for kind in kinds for layer in layers]
    return [one for one in tried if one is not None]
