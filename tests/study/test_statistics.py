"""Comparisons with known answers: simulated ties and gains, hand-made tables, and what must not be compared."""

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import integrate, stats

from modeling_dlfa.errors import InputError
from modeling_dlfa.study.records import Record
from modeling_dlfa.study.spec import Cell, Model
from modeling_dlfa.study.statistics import Comparison, compare, holm, select, two_sided
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.scores import score_of_counts
from modeling_dlfa.training.counts import counts_file, write_counts
from modeling_dlfa.training.results import RunResults, averages
from tests.of_kinds import score


LANGUAGES = ("ar", "bg", "de", "el", "fr", "hi", "ru", "zh")


def record(model: str, seed: int, counts: dict[str, np.ndarray], development_score: float = 80.0) -> Record:
    made = score_of_counts(np.array([values.sum(axis=0) for values in counts.values()]))
    scores = dict(zip(counts, made.tolist(), strict=True))
    results = RunResults(
        task="xnli",
        eval_split="test",
        metric="accuracy",
        scores=scores,
        **averages(scores, "en"),  # pyright: ignore
        all_metrics={language: {"accuracy": score} for language, score in scores.items()},
        support={language: len(values) for language, values in counts.items()},
        chance_level=[],
        development_score=development_score,
        encoder="tiny",
        fusion="none" if model == "baseline" else "aif",
        fusion_layer=None,
        model_config={},
        seed=seed,
        train_language="en",
        train_samples=60,
        train_runtime=1.0,
        training={},
        data="sample",
        versions={},
    )
    return Record(Cell("xnli", "tiny", Model(model, model, {}), seed, {}), results, counts)


def pair_counts(right: np.ndarray) -> np.ndarray:
    """Counts of sentence pairs: (..., N, 3) of (..., N) right or wrong."""
    return np.stack([right, np.ones_like(right), np.ones_like(right)], axis=-1).astype(np.int64)


def run(model: str, seed: int, right: dict[str, list[int]], development_score: float = 80.0) -> Record:
    return record(model, seed, {k: pair_counts(np.array(v)) for k, v in right.items()}, development_score)


class World:
    """Draws studies of models whose true scores are known.

    A pair is right where a normal sum is above a bar: how hard the pair is, how much this model likes the pair (the
    same in all its runs), how good the seed was, and chance of the run at this pair. All of unit variance together.
    """

    def __init__(self, seed: int, *, liking: float, seed_points: float, size: int = 100):
        self.rng = np.random.default_rng(seed)
        self.liking, self.size = liking, size
        self.seed_sd = seed_points / (100 * stats.norm.pdf(stats.norm.ppf(0.8)))

    def runs(self, names: Iterable[str], seeds: int, gain: float = 0.0) -> dict[str, list[Record]]:
        """Runs of models with a true score of 80 and of 80 + gain but for the first."""
        shape = (len(LANGUAGES), self.size)
        hard = self.rng.normal(size=shape) * math.sqrt(0.8 - self.liking)
        runs = {}
        for number, name in enumerate(names):
            bar = stats.norm.ppf(0.8 + (gain / 100 if number else 0)) * math.sqrt(1 + self.seed_sd**2)
            base = bar + hard + self.rng.normal(size=shape) * math.sqrt(self.liking)
            chance = self.rng.normal(size=(seeds, *shape)) * math.sqrt(0.2)
            right = base + chance + self.rng.normal(size=(seeds, 1, 1)) * self.seed_sd > 0
            counts = pair_counts(right)
            runs[name] = [record(name, seed, dict(zip(LANGUAGES, counts[seed]))) for seed in range(seeds)]
        return runs


def comparisons(world: World, *, seeds: int, draws: int, gain: float = 0.0) -> list[Comparison]:
    drawn = (world.runs(("baseline", "dlfa"), seeds, gain) for _ in range(draws))
    return [compare({"dlfa": runs["dlfa"]}, runs["baseline"], resamples=150)["dlfa"] for runs in drawn]


