"""What the runs of a study say, in rows: for people (text, Markdown) and for programs (CSV). Scores are in percent."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from ..pages import Table
from ..tasks.languages import by_family, language_label, language_name
from ..training.arguments import layer_name
from ..wording import MISSING, count_of, interval, mean_std, p_text, plus_minus, rounded, signed
from .records import Record
from .sections import Section, sections
from .spec import StudySpec
from .statistics import Comparison


Row = dict[str, Any]


# ---------------------------------------------------------------------------------------------------------------------
# Rows
# ---------------------------------------------------------------------------------------------------------------------


def summary_rows(section: Section) -> list[Row]:
    """One row for every group with several layers: the layer chosen on development data, and the oracle."""
    return [
        {
            "task": section.task,
            "encoder": section.encoder,
            "metric": section.metric,
            "model": group,
            "languages": len(section.languages),
            "runs": sum(len(section.runs.get(model.name, ())) for model in section.groups[group]),
            "runs_asked": sum(cell.model.group == group for cell in section.cells),
            "seeds": len(choice.chosen.seeds),
            "baseline": choice.chosen.baseline_mean,
            "chosen_layer": layer_name(section.model(choice.chosen.model).fusion_layer),
            "chosen": choice.chosen.mean,
            **compared(choice.chosen),
            "baseline_preferred": choice.baseline_preferred,
            "oracle_layer": layer_name(section.model(choice.oracle.model).fusion_layer),
            "oracle": choice.oracle.mean,
            "oracle_difference": choice.oracle.difference,
            "oracle_p_adjusted": choice.oracle.p_adjusted,
            "regret": choice.regret,
        }
        for group, choice in section.selections.items()
    ]


def model_rows(section: Section) -> list[Row]:
    """One row for every model of the study, with or without runs."""
    chosen = {choice.chosen.model for choice in section.selections.values()}
    oracles = {choice.oracle.model for choice in section.selections.values()}
    rows = []
    for model in section.models:
        runs = section.runs.get(model.name, ())
        zero_shot, deviation = mean_std([section.zero_shot(run) for run in runs])
        development, development_deviation = mean_std([run.results.on_development for run in runs])
        rows.append(
            {
                "task": section.task,
                "encoder": section.encoder,
                "model": model.name,
                "group": model.group,
                "fusion": model.fusion,
                "layer": layer_name(model.fusion_layer),
                "seeds": len(runs),
                "seeds_asked": sum(cell.model == model for cell in section.cells),
                "languages": len(section.languages) if runs else math.nan,
                "zero_shot": zero_shot,
                "zero_shot_std": deviation,
                **compared(section.comparisons.get(model.name)),
                "development": development,
                "development_std": development_deviation,
                "at_chance": sum(section.at_chance(model.name, code) for code in section.all_languages),
                "chosen": model.name in chosen,
                "oracle": model.name in oracles,
            }
        )
    return rows


def rival_rows(section: Section) -> list[Row]:
    """One row for every pair of a model and a rival."""
    return [
        {
            "task": section.task,
            "encoder": section.encoder,
            "model": model,
            "rival": rival,
            "seeds": len(comparison.seeds),
            "score": comparison.mean,
            "rival_score": comparison.baseline_mean,
            **compared(comparison),
        }
        for (model, rival), comparison in section.of_rivals.items()
    ]


def tuned_rows(section: Section) -> list[Row]:
    """One row for every group of models, with what tuning has found for it."""
    return [
        {"model": group, **found["arguments"], f"{_tuned_in(section)} dev": f"{found['score']:.1f}"}
        for group, found in section.tuned.items()
        if found
    ]


def _tuned_in(section: Section) -> str:
    """The language of training in which models were tuned."""
    return section.train_language if section.tuned_in is None else language_name(section.tuned_in)


def language_rows(section: Section) -> list[Row]:
    """One row for every language and compared model."""
    families = {code: family for family, codes in by_family(section.all_languages).items() for code in codes}
    return [
        {
            "task": section.task,
            "encoder": section.encoder,
            "language": code,
            "family": families[code],
            "model": name,
            "group": section.model(name).group,
            "layer": layer_name(section.model(name).fusion_layer),
            "seeds": len(comparison.seeds),
            "baseline": comparison.baseline_mean,
            "score": comparison.mean,
            **compared(comparison),
            "at_chance": section.at_chance(name, code) or section.at_chance(section.reference, code),
        }
        for code, comparisons in section.by_language.items()
        for name, comparison in comparisons.items()
    ]


def score_rows(section: Section) -> list[Row]:
    """One row for every run and language, as the results files have them."""
    return [
        {
            "task": section.task,
            "encoder": section.encoder,
            "model": name,
            "fusion": run.results.fusion,
            "layer": layer_name(run.results.fusion_layer),
            "seed": run.cell.seed,
            "language": code,
            "score": run.results.scores[code],
            "n": run.results.support[code],
        }
        for name, runs in section.runs.items()
        for run in runs
        for code in section.all_languages
        if code in run.results.scores
    ]


def compared(comparison: Comparison | None) -> Row:
    """The entries of a row that say what a comparison found; nan without one."""
    names = ("difference", "low", "high", "p_value", "p_adjusted")
    return {name: getattr(comparison, name) if comparison else math.nan for name in names}


# ---------------------------------------------------------------------------------------------------------------------
# Tables
# ---------------------------------------------------------------------------------------------------------------------


def tables(spec: StudySpec, records: Sequence[Record]) -> dict[str, str]:
    """Name -> Markdown of the tables of a study.

    "summary", "models_<task>", "rivals_<task>", "tuned_<task>" and "languages_<task>"; with several encoders
    "models_<task>_<encoder>" and so on.
    """
    return tables_of(sections(spec, records))


def tables_of(made: Sequence[Section]) -> dict[str, str]:
    """The same of sections that are there, those without runs left out."""
    made = [section for section in made if section.runs]
    each = (models_table, rivals_table, tuned_table, languages_table)
    shown = [summary_table(made), *(table(section) for table in each for section in made)]
    return {table.name: table.markdown() for table in shown if table.rows}


def summary_table(made: Sequence[Section]) -> Table:
    """The table of a paper: baseline, fusion at the layer chosen on development data, and the oracle, task by task."""
    rows = [row for section in made for row in summary_rows(section)]
    columns: dict[str, Callable[[Row], str]] = {
        "task": lambda row: f"{row['task']} ({row['metric']})",
        "encoder": lambda row: row["encoder"],
        "model": lambda row: row["model"],
        "languages": lambda row: str(row["languages"]),
        "runs": lambda row: count_of(row["runs"], row["runs_asked"]),
        "baseline": lambda row: rounded(row["baseline"]),
        "layer chosen on dev": lambda row: (
            f"{rounded(row['chosen'])} (k={row['chosen_layer']})" + (" †" if row["baseline_preferred"] else "")
        ),
        **COMPARED_COLUMNS,
        "oracle layer": lambda row: f"{rounded(row['oracle'])} (k={row['oracle_layer']})",
        "regret": lambda row: rounded(row["regret"]),
    }
    if len({section.encoder for section in made}) < 2:
        del columns["encoder"]
    notes = [
        "Zero-shot averages in percent, differences and regret in points. The oracle layer is the one with the best "
        "zero-shot average: chosen with the answers, it is no result; regret is what the fair choice lost against it."
    ]
    if any(row["baseline_preferred"] for row in rows):
        notes.append("† On development data the baseline does at least as well: they would have chosen no fusion.")
    return make_table("summary", "Baseline and fusion", columns, rows, notes, 2 + ("encoder" in columns))


def models_table(section: Section) -> Table:
    """All models of one task and encoder."""
    columns: dict[str, Callable[[Row], str]] = {
        "model": lambda row: row["model"] + _marks(row),
        "seeds": lambda row: count_of(row["seeds"], row["seeds_asked"]),
        "zero-shot": lambda row: plus_minus(row["zero_shot"], row["zero_shot_std"]),
        **COMPARED_COLUMNS,
        f"{section.train_language} dev": lambda row: plus_minus(row["development"], row["development_std"]),
        "languages at chance": lambda row: str(row["at_chance"]),
    }
    rows = model_rows(section)
    if not any(row["at_chance"] for row in rows):
        del columns["languages at chance"]
    notes = [
        f"Mean ± standard deviation over seeds of the {section.metric}, in percent; zero-shot: mean over "
        f"{len(section.languages)} languages; differences to the {section.reference_label} of the same seeds, in "
        "points."
    ]
    return make_table(f"models_{section.name}", "All models", columns, rows, notes)


def rivals_table(section: Section) -> Table:
    """Models against their rivals; without any it has no rows."""
    columns: dict[str, Callable[[Row], str]] = {
        "model": lambda row: row["model"],
        "rival": lambda row: row["rival"],
        "seeds": lambda row: str(row["seeds"]),
        "zero-shot": lambda row: rounded(row["score"]),
        "rival's": lambda row: rounded(row["rival_score"]),
        **COMPARED_COLUMNS,
    }
    notes = [
        "Each at the layer chosen on development data; differences of the zero-shot averages over the same seeds, in "
        "points, Holm's correction over all rows."
    ]
    return make_table(f"rivals_{section.name}", "Against rivals", columns, rival_rows(section), notes, 2)


def tuned_table(section: Section) -> Table:
    """What tuning has found; without any it has no rows."""
    rows = tuned_rows(section)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: partial(_of_row, name) for name in names}
    notes = [f"Of one grid, on {_tuned_in(section)} development data with the first seed."]
    equal = {group: found["equal"] for group, found in section.tuned.items() if found.get("equal", 1) > 1}
    if equal:
        several = ", ".join(f"{group} ({count})" for group, count in equal.items())
        notes.append(f"Several choices were equally good, and the first of the grid was taken: {several}.")
    return make_table(f"tuned_{section.name}", "Tuned", columns, rows, notes, len(columns))


def _of_row(name: str, row: Row) -> str:
    return str(row.get(name, MISSING))


def languages_table(section: Section) -> Table:
    """Languages of one task and encoder: baseline, the chosen layer of every group, and the models without layers."""
    chosen = {group: choice.chosen.model for group, choice in section.selections.items()}
    names = [chosen.get(model.group, model.name) for model in section.models if model.name != section.reference]
    shown = [name for name in dict.fromkeys(names) if name in section.comparisons]
    header = ["language", "family", "examples", section.reference_label]
    for name in shown:
        header += [name, "difference"]
    rows = []
    for family, codes in by_family(section.all_languages).items():
        for code in codes:
            label = language_label(code, section.first.results.train_language)
            examples = max(run.results.support.get(code, 0) for runs in section.runs.values() for run in runs)
            cells = [label, family, f"{examples:,}", _language_score(section, section.reference, code)]
            for name in shown:
                comparison = section.by_language[code].get(name)
                difference = comparison.difference if comparison else math.nan
                cells += [_language_score(section, name, code), signed(difference)]
            rows.append(cells)
    if section.languages:
        rows.append(["zero-shot average", "", "", _average(section, section.reference)])
        for name in shown:
            rows[-1] += [_average(section, name), signed(section.comparisons[name].difference)]
    notes = [
        f"{section.metric} in percent, mean over seeds; differences in points, over common seeds. * training language."
    ]
    if any(cell.endswith("?") for cells in rows for cell in cells):
        notes.append("? At least one run is no better than always the most frequent label.")
    return Table(f"languages_{section.name}", "Languages", header, rows, notes, text_columns=2)


# Columns of a table for them.
COMPARED_COLUMNS: dict[str, Callable[[Row], str]] = {
    "difference": lambda row: signed(row["difference"]),
    "95 % CI": lambda row: interval(row["low"], row["high"]),
    "p": lambda row: p_text(row["p_value"]),
    "p (Holm)": lambda row: p_text(row["p_adjusted"]),
}


def make_table(
    name: str,
    title: str,
    columns: Mapping[str, Callable[[Row], str]],
    rows: Sequence[Row],
    notes: Sequence[str],
    text_columns: int = 1,
) -> Table:
    """A table of rows: header -> text of a row's cell."""
    cells = [[column(row) for column in columns.values()] for row in rows]
    return Table(name, title, list(columns), cells, notes, text_columns)


def _marks(row: Row) -> str:
    marks = [mark for mark, key in (("chosen on dev", "chosen"), ("oracle", "oracle")) if row[key]]
    return f" ({', '.join(marks)})" if marks else ""


def _average(section: Section, name: str) -> str:
    return rounded(mean_std([section.zero_shot(run) for run in section.runs.get(name, ())])[0])


def _language_score(section: Section, name: str, code: str) -> str:
    scores = [run.results.scores[code] for run in section.runs.get(name, ()) if code in run.results.scores]
    return rounded(mean_std(scores)[0]) + ("?" if section.at_chance(name, code) else "")
