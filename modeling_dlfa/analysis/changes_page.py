"""The page of `dlfa analyse changes`."""

import argparse
from collections.abc import Sequence

from ..drawing import small_png
from ..pages import Picture
from ..training.results import short_name
from ..vectors import FUSED
from .changes_measures import Change, Looked, change_rows, language_rows, look, seed_rows
from .changes_words import course_of_change, course_of_likeness, in_short
from .courses import STEMS, best_layer, capitalised, shown_in
from .figures import small_multiples
from .lineage import FIRST, NamedRun, check_first, named_runs
from .measuring import (
    ABOUT_ARCS,
    ABOUT_CONTROL,
    ABOUT_LAYERS,
    ABOUT_PROBES,
    ABOUT_SENTENCES,
    ABOUT_WORDS,
    asked_of,
    missing,
    settings_of,
    source_of,
)
from .page import Page, Part, Sheet
from .sentence_measures import COMPARED, FEWEST_COMPARED
from .sentences import Settings
from .wanted import OF_CHANGES, OF_LIKENESS, USUAL_OF_CHANGES, wanted_measures


UNCHECKED = (
    "Only by name and depth of the encoder, not by its weights, is it known that these runs started from it: runs "
    "behind stages, and old ones, do not say with which weights they began"
)

METHOD = (
    f"{ABOUT_LAYERS} All models are asked the same by the same code: the same sentences, divided by the same seeds, "
    "and of a word the same piece, that of its first character, whatever a run was trained with. Probes are learnt "
    "anew for each model.",
    "Intervals of changes, of 95 %, are Student's t over the differences seed by seed: how much drawing and training "
    "a probe anew matters, not how another training of the run, other sentences or other languages would do. The best "
    "layer and the one that changes most are named after all were seen, which flatters them a little, and intervals "
    "are not corrected for the number of layers and measures.",
    ABOUT_SENTENCES,
    "Linear centred kernel alignment (CKA; Kornblith et al. 2019, arXiv 1905.00414) of layer l of a run with layer l "
    "of the encoder: are sentences that are near each other before so after? 1 is a layer that is as it was, turned, "
    "moved and scaled at most; it is estimated without bias (Song et al. 2012), and so about 0 where nothing is in "
    f"common. Of each language up to {COMPARED} sentences, of which a seed takes half; languages with fewer than "
    f"{FEWEST_COMPARED} are left out, and every other one counts the same.",
    f"{ABOUT_WORDS} A run of that very task has seen the sentences that the probe learns from, with their labels. "
    f"{ABOUT_CONTROL}",
    ABOUT_ARCS,
    f"{ABOUT_PROBES} What a layer loses may be no loss to the task of the run.",
)


def changes_page(arguments: argparse.Namespace) -> Page:
    """Measure an encoder and runs that started from it, and say what differs.

    Raises:
        InputError: a model or the data cannot be used, or there is nothing to measure.
    """
    asked = wanted_measures(arguments.measures, OF_CHANGES, USUAL_OF_CHANGES)
    settings = settings_of(arguments, asked, label_piece="character")
    depth = check_first(arguments.model)
    runs = named_runs(arguments.runs, arguments.model)
    source = source_of(arguments, settings)
    looked = look(arguments.model, runs, source, settings)
    return _page(looked, runs, arguments, settings, depth)


def _page(
    looked: Looked, runs: Sequence[NamedRun], arguments: argparse.Namespace, settings: Settings, depth: int
) -> Page:
    name = short_name(arguments.model)
    analysed = asked_of(arguments, {"encoder": name, "layers": str(depth), "runs": ", ".join(looked.runs)})
    summary = [in_short(run, looked.of_run(run)) for run in looked.runs]
    parts = [_curves(looked, settings), *_of_runs(looked), _runs(runs)]
    lacking = missing(settings, looked.names, looked.first.few)
    return Page(f"What training changes in the layers of {name}", analysed, [*summary, *lacking], parts, METHOD)


# ---------------------------------------------------------------------------------------------------------------------
# Parts
# ---------------------------------------------------------------------------------------------------------------------