# ---------------------------------------------------------------------------------------------------------------------
# Simulated studies
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_a_tie_is_significant_in_about_five_percent_of_draws(seeds):
    found = comparisons(World(seeds, liking=0, seed_points=0.8), seeds=seeds, draws=300)
    assert 0.02 <= np.mean([c.p_value < 0.05 for c in found]) <= 0.08
    for c in found:
        assert (c.low > 0 or c.high < 0) == (c.p_value < 0.05)


def test_a_tie_of_models_that_like_different_examples_is_not_significant_more_often():
    found = comparisons(World(0, liking=0.6, seed_points=0.3), seeds=5, draws=150)
    assert np.mean([c.p_value < 0.05 for c in found]) <= 0.06
    by_seeds_alone = [abs(c.difference) / c.seed_error > stats.t.ppf(0.975, 4) for c in found]
    assert np.mean(by_seeds_alone) > 0.2, "the world has no luck of test examples to allow for"


def test_a_gain_of_two_points_is_significant_nearly_always():
    world = World(0, liking=0.02, seed_points=0.25, size=1000)
    found = comparisons(world, seeds=5, draws=40, gain=2.0)
    assert 0.4 < np.mean([np.std(c.differences, ddof=1) for c in found]) < 0.6
    assert np.mean([c.p_value < 0.05 for c in found]) > 0.95
    assert np.mean([c.difference for c in found]) == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("seeds, liking", [(3, 0.02), (5, 0.3)])
def test_the_interval_holds_the_true_difference_in_about_95_percent_of_draws(seeds, liking):
    found = comparisons(World(seeds, liking=liking, seed_points=0.5), seeds=seeds, draws=200, gain=2.0)
    assert 0.93 <= np.mean([c.low <= 2 <= c.high for c in found]) <= 0.995


def test_of_many_tied_layers_one_is_significant_after_correction_in_at_most_five_percent_of_draws():
    world = World(1, liking=0, seed_points=0.8, size=60)
    found = []
    for _ in range(120):
        layers = world.runs(["baseline", *map(str, range(7))], seeds=3)
        found.append(compare(layers, layers.pop("baseline"), resamples=100).values())
    assert np.mean([min(c.p_value for c in layers) < 0.05 for layers in found]) > 0.1, "nothing to correct"
    assert np.mean([min(c.p_adjusted for c in layers) < 0.05 for layers in found]) <= 0.06


# ---------------------------------------------------------------------------------------------------------------------
# Known answers
# ---------------------------------------------------------------------------------------------------------------------


def test_the_numbers_of_a_comparison():
    right = {"en": [1, 1, 1, 1], "de": [1, 1, 0, 0], "ru": [1, 0, 0, 0]}
    better = {"en": [0, 0, 0, 0], "de": [1, 1, 1, 0], "ru": [1, 1, 0, 0]}
    best = {"en": [0, 0, 0, 0], "de": [1, 1, 1, 1], "ru": [1, 1, 0, 1]}
    models = {"dlfa": [run("dlfa", 2, best, 82.0), run("dlfa", 1, better, 81.0)]}
    found = compare(models, [run("baseline", 1, right, 79.0), run("baseline", 2, right, 80.0)])["dlfa"]
    assert (found.model, found.seeds) == ("dlfa", (1, 2))
    assert found.scores == (62.5, 87.5) and found.baseline_scores == (37.5, 37.5)
    assert found.differences == (25, 50) and found.difference == 37.5
    assert (found.mean, found.baseline_mean) == (75, 37.5)
    assert found.std == pytest.approx(25 / math.sqrt(2)) and found.baseline_std == 0
    assert found.development_scores == (81, 82) and found.baseline_development_scores == (79, 80)
    assert (found.development_mean, found.development_difference) == (81.5, 2)
    assert found.seed_error == pytest.approx(12.5)
    assert found.standard_error == pytest.approx(math.hypot(12.5, found.test_error))
    assert found.low == pytest.approx(75 - found.high)
    assert found.p_adjusted == found.p_value

    german = compare(models, [run("baseline", 1, right), run("baseline", 2, right)], languages=["de"])["dlfa"]
    assert german.scores == (75, 100) and german.baseline_scores == (50, 50)


