"""What the page of families says of planted similarities: no more than is there, and with its sign."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modeling_dlfa.analysis.families_page import METHOD, _of_transfer, _over_layers, _transfer
from modeling_dlfa.analysis.permutation import FEWEST_ORDERS
from modeling_dlfa.analysis.relatives import alike, branch
from modeling_dlfa.analysis.transfer import Scores, Transfer, mean_scores, read_scores
from modeling_dlfa.errors import InputError
from modeling_dlfa.training.results import RunResults


OPENED: Any = SimpleNamespace(reader=SimpleNamespace(depth=1), layers=[0, 1], encoder="tiny-encoder")


def planted(languages: list[str], near: float, seeds: int = 3):
    """Vectors of languages, those of one branch near each other, or with a negative number far from each other."""
    draw = np.random.default_rng(1)
    meaning = draw.normal(size=(24, 12))
    of_branch = {name: draw.normal(size=12) for name in sorted({branch(one) for one in languages})}
    signs = dict.fromkeys(of_branch, 1)
    vectors = []
    for language in languages:
        name = branch(language)
        vectors.append(meaning + (near if near > 0 else -near * signs[name]) * of_branch[name])
        signs[name] *= 1 if near > 0 else -1
        vectors[-1] = vectors[-1] + 0.01 * draw.normal(size=meaning.shape)
    return alike(dict.fromkeys((0, 1), np.concatenate(vectors)), languages, seeds)


@pytest.mark.parametrize(
    ("languages", "near", "said", "not_said"),
    [
        (["en", "de", "tr", "zh"], 3, ["two languages of one branch are ahead of", "of a different family"], "behind"),
        (["en", "de", "tr", "zh"], -3, ["two languages of one branch are behind two of"], "ahead of two"),
        (["en", "de", "tr", "zh"], 1e-6, ["are not told apart from two of different families"], "ahead of two"),
        (["en", "fr", "ru"], 3, [], "different famil"),  # one family, three branches
        (["en", "de", "nl"], 3, [], "different famil"),  # one branch
        (["en", "tr", "zh"], 3, ["of a different family"], "one branch"),
    ],
)
def test_relatives_are_ahead_where_they_are(languages: list[str], near: float, said: list[str], not_said: str):
    text = " ".join(_over_layers(planted(languages, near), OPENED, 1, 3).findings)
    assert all(one in text for one in said) and not_said not in text, text


def scores(encoder: str = "tiny-encoder") -> Scores:
    return Scores("xnli", "accuracy", "en", encoder, "DLFA k=1", 2, {})


@pytest.mark.parametrize(
    ("points", "rho", "said"),
    [
        ([(0.1, 50.0), (0.2, 50.0)], np.nan, "scores do not differ"),
        ([(0.1, 50.0), (0.1, 60.0)], np.nan, "similarities do not differ"),
        ([(0.1, 50.0), (0.2, 60.0)], 1.0, f"without a p-value: fewer than {FEWEST_ORDERS} orders"),
    ],
)
def test_what_is_said_of_transfer(points: list[tuple[float, float]], rho: float, said: str):
    one = Transfer(scores(), "cka", 1, dict(zip(("de", "fr"), points, strict=True)), rho, np.nan)
    assert said in _of_transfer(one) and "nan" not in _of_transfer(one)


def test_the_method_has_the_rule_of_p_values():
    assert f"nan with fewer than {FEWEST_ORDERS} such orders" in " ".join(METHOD)


# ---------------------------------------------------------------------------------------------------------------------
# Scores of runs
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(run_of) -> RunResults:
    return RunResults.load(run_of("panx"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder": "/elsewhere/tiny-encoder", "seed": 9}, None),
        ({"encoder": "other"}, "encoder other, another one tiny-encoder"),
        ({"fusion_layer": 2}, "model DLFA k=2, another one DLFA k=1"),
        ({"fusion": "none", "fusion_layer": None}, "model baseline, another one DLFA k=1"),
        ({"intermediate": [{"task": "uddep"}]}, "model DLFA k=1 after uddep, another one DLFA k=1"),
        ({"metric": "accuracy"}, "metric accuracy, another one f1"),
    ],
)
def test_runs_that_are_averaged_are_of_one_model(run: RunResults, tmp_path: Path, changes: dict, said: str | None):
    files = [tmp_path / "one.json", tmp_path / "two.json"]
    for file, values in zip(files, ({}, changes), strict=True):
        file.write_text(json.dumps({**vars(run), **values}))
    if said is None:
        (found,) = read_scores(list(map(str, files)))
        assert (found.encoder, found.model, found.runs) == ("tiny-encoder", "DLFA k=1", 2)
        return
    with pytest.raises(InputError, match=rf"--scores {files[1]}: {said}: expected the same of all runs of panx"):
        read_scores(list(map(str, files)))


def test_a_run_counts_once(run: RunResults, tmp_path: Path):
    run.save(tmp_path)
    with pytest.raises(InputError, match=r"--scores .*all_results.json: this run is named twice"):
        read_scores([str(tmp_path), str(tmp_path / "all_results.json")])


@pytest.mark.parametrize("encoder", ["tiny-encoder", "other"])
def test_scores_of_another_encoder_are_called_so(run: RunResults, encoder: str):
    languages = ["en", "de", "fr", "es", "tr", "zh", "ru"]
    values = {language: 50.0 + place for place, language in enumerate(languages)}
    one = mean_scores([RunResults(**{**vars(run), "scores": values, "encoder": encoder})])
    part = _transfer(planted(languages, 3), [one], 1, OPENED)
    said = "Scores of panx are those of other, and similarities those of tiny-encoder."
    assert part.warnings == ([said] if encoder == "other" else [])
    assert f"of DLFA k=1, {encoder})" in part.pictures[0].caption
    assert {row["run"] for row in part.sheets[0].rows} == {f"DLFA k=1, {encoder}"}
