"""How much better than the baseline, and is it more than luck? Paired comparisons over seeds and test examples.

The compared number is the zero-shot average of one task and one encoder: the unweighted mean of the scores over the
languages that were not trained on. Languages are fixed, not a sample. Two things are luck: which seeds were run, and
which examples are in the test sets. With D_s the difference between model and baseline of seed s, their mean has

    variance = (variance of D_s over seeds) / S  +  covariance of D_s and D_t, s != t, over test sets.

The first term is estimated from the runs, with S - 1 degrees of freedom. It already holds how differently two seeds
treat the same examples; so the second, from the bootstrap, is only what all seeds share. The bootstrap variance of the
mean difference in its place would count the former twice.

The error is thus the sum of a t-distributed and a normal part, and intervals and p-values are those of that sum (the
Behrens-Fisher distribution; our choice). A percentile bootstrap over seeds and Welch's degrees of freedom are too
optimistic with few seeds: in simulated ties with two seeds Welch was below 0.05 in up to 12 %, and below 0.007, where
Holm looks, in up to 7 %. The sum keeps its level and errs on the safe side: with two seeds and small test sets far.

The spread over seeds is that of each model alone. One estimate for all compared models would have more degrees of
freedom, but their spreads are not alike: on UD-POS in `results/layers` it is 0.01 points at layer 0 and 0.34 at layer
11, on PAN-X 0.1 and 1.0. Pooled, one would be called certain on the evidence of the other (our choice).

Where neither seeds nor examples show any spread, as of models that count the same on every example, nothing is known
of it: there is no interval, and no p-value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, special, stats

from ..errors import InputError
from ..tasks.scores import score_of_counts
from .records import Record


RESAMPLES = 2000
LEVEL = 0.95

METHOD = (
    "Each run is compared with the baseline run of the same seed; the differences of their zero-shot averages (in "
    "percentage points, all languages but the training language with equal weight) are averaged over the seeds. "
    f"The {100 * LEVEL:.0f} % intervals and p-values allow for two kinds of luck: that of the seeds, from the spread "
    "of the differences over seeds (t-distributed), and that of the test examples, from a paired bootstrap "
    f"({RESAMPLES:,} times, examples are drawn anew within each language, the same for all runs; questions about one "
    "text, or the hypotheses of one premise, are drawn together). "
    "Adjusted p-values (Holm) allow for looking at several models at once: where they are below 0.05, the chance that "
    "any model is called different from the baseline without being so is at most 5 %. "
    "The layer chosen on development data of the training language is a fair pick; the layer that is best on test "
    "data is an oracle: chosen with the answers, and partly the luckiest. "
    "Intervals take as given what was tuned or chosen on development data: the luck of that is not in them. "
    "With a single seed, the interval knows nothing of the spread over seeds and there is no p-value; with two, it "
    "rests on one degree of freedom, and is wide. Where no example differs with any seed, there is no interval."
)


@dataclass(frozen=True)
class Comparison:
    """One model against the baseline, over the seeds that both were run with. Scores are in percent.

    Attributes:
        model: its name.
        seeds: ascending; with a single one the spread over seeds is unknown and the interval too short.
        scores, baseline_scores: per seed, the mean over the compared languages.
        development_scores, baseline_development_scores: per seed, on the training language's development data.
        low, high: 95 % confidence interval of `difference`.
        p_value: two-sided, of no difference; nan with one seed, and (with the interval) where the difference shows no
            spread at all: with a handful of examples, or where it is nothing on every one of them.
        p_adjusted: the same after Holm's correction for the models that were compared together.
        seed_error, test_error: parts of the standard error of `difference`, from seeds (S - 1 degrees of freedom; nan
            with one seed) and from test examples.
    """

    model: str
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    baseline_scores: tuple[float, ...]
    development_scores: tuple[float, ...]
    baseline_development_scores: tuple[float, ...]
    low: float
    high: float
    p_value: float
    p_adjusted: float
    seed_error: float
    test_error: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.scores))

    @property
    def std(self) -> float:
        """Over seeds, of a sample; nan with one."""
        return _std(self.scores)

    @property
    def baseline_mean(self) -> float:
        return float(np.mean(self.baseline_scores))

    @property
    def baseline_std(self) -> float:
        return _std(self.baseline_scores)

    @property
    def differences(self) -> tuple[float, ...]:
        """Model less baseline, per seed."""
        return tuple(a - b for a, b in zip(self.scores, self.baseline_scores, strict=True))

    @property
    def difference(self) -> float:
        return float(np.mean(self.differences))

    @property
    def alike(self) -> bool:
        """Whether model and baseline count the same on every test example, with every seed."""
        return not any(self.differences) and self.standard_error == 0

    @property
    def standard_error(self) -> float:
        """Of `difference`; with one seed its part from test examples."""
        return float(np.hypot(np.nan_to_num(self.seed_error), self.test_error))

    @property
    def development_mean(self) -> float:
        return float(np.mean(self.development_scores))

    @property
    def development_difference(self) -> float:
        return self.development_mean - float(np.mean(self.baseline_development_scores))


@dataclass(frozen=True)
class Selection:
    """Which of several models (layers) to take.

    Attributes:
        chosen: highest mean score on the development data of the training language, as the mean difference to the
            baseline runs of the same seeds; of equal ones the first (lowest layer). Its `p_value` needs no correction
            as far as the luck of the test sets goes; `p_adjusted` is the safe one where runs that were lucky on
            development data tend to be lucky in other languages too, since both come from the same training.
        oracle: highest zero-shot average: chosen with the test sets and the target languages, which no fair choice
            may use, and partly the luckiest. Only its `p_adjusted` is a p-value.
        baseline_preferred: the baseline does at least as well as `chosen` on development data.
    """

    chosen: Comparison
    oracle: Comparison
    baseline_preferred: bool

    @property
    def regret(self) -> float:
        """Points of the zero-shot average between oracle and chosen model; 0 where they are the same."""
        return self.oracle.difference - self.chosen.difference


def compare(
    models: Mapping[str, Sequence[Record]],
    baseline: Sequence[Record],
    *,
    languages: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Comparison]:
    """Compare models with the baseline, on one task with one encoder. `METHOD` says how.

    Args:
        models: name -> runs, one per seed. A seed without a baseline run is left out, and the other way round.
        baseline: its runs.
        languages: whose scores are averaged. Default: all but the training language.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        InputError: a model has no seed in common with the baseline; no languages are left; a run lacks a language,
            has another number of examples in it than the others, or counts that do not make its score.
    """
    pairs = {name: _paired(name, runs, baseline) for name, runs in models.items()}
    if not pairs:
        return {}
    languages = zero_shot_languages(baseline[0]) if languages is None else languages
    if not languages:
        raise InputError(f"{baseline[0].cell.name}: no language but that of the training was scored")
    tables = _tables(pairs, languages, resamples, seed)
    return _compared(pairs, np.mean(list(tables.values()), axis=0))


def select(comparisons: Mapping[str, Comparison]) -> Selection:
    """Choose among what `compare` returned, in the order of the layers.

    Raises:
        InputError: there is nothing to choose from.
    """
    if not comparisons:
        raise InputError("no model has been compared with the baseline, so that none can be chosen")
    chosen = max(comparisons.values(), key=lambda comparison: comparison.development_difference)
    oracle = max(comparisons.values(), key=lambda comparison: comparison.difference)
    return Selection(chosen, oracle, chosen.development_difference <= 0)


def zero_shot_languages(record: Record) -> list[str]:
    """The languages that a run was scored in but that of its training."""
    return [language for language in record.counts if language != record.results.train_language]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: rejecting below alpha keeps the chance of any false rejection at alpha.

    nan stays nan and is not counted.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # nan comes last
    adjusted = np.full(len(values), np.nan)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(len(order), 0, -1)))
    return adjusted.tolist()


# ---------------------------------------------------------------------------------------------------------------------
# Pairs of runs, and their scores on the test sets as they are and as they might have been
# ---------------------------------------------------------------------------------------------------------------------

Pairs = list[tuple[Record, Record]]


def _paired(name: str, runs: Sequence[Record], baseline: Sequence[Record]) -> Pairs:
    """(run, baseline run) of every common seed, ascending."""
    ours = {run.cell.seed: run for run in runs}
    theirs = {run.cell.seed: run for run in baseline}
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds:
        raise InputError(
            f"{name} has no seed in common with the baseline: seeds {sorted(ours)}, those of the baseline "
            f"{sorted(theirs)}"
        )
    return [(ours[seed], theirs[seed]) for seed in seeds]


def _tables(pairs: Mapping[str, Pairs], languages: Sequence[str], resamples: int, seed: int) -> dict[str, np.ndarray]:
    """language -> scores (1 + resamples, pairs of all models, 2), the first row from the real test set.

    Languages with equally many examples share the drawn positions: the test sets of XNLI and PAWS-X are translations
    of each other, line by line, so that a hard line is hard in every language. Where lines have nothing in common,
    sharing positions changes nothing on average.
    """
    runs = [run for pair in pairs.values() for both in pair for run in both]
    by_size: dict[int, list[str]] = {}
    for language in languages:
        by_size.setdefault(_checked_size(runs, language), []).append(language)
    tables = {}
    for size, group in by_size.items():
        counts = np.stack([run.counts[language] for language in group for run in runs], axis=1)
        scores = score_of_counts(counts.sum(axis=0)).reshape(len(group), -1)
        for language, row in zip(group, scores, strict=True):
            _check_scores(runs, language, row)
        drawn = _drawn_scores(counts, resamples, np.random.default_rng([seed, size]))
        table = np.concatenate([scores[None], drawn.reshape(resamples, *scores.shape)])
        table = table.reshape(1 + resamples, len(group), -1, 2)
        tables |= {language: table[:, i] for i, language in enumerate(group)}
    return {language: tables[language] for language in languages}


def _checked_size(runs: Sequence[Record], language: str) -> int:
    """The number of examples that all runs have in a language."""
    for run in runs:
        if language not in run.counts:
            raise InputError(f"{run.cell.name} was not scored in {language}, which it is compared in")
        size, expected = len(run.counts[language]), len(runs[0].counts[language])
        if size != expected:
            raise InputError(f"{run.cell.name}, {language}: {size} examples, but {expected} in {runs[0].cell.name}")
    return len(runs[0].counts[language])


def _check_scores(runs: Sequence[Record], language: str, scores: np.ndarray) -> None:
    for run, score in zip(runs, scores.tolist(), strict=True):
        reported = run.results.scores[language]
        if abs(score - reported) > 1e-6:
            raise InputError(
                f"{run.cell.name}, {language}: the counts make {score:.4f}, the results file says {reported:.4f}"
            )


def _drawn_scores(counts: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Scores (resamples, K) of test sets drawn with replacement from `counts` (N, K, 3), the same for all K."""
    size = len(counts)
    flat = counts.reshape(size, -1).astype(np.float32)
    rows = max(1, 2**22 // size)  # at a time: bounds the memory
    scores = []
    for start in range(0, resamples, rows):
        chunk = min(rows, resamples - start)
        drawn = rng.integers(size, size=(chunk, size)) + size * np.arange(chunk)[:, None]
        times = np.bincount(drawn.ravel(), minlength=chunk * size).reshape(chunk, size)
        scores.append(score_of_counts((times.astype(np.float32) @ flat).reshape(chunk, -1, 3)))
    return np.concatenate(scores)


# ---------------------------------------------------------------------------------------------------------------------
# From scores to intervals and p-values
# ---------------------------------------------------------------------------------------------------------------------


def _compared(pairs: Mapping[str, Pairs], table: np.ndarray) -> dict[str, Comparison]:
    """A comparison for every model from scores as `_tables` gives them."""
    comparisons = {}
    start = 0
    for name, model_pairs in pairs.items():
        comparisons[name] = _comparison(name, model_pairs, table[:, start : start + len(model_pairs)])
        start += len(model_pairs)
    adjusted = holm([comparison.p_value for comparison in comparisons.values()])
    return {name: replace(comparisons[name], p_adjusted=p) for name, p in zip(comparisons, adjusted, strict=True)}


def _comparison(name: str, pairs: Pairs, table: np.ndarray) -> Comparison:
    differences = table[..., 0] - table[..., 1]
    difference = float(differences[0].mean())
    seed_error, test_error = _errors(differences[0], differences[1:])
    error = (float(np.nan_to_num(seed_error)), test_error, max(1, len(pairs) - 1))
    half = _half_width(*error) if any(error[:2]) else np.nan
    return Comparison(
        model=name,
        seeds=tuple(run.cell.seed for run, _ in pairs),
        scores=tuple(table[0, :, 0].tolist()),
        baseline_scores=tuple(table[0, :, 1].tolist()),
        development_scores=tuple(run.results.on_development for run, _ in pairs),
        baseline_development_scores=tuple(run.results.on_development for _, run in pairs),
        low=difference - half,
        high=difference + half,
        p_value=two_sided(difference, *error) if len(pairs) > 1 else np.nan,
        p_adjusted=np.nan,
        seed_error=seed_error,
        test_error=test_error,
    )


def _errors(differences: np.ndarray, drawn: np.ndarray) -> tuple[float, float]:
    """Standard errors from seeds and from test examples, of differences (S,) and those of drawn test sets (R, S).

    Seeds that agree to the last digit (or a single one) say nothing about their spread. What is known then is the
    bootstrap error of the mean of these very runs, which holds how they treat examples differently.
    """
    seeds = len(differences)
    if seeds == 1 or np.ptp(differences) < 1e-9:
        return 0.0 if seeds > 1 else np.nan, float(drawn.mean(axis=1).std(ddof=1))
    covariance = np.cov(drawn, rowvar=False)
    shared = (covariance.sum() - covariance.trace()) / (seeds * (seeds - 1))
    return _std(differences) / seeds**0.5, float(max(0.0, shared)) ** 0.5


# Gauss-Legendre nodes of (0, 1), made dense near 0, where a t distribution has its tails.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(100)
_NODES = ((_NODES + 1) / 2) ** 6
_WEIGHTS = 3 * _WEIGHTS * _NODES ** (5 / 6)


def two_sided(difference: float, seed_error: float, test_error: float, freedom: int) -> float:
    """P(|seed_error * T + test_error * Z| >= |difference|), T of `freedom` degrees and Z normal, independent.

    T is normal given its chi-squared denominator, over which the probability is averaged. nan without any error.
    """
    if seed_error == test_error == 0:
        return np.nan
    chi_squared = 2 * special.gammaincinv(freedom / 2, _NODES)
    error = np.sqrt(test_error**2 + seed_error**2 * freedom / chi_squared)
    return min(1.0, float(_WEIGHTS @ special.erfc(abs(difference) / error / 2**0.5)))


def _half_width(seed_error: float, test_error: float, freedom: int) -> float:
    """Half the confidence interval: the difference whose p-value is 1 - LEVEL."""
    alpha = 1 - LEVEL
    # Too wide: each part stays below its share in all but alpha / 2.
    most = seed_error * stats.t.isf(alpha / 4, freedom) + test_error * stats.norm.isf(alpha / 4)
    return float(optimize.brentq(lambda d: two_sided(d, seed_error, test_error, freedom) - alpha, 0, most))  # pyright: ignore


def _std(values: Sequence[float] | np.ndarray) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
