"""The report of a study: one page that holds everything, its figures as PNG, its tables as Markdown and CSV."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from matplotlib.figure import Figure

from ..drawing import png
from ..files import csv_text, write_bytes, write_text
from ..markup import markdown_block, markdown_code, markdown_fence, markdown_text
from ..pages import PAGE, Picture, Table, rendered
from ..privacy import without_paths
from ..tasks.languages import language_name
from ..training.arguments import layer_name
from ..training.results import data_name
from ..wording import rounded
from .figures import Column, Curve, Interval, Panel, heat_map, intervals, layer_curves, scatter
from .intermediate import (
    Condition,
    condition_rows,
    conditions_table,
    families_table,
    measured_conditions,
    panels,
)
from .matrix import by_model, matrix_rows, matrix_tables
from .records import Record
from .sections import Section, sections
from .spec import StudySpec
from .statistics import METHOD
from .tables import (
    Row,
    language_rows,
    languages_table,
    model_rows,
    models_table,
    rival_rows,
    rivals_table,
    score_rows,
    summary_rows,
    summary_table,
    tuned_table,
)
from .transfer import Transfer, transfer_columns, transfer_rows, transfer_tables, transfers


HERE = Path(__file__).parent
MARKDOWN = {"text": markdown_text, "block": markdown_block, "code": markdown_code, "fence": markdown_fence}
CONDITIONS_FILE = "conditions.csv"
RIVALS_FILE = "rivals.csv"
MATRIX_FILE = "matrix.csv"
TRANSFER_FILE = "transfer.csv"

CSV_ROWS: dict[str, Callable[[Section], list[Row]]] = {
    "summary": summary_rows,
    "models": model_rows,
    "languages": language_rows,
    "scores": score_rows,
}


@dataclass(frozen=True)
class Chapter:
    """What the report says of one task and encoder. `facts` and `warnings` are sentences."""

    name: str
    title: str
    facts: Sequence[str]
    warnings: Sequence[str]
    pictures: Sequence[Picture]
    tables: Sequence[Table]


def write_report(spec: StudySpec, records: Sequence[Record], folder: Path) -> Path:
    """Write the report and return the path of its page, `index.html`.

    Beside it: `report.md`, a PNG file for every figure, and `summary.csv`, `models.csv`, `languages.csv`,
    `scores.csv` and, of a study that has some, `conditions.csv`, `matrix.csv` (conditions of several tasks),
    `transfer.csv` (languages of training) and `rivals.csv`. Equal records give equal files.
    Cells without a record are named as missing.

    Raises:
        InputError: the runs cannot be compared, see `statistics.compare`.
    """
    made = sections(spec, records)
    started = [section for section in made if section.runs]
    summary = summary_table(started)
    found = {section.name: measured_conditions(spec, section) for section in started if section.of_conditions}
    csv_files = {f"{name}.csv": rows for name, rows in CSV_ROWS.items()}
    if found:
        csv_files[CONDITIONS_FILE] = lambda section: condition_rows(section, found.get(section.name, ()))
    if spec.rivals:
        csv_files[RIVALS_FILE] = rival_rows
    chapters = [chapter(section, found.get(section.name, ())) for section in made]
    if pairs := by_model(started, found):
        title = "Intermediate and target tasks"
        chapters.insert(0, Chapter("matrix", title, (), (), (), matrix_tables(pairs)))
    moved = transfers(started)
    chapters = [*map(_transfer_chapter, moved), *chapters]
    values = {
        "title": spec.title or spec.name,
        "notes": spec.notes,
        "progress": f"{len({record.cell.name for record in records})} of {len(spec.cells)} runs",
        "summary": summary if summary.rows else None,
        "chapters": chapters,
        "method": METHOD,
        "settings": settings(spec),
        "file": f"{spec.name}.yaml",
        "command": f"python -m modeling_dlfa.study run {shlex.quote(f'{spec.name}.yaml')}",
        "made_with": _made_with(started),
        "csv_files": [*csv_files, *([MATRIX_FILE] if pairs else []), *([TRANSFER_FILE] if moved else [])],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for picture in (picture for chapter in chapters for picture in chapter.pictures):
        write_bytes(folder / picture.file, picture.content)
    for name, rows in csv_files.items():
        write_text(folder / name, csv_text([row for section in started for row in rows(section)]))
    if pairs:
        write_text(folder / MATRIX_FILE, csv_text(matrix_rows(pairs)))
    if moved:
        write_text(folder / TRANSFER_FILE, csv_text([row for one in moved for row in transfer_rows(one)]))
    write_text(folder / "report.md", rendered(HERE, "report.md.jinja", values, MARKDOWN))
    write_text(folder / PAGE, rendered(HERE, "report.html.jinja", values))
    return folder / PAGE


def settings(spec: StudySpec) -> str:
    """The study's file again, without title, notes and folder: saved as `<name>.yaml`, it is the same study.

    Of folders of this machine only the names are said, and a comment says so: others have theirs elsewhere.
    """
    names = [
        "name",
        "tasks",
        "models",
        "conditions",
        "rivals",
        "train_languages",
        "encoders",
        "seeds",
        "tune",
        "arguments",
    ]
    given = {name: getattr(spec, name) for name in names}
    optional = ("conditions", "rivals", "train_languages", "tune")
    values = {name: value for name, value in given.items() if value or name not in optional}
    public = without_paths(values)
    text = yaml.safe_dump(public, sort_keys=False, allow_unicode=True)
    return text if public == values else f"# Of folders of the machine that ran it only the names are here.\n{text}"


def chapter(section: Section, found: Sequence[Condition] = ()) -> Chapter:
    """What there is to say of one task and encoder; without any run only that.

    Args:
        found: the conditions of a section that is about them.
    """
    if not section.runs:
        return Chapter(section.name, section.title, (), [f"{section.progress}: none is done yet."], (), ())
    made = (models_table(section), rivals_table(section), tuned_table(section), languages_table(section))
    tables = [table for table in made if table.rows]
    pictures = _pictures(section)
    if found:
        tables = [conditions_table(section, found), families_table(section, found), *tables]
        pictures += _scatters(section, found)
    return Chapter(section.name, section.title, _facts(section), _warnings(section), pictures, tables)


def _transfer_chapter(transfer: Transfer) -> Chapter:
    first = language_name(transfer.first)
    caption = f"Difference to training in {first}, in points, by the language that is scored (rows); *: {first}."
    if not transfer.targets:
        return Chapter(f"transfer_{transfer.name}", transfer.title, (), (), (), transfer_tables(transfer))
    figure = heat_map(transfer_columns(transfer), transfer.first, f"model trained in {first}", "average of the others")
    picture = Picture(f"transfer_{transfer.name}.png", caption, png(figure))
    return Chapter(f"transfer_{transfer.name}", transfer.title, (), (), [picture], transfer_tables(transfer))


# ---------------------------------------------------------------------------------------------------------------------
# Sentences
# ---------------------------------------------------------------------------------------------------------------------


def _facts(section: Section) -> list[str]:
    results = [run.results for runs in section.runs.values() for run in runs]
    samples = _listed(f"{count:,}" for count in sorted({result.train_samples for result in results}))
    hours = sum(result.train_runtime for result in results) / 3600
    return [
        f"Reported score: {section.metric} on {_listed(sorted({result.eval_split for result in results}))} data in "
        f"{len(section.all_languages)} languages.",
        f"Trained on {samples} {section.train_language} examples, {rounded(hours)} hours in all; "
        f"data: {_listed(sorted({data_name(result.data) for result in results}))}.",
    ]


def _warnings(section: Section) -> list[str]:
    said = []
    if missing := section.missing:
        cells = ", ".join(f"{model} ({_seeds(seeds)})" for model, seeds in missing.items())
        said.append(f"{section.progress} are done. Missing: {cells}.")
    if not section.baseline:
        said.append(f"No run of the {section.reference_label} is done: there is nothing to compare with.")
    if not section.languages:
        said.append(f"The runs have no other language than {section.train_language} in common: no zero-shot average.")
    elif section.baseline and (unpaired := section.runs.keys() - section.comparisons.keys() - {section.reference}):
        names = ", ".join(sorted(unpaired))
        said.append(f"Without a seed in common with the {section.reference_label}, so not compared: {names}.")
    train_language = section.first.results.train_language
    if partly := [code for code in section.all_languages if code not in {train_language, *section.languages}]:
        said.append(f"Not in the zero-shot averages, because not every run was scored in them: {', '.join(partly)}.")
    seeds = max((len(comparison.seeds) for comparison in section.comparisons.values()), default=0)
    if seeds == 1:
        said.append("One seed: how much results vary from seed to seed is unknown, so the intervals are too short.")
    elif seeds == 2:
        said.append(
            "Two seeds: two differences hardly tell how much results vary from seed to seed, so the intervals are "
            "wide, and what they leave open is not shown to be absent. More seeds would tell."
        )
    if alike := [name for name, comparison in section.comparisons.items() if comparison.alike]:
        said.append(
            f"As the {section.reference_label} on every test example of the averages, so without an interval: "
            f"{', '.join(alike)}."
        )
    doubtful = [code for code in section.all_languages if any(section.at_chance(name, code) for name in section.runs)]
    if doubtful:
        said.append(
            f"At chance level in {', '.join(doubtful)}: there, at least one run is no better than always the most "
            "frequent label, and its differences say little."
        )
    return said


def _made_with(started: Sequence[Section]) -> str:
    """ "python 3.11.7, torch 2.13.0"; runs on several versions name them all."""
    versions: dict[str, set[str]] = {}
    for section in started:
        for runs in section.runs.values():
            for run in runs:
                for library, version in run.results.versions.items():
                    versions.setdefault(library, set()).add(version)
    made_with = ", ".join(f"{library} {' and '.join(sorted(found))}" for library, found in versions.items())
    return made_with or "nothing yet"


def _listed(words: Iterable[str]) -> str:
    return " and ".join(words)


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


# ---------------------------------------------------------------------------------------------------------------------
# Figures
# ---------------------------------------------------------------------------------------------------------------------


def _pictures(section: Section) -> list[Picture]:
    """Those figures for which there are runs."""
    pictures = []
    if curves := _curves(section):
        caption = (
            "Score over the fusion layer. Line and band: mean and one standard deviation over seeds; dots: runs; "
            "dashed: baseline."
        )
        pictures.append(Picture(f"curves_{section.name}.png", caption, png(curves)))
    if section.comparisons:
        lines = [Interval(name, c.difference, c.low, c.high, c.differences) for name, c in section.comparisons.items()]
        caption = (
            f"Difference of the zero-shot average to the {section.reference_label}, with 95 % confidence interval; "
            "ticks: single seeds."
        )
        figure = intervals(lines, f"difference to the {section.reference_label}, points")
        pictures.append(Picture(f"differences_{section.name}.png", caption, png(figure)))
    if columns := _columns(section):
        caption = (
            f"Difference to the {section.reference_label} by language, in points. * training language, ? at chance "
            "level."
        )
        figure = heat_map(columns, section.first.results.train_language, section.reference_label)
        pictures.append(Picture(f"languages_{section.name}.png", caption, png(figure)))
    return pictures


def _scatters(section: Section, found: Sequence[Condition]) -> list[Picture]:
    made = panels(section, found)
    if not made:
        return []
    caption = (
        f"Difference to the {section.reference_label} over the difficulty of the last stage, with 95 % confidence "
        "interval; hollow: controls, and conditions that ask for the labels of one before."
    )
    figure = scatter(made, f"difference to the {section.reference_label}, points")
    return [Picture(f"difficulty_{section.name}.png", caption, png(figure))]


def _curves(section: Section) -> Figure | None:
    def panel(title: str, ylabel: str, score: Callable[[Record], float], oracle: bool) -> Panel:
        curves = []
        for group, models in section.groups.items():
            scores = {
                model.place: [score(run) for run in section.runs[model.name]]
                for model in models
                if model.place is not None and model.name in section.runs
            }
            curve = Curve(group, scores)
            if choice := section.selections.get(group):
                best = section.model(choice.oracle.model).place if oracle else None
                curve = Curve(group, scores, section.model(choice.chosen.model).place, best)
            if scores:
                curves.append(curve)
        return Panel(title, ylabel, curves, [score(run) for run in section.baseline])

    panels = [
        panel(
            f"{section.train_language} development score, which chooses the layer",
            f"{section.metric}, %",
            lambda run: run.results.on_development,
            oracle=False,
        )
    ]
    if section.languages:
        ylabel = f"mean {section.metric}, %"
        title = f"Zero-shot score, mean over {len(section.languages)} languages"
        panels.insert(0, panel(title, ylabel, section.zero_shot, oracle=True))
    layers = sorted({layer for panel in panels for curve in panel.curves for layer in curve.scores})
    return layer_curves(panels, layers) if layers else None


def _columns(section: Section) -> list[Column]:
    """Columns of the heat map: models that are compared in at least one language."""
    columns = []
    for model in section.models:
        compared = {code: found[model.name] for code, found in section.by_language.items() if model.name in found}
        if not compared:
            continue
        average = section.comparisons[model.name].difference if model.name in section.comparisons else float("nan")
        doubtful = {
            code for code in compared if any(section.at_chance(name, code) for name in (model.name, section.reference))
        }
        layer = layer_name(model.fusion_layer) if model.group in section.groups else None
        differences = {code: comparison.difference for code, comparison in compared.items()}
        columns.append(Column(model.name, model.group, layer, average, differences, frozenset(doubtful)))
    return columns