def test_difference_of_the_average_is_the_average_difference():
    runs = World(0, liking=0.1, seed_points=0.5).runs(("baseline", "k0", "k1"), seeds=3, gain=5)
    baseline = runs.pop("baseline")
    found = [compare(runs, baseline, languages=[code], resamples=200)["k1"].difference for code in LANGUAGES]
    assert np.ptp(found) > 0
    assert np.mean(found) == pytest.approx(compare(runs, baseline, resamples=200)["k1"].difference)


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_identical_models_differ_by_nothing_and_nothing_is_known_of_it(seeds):
    runs = World(0, liking=0, seed_points=1).runs(["baseline", "other"], seeds=seeds)
    found = compare({"dlfa": runs["baseline"], "other": runs["other"]}, runs["baseline"])
    same = found["dlfa"]
    assert same.difference == same.standard_error == 0 and same.alike
    assert all(map(math.isnan, (same.low, same.high, same.p_value, same.p_adjusted)))
    assert not found["other"].alike
    assert found["other"].p_adjusted == pytest.approx(found["other"].p_value, nan_ok=True)  # one was compared


@pytest.mark.parametrize("size, resamples", [(400, 4000), (20_000, 800)])
def test_the_error_of_an_accuracy_is_that_of_a_binomial(size, resamples):
    """The baseline is wrong everywhere, so that the difference is an accuracy."""
    right = {"de": [1] * (size * 3 // 4) + [0] * (size // 4)}
    nothing = {"de": [0] * size}
    found = compare({"dlfa": [run("dlfa", 1, right)]}, [run("baseline", 1, nothing)], resamples=resamples)["dlfa"]
    assert found.difference == 75
    assert found.test_error == pytest.approx(100 * math.sqrt(0.75 * 0.25 / size), rel=0.08)


def test_one_seed_has_an_interval_of_the_test_examples_and_no_p_value():
    runs = World(0, liking=0.1, seed_points=0.5).runs(("baseline", "dlfa"), seeds=1)
    found = compare({"dlfa": runs["dlfa"]}, runs["baseline"])["dlfa"]
    assert all(map(math.isnan, (found.p_value, found.p_adjusted, found.seed_error, found.std, found.baseline_std)))
    assert found.standard_error == found.test_error > 0
    assert found.high - found.low == pytest.approx(2 * stats.norm.ppf(0.975) * found.test_error)


def test_seeds_that_agree_by_chance_leave_the_error_of_the_test_examples():
    right, better = {"de": [1, 0] * 50}, {"de": [1, 0] * 30 + [1, 1] * 5 + [1, 0] * 15}
    models = [run("dlfa", seed, better) for seed in (1, 2)]
    found = compare({"dlfa": models}, [run("baseline", seed, right) for seed in (1, 2)])["dlfa"]
    assert found.seed_error == 0 and found.difference == 5
    assert found.test_error == pytest.approx(100 * math.sqrt(0.05 * 0.95 / 100), rel=0.08)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(5 / found.test_error))


def test_a_difference_without_any_spread_is_not_significant():
    found = compare(
        {"dlfa": [run("dlfa", seed, {"de": [1, 1]}) for seed in (1, 2)]},
        [run("baseline", seed, {"de": [0, 0]}) for seed in (1, 2)],
    )["dlfa"]
    assert found.difference == 100
    assert all(map(math.isnan, (found.p_value, found.p_adjusted, found.low, found.high)))


def test_the_error_of_an_f1_is_that_of_a_bootstrap_written_out():
    rng = np.random.default_rng(0)
    gold = rng.integers(1, 6, size=150)
    counts = []
    for chance in (0.6, 0.7):
        right = rng.binomial(gold, chance)
        counts.append(np.stack([right, right + rng.integers(0, 3, size=150), gold], axis=1))
    found = compare({"dlfa": [record("dlfa", 1, {"de": counts[1]})]}, [record("baseline", 1, {"de": counts[0]})])
    differences = []
    for _ in range(3000):
        drawn = rng.integers(150, size=150)
        precision, recall = zip(*([c[drawn, 0].sum() / c[drawn, i].sum() for i in (1, 2)] for c in counts))
        f1 = [200 * p * r / (p + r) for p, r in zip(precision, recall)]
        differences.append(f1[1] - f1[0])
    assert found["dlfa"].test_error == pytest.approx(np.std(differences), rel=0.08)


def test_translations_of_one_test_set_are_no_independent_test_sets():
    rng = np.random.default_rng(0)
    one, other = (rng.integers(2, size=300).tolist() for _ in range(2))
    twice = [
        compare({"dlfa": [run("dlfa", 1, right)]}, [run("baseline", 1, dict.fromkeys(right, [0] * 300))])["dlfa"]
        for right in ({"de": one}, {"de": one, "fr": one}, {"de": one, "fr": other})
    ]
    alone, translated, unrelated = (found.test_error for found in twice)
    assert translated == pytest.approx(alone)
    assert unrelated == pytest.approx(alone / math.sqrt(2), rel=0.12)


@pytest.mark.parametrize("freedom, test_error", product((1, 2, 4), (0.0, 0.1, 1.0, 10.0)))
def test_the_error_is_a_t_and_a_normal_part(freedom, test_error):
    for difference in (0.5, 2.0, 12.0, 100.0):
        expected = 2 * stats.t.sf(difference, freedom)
        if test_error:
            expected = (
                2
                * integrate.quad(
                    lambda z: stats.norm.pdf(z) * stats.t.sf(difference - test_error * z, freedom),  # noqa: B023
                    -12,
                    12,
                    points=[min(difference / test_error, 11.9)],
                )[0]
            )
        assert two_sided(-difference, 1, test_error, freedom) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "p_values, expected",
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.9, 0.6, 0.5], [1, 1, 1]),
        ([0.02], [0.02]),
        ([math.nan, 0.01, math.nan, 0.04], [math.nan, 0.02, math.nan, 0.04]),
        ([], []),
    ],
)
def test_holm(p_values, expected):
    assert holm(p_values) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("task", [TASKS["panx"], TASKS["udpos"], TASKS["pawsx"]], ids=lambda task: task.name)
