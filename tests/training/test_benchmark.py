"""XTREME as a whole: averages by hand, and what is left out."""

import io
from statistics import fmean

import pytest
from rich.console import Console

from modeling_dlfa.tasks.registry import XTREME_TASKS
from modeling_dlfa.training.benchmark import GROUPS, PUBLISHED, benchmark_rows, benchmark_table, with_averages
from tests.training.test_card import results


def finished(tasks=XTREME_TASKS, **changes):
    """Results of two models a task: the second is 1 better; place n of the tasks has n points more."""
    made = {}
    for place, task in enumerate(tasks):
        models = enumerate((("none", None), ("aif", 8)))
        made[task] = [
            results(task, fusion=fusion, fusion_layer=layer, average=50.0 + place + better, **changes)
            for better, (fusion, layer) in models
        ]
    return made


def printed(table) -> str:
    console = Console(file=io.StringIO(), width=240)
    console.print(table)
    return console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]


def test_groups_are_xtremes_tasks():
    assert sorted(task for tasks in GROUPS.values() for task in tasks) == sorted(XTREME_TASKS)


def test_every_model_has_its_averages():
    rows = benchmark_rows(finished())
    assert list(rows) == ["baseline", "DLFA k=8"]
    own = {task: 50.0 + place for place, task in enumerate(XTREME_TASKS)}
    assert rows["baseline"]["answers"] == fmean(own[task] for task in ("xquad", "mlqa", "tydiqa"))
    assert rows["baseline"]["all"] == fmean(own.values()) == rows["DLFA k=8"]["all"] - 1


@pytest.mark.parametrize("missing", XTREME_TASKS)
def test_an_average_is_of_whole_groups_alone(missing):
    found = with_averages({task: 1.0 for task in XTREME_TASKS if task != missing})
    assert "all" not in found and len([group for group in GROUPS if group in found]) == 3


def test_published_averages_are_those_of_the_paper():
    assert with_averages(PUBLISHED["XLM-R Large"])["all"] == pytest.approx(68.1, abs=0.05)
    assert "all" not in with_averages(PUBLISHED["mBERT"])


def test_published_scores_stand_beside_scores_on_the_benchmarks_data_alone():
    assert "XLM-R Large (published)" in printed(benchmark_table(finished()))
    assert "published" not in printed(benchmark_table(finished(data="sample")))


def test_a_task_of_one_model_has_it_beside_every_other():
    one = finished()
    rows = benchmark_rows({**one, "tatoeba": one["tatoeba"][:1]})
    assert [rows[model]["tatoeba"] for model in rows] == [one["tatoeba"][0].average] * 2