def _curves(looked: Looked, settings: Settings) -> Part:
    panels = {capitalised(STEMS[name]): looked.curves(name) for name in looked.names}
    pictures = [
        Picture(
            "changes.png",
            "Over the layers, means over seeds. Dashed in black: the encoder before any run; dotted: chance, or what "
            "there is without any state; of CKA, a layer that is as it was.",
            small_png(small_multiples(panels, FIRST, bands=False)),
        )
    ]
    apart = {
        capitalised(STEMS[name]): {change.run: change.differences for change in looked.changes(name)}
        for name in looked.names
        if name in looked.first.by_name
    }
    if apart:
        caption = "After less before, seed by seed; bands: 95 % intervals; dotted: no change."
        pictures.append(Picture("differences.png", caption, small_png(small_multiples(apart, FIRST, bands=True))))
    warnings = ["Each run is one training: another seed of it may change the layers otherwise."]
    if settings.seeds == 1:
        warnings.append("One seed of the probes: there are no intervals, and how much is luck is unknown.")
    return Part("curves", "Over the layers", (), warnings, pictures, _tables(looked))


def _tables(looked: Looked) -> list[Sheet]:
    measured = [name for name in looked.names if name not in OF_LIKENESS]
    changes = [change for name in measured for change in looked.changes(name)]
    notes = ["low, high: 95 % interval of the change over seeds. Percent, of code length bits per word."]
    last, digits = [_last_row(change) for change in changes], [shown_in(change.after)[0] for change in changes]
    if any(FUSED in change.after.values for change in changes):
        notes.append("After fusion: what the head of a run reads, which the encoder does not have.")
        fused = [change.after.estimates.get(FUSED) for change in changes]
        last = [row | {"after_fusion": one and one.mean} for row, one in zip(last, fused, strict=True)]
    return [
        Sheet("last.csv", "The last layer", last, digits, notes, text_columns=2),
        Sheet("best.csv", "Where it is best", [_best_row(change) for change in changes], digits, text_columns=2),
        Sheet("cka.csv", "How like a layer is to what it was: CKA", _likeness_rows(looked), 2, text_columns=2),
        Sheet("changes.csv", "Every layer", change_rows(looked), 2, text_columns=3, shown=False),
        Sheet("seeds.csv", "Every seed", seed_rows(looked), shown=False),
        Sheet("languages.csv", "Every language", language_rows(looked), shown=False),
    ]


def _last_row(change: Change) -> dict:
    last = max(change.after.numbered)
    before, apart = change.before, change.at(last)
    return {
        "measure": STEMS[change.after.name],
        "run": change.run,
        "before": None if before is None else before.estimates[last].mean,
        "after": change.after.estimates[last].mean,
        "change": apart.mean,
        "low": apart.low,
        "high": apart.high,
    }


def _best_row(change: Change) -> dict:
    before, after = change.before or change.after, change.after
    first, now = best_layer(before), best_layer(after)
    return {
        "measure": STEMS[after.name],
        "run": change.run,
        "layer_before": first,
        "before": before.numbered[first].mean,
        "layer_after": now,
        "after": after.numbered[now].mean,
    }


def _likeness_rows(looked: Looked) -> list[dict]:
    """A row for each run and measure of likeness, a column for every layer."""
    return [
        {"run": change.run, "of": change.after.label}
        | {f"layer {layer}": one.mean for layer, one in change.after.numbered.items()}
        for name in OF_LIKENESS
        for change in looked.changes(name)
    ]


def _of_runs(looked: Looked) -> list[Part]:
    """A part for each run: a sentence on every measure."""
    parts = []
    for number, run in enumerate(looked.runs, start=1):
        changes = looked.of_run(run)
        said = [course_of_change(change) for change in changes if change.before is not None]
        said += [course_of_likeness(change) for change in changes if change.before is None]
        parts.append(Part(f"run-{number}", f"What {run} changes", said))
    return parts


def _runs(runs: Sequence[NamedRun]) -> Part:
    rows = [
        {
            "run": run.name,
            "folder": run.folder.resolve().name,
            "task": run.results.task,
            "model": run.results.model_name,
            "trained": run.results.training.get("train", "all"),
            "rows": f"{run.results.train_samples:,}",
            "seed": str(run.results.seed),
            "metric": run.results.metric,
            "development_score": run.results.development_score,
        }
        for run in runs
    ]
    unchecked = [run.name for run in runs if run.started_from is None]
    warnings = [f"{UNCHECKED}: {', '.join(unchecked)}."] if unchecked else []
    table = Sheet("runs.csv", "What was compared", rows, 1, text_columns=5)
    return Part("runs", "The runs", warnings=warnings, sheets=[table])