def test_scores_are_those_of_the_results_file_of_a_run(tmp_path, task):
    rng = np.random.default_rng(0)
    folders, golds = {}, {}
    for name in ("baseline", "dlfa"):
        folders[name], scores, counts = tmp_path / name, {}, {}
        for language in ("en", "de", "ru"):
            shape = 40 if task.kind.name == "pairs" else (40, 6)
            gold, predicted = rng.integers(len(task.labels), size=(2, *np.atleast_1d(shape)))
            predicted = np.where(rng.random(shape) < 0.7, gold, predicted)
            gold = golds.setdefault(language, gold.tolist())
            counts[language] = task.kind.counts(task, predicted.tolist(), gold)
            scores[language] = score(task, predicted.tolist(), gold)[task.metric]
        template = record(name, 1, {"de": pair_counts(np.ones(1))}).results
        write_counts(counts_file(folders[name] / "predictions", task, "test"), counts)
        changes = {"task": task.name, "scores": scores, **averages(scores, "en")}
        replace(template, **changes).save(folders[name])  # pyright: ignore
    records = {
        name: Record.of_run(Cell(task.name, "tiny", Model(name, name, {}), 1, {}), folder)
        for name, folder in folders.items()
    }
    found = compare({"dlfa": [records["dlfa"]]}, [records["baseline"]], resamples=20)["dlfa"]
    assert found.mean == pytest.approx(records["dlfa"].results.zero_shot_average, abs=1e-9)
    assert found.baseline_mean == pytest.approx(records["baseline"].results.zero_shot_average, abs=1e-9)
    assert found.mean != found.baseline_mean


# ---------------------------------------------------------------------------------------------------------------------
# What is paired, and what must not be
# ---------------------------------------------------------------------------------------------------------------------


def test_only_seeds_that_both_have_are_compared():
    runs = World(0, liking=0, seed_points=1).runs(("baseline", "k0", "k1"), seeds=4)
    models = {"k0": runs["k0"][:3][::-1], "k1": runs["k1"]}
    found = compare(models, runs["baseline"][1:], resamples=50)
    assert {name: c.seeds for name, c in found.items()} == {"k0": (1, 2), "k1": (1, 2, 3)}
    assert found["k0"] == replace(
        compare({"k0": runs["k0"][1:3]}, runs["baseline"][1:3], resamples=50)["k0"], p_adjusted=found["k0"].p_adjusted
    )
    assert compare({}, runs["baseline"]) == compare({}, []) == {}


def four(**changes: list[int]) -> dict[str, list[int]]:
    return {"en": [1, 0, 1, 1], "de": [1, 1, 0, 0], "ru": [1, 0, 0, 0]} | changes


MISMATCHES = [
    ([run("dlfa", 2, four())], {}, r"dlfa has no seed in common with the baseline: seeds \[2\], .* \[1\]$"),
    ([], {}, r"dlfa has no seed in common"),
    ([run("dlfa", 1, four(de=[1, 0, 1]))], {}, r"xnli/tiny/.*, de: . examples, but . in xnli/tiny/"),
    ([run("dlfa", 1, {"en": [1], "de": [1, 0, 1, 1]})], {}, r"xnli/tiny/dlfa-seed1 was not scored in ru"),
    ([run("dlfa", 1, four())], {"languages": ["de", "xx"]}, r"-seed1 was not scored in xx"),
    ([run("dlfa", 1, four())], {"languages": []}, r"no language but that of the training"),
    (
        [replace(run("dlfa", 1, four()), counts=run("other", 1, four(ru=[1, 1, 0, 0])).counts)],
        {},
        r"xnli/tiny/dlfa-seed1, ru: the counts make 50.0000, the results file says 25.0000",
    ),
]


@pytest.mark.parametrize("runs, options, message", MISMATCHES, ids=[str(i) for i in range(len(MISMATCHES))])
def test_runs_that_do_not_belong_together_are_refused(runs, options, message):
    with pytest.raises(InputError, match=message):
        compare({"dlfa": runs}, [run("baseline", 1, four())], **options)


def layers(development: tuple[float, ...], right: tuple[int, ...]) -> dict[str, Comparison]:
    """Layers with these development scores, and right German examples of 100; 80 and 50 are the baseline's."""

    def runs(name: str, score: float, right: int) -> list[Record]:
        return [run(name, seed, {"de": [1] * (right + seed) + [0] * (100 - right - seed)}, score) for seed in (0, 2)]

    models = {f"k{k}": runs(f"k{k}", *values) for k, values in enumerate(zip(development, right, strict=True))}
    return compare(models, runs("baseline", 80.0, 50), resamples=50)


@pytest.mark.parametrize(
    "development, right, chosen, oracle, regret, baseline_preferred",
    [
        ((81, 83, 82), (51, 54, 60), "k1", "k2", 6, False),
        ((81, 83, 82), (60, 54, 51), "k1", "k0", 6, False),
        ((81, 83, 82), (40, 54, 20), "k1", "k1", 0, False),
        ((83, 83, 82), (10, 20, 20), "k0", "k1", 10, False),
        ((79, 80, 78), (60, 61, 60), "k1", "k1", 0, True),
    ],
)
def test_the_layer_is_chosen_on_development_data(development, right, chosen, oracle, regret, baseline_preferred):
    found = select(layers(development, right))
    assert (found.chosen.model, found.oracle.model) == (chosen, oracle)
    assert found.regret == pytest.approx(regret)
    assert found.baseline_preferred is baseline_preferred


def test_runs_without_a_partner_do_not_decide_the_choice():
    baseline = [run("baseline", seed, four(), 80.0 + 5 * seed) for seed in (0, 1)]
    models = {
        "k0": [run("k0", seed, four(), 81.0 + 5 * seed) for seed in (0, 1, 2)],
        "k1": [run("k1", 1, four(), 85.5)],  # a higher score, but of the luckier seed alone
    }
    assert select(compare(models, baseline)).chosen.model == "k0"


def test_there_must_be_something_to_choose_from():
    with pytest.raises(InputError, match="no model"):
        select({})
