"""Fill the tables of all pages, and write `model_cards/`, from the results files: `python results/tables.py`.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. NAME is that of a function in `TABLES`, or
`<study>.<table>` for a table of a study's report, such as `layers.summary`. `--check` writes nothing and fails where a
page differs from what the files say.
"""

import argparse
import csv
import json
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from modeling_dlfa.errors import InputError
from modeling_dlfa.pages import Table
from modeling_dlfa.study.intermediate import conditions_table, families_table, measured_conditions
from modeling_dlfa.study.records import load_records
from modeling_dlfa.study.sections import Section, sections
from modeling_dlfa.study.spec import StudySpec, load_spec
from modeling_dlfa.study.statistics import Comparison, compare, holm
from modeling_dlfa.study.tables import tables_of
from modeling_dlfa.study.transfer import transfer_tables, transfers
from modeling_dlfa.tasks.languages import LANGUAGES, by_family
from modeling_dlfa.training.arguments import layer_name
from modeling_dlfa.training.card import model_card
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.wording import interval, p_text, plus_minus, signed


HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

LAYERS = "layers/cells/udpos/embedded"

# The worked model cards: task, and what was trained if not all -> results file of a run.
CARDS = {
    "udpos": f"{LAYERS}/dlfa-k8-seed1.json",
    "panx": "layers/cells/panx/embedded/dlfa-k8-seed1.json",
    "xnli": "pairs/cells/xnli/embedded/dlfa-k8-seed1.json",
    "pawsx": "pairs/cells/pawsx/embedded/dlfa-k8-seed1.json",
    "panx-frozen": "frozen/cells/panx/embedded/dlfa-k6-seed1.json",
    "panx-lora": "lora/cells/panx/embedded/dlfa-seed1.json",
    "udpos-frozen": "frozen/cells/udpos/embedded/dlfa-k5-seed1.json",
    "xnli-frozen": "frozen_pairs/cells/xnli/embedded/dlfa-seed1.json",
}


@cache
def study_sections(name: str) -> tuple[StudySpec, list[Section]]:
    """A study under `results/`, and what its records say; sections remember what they have compared."""
    spec = load_spec(ROOT / "examples" / "studies" / f"{name}.yaml")
    spec = replace(spec, output_dir=ROOT / spec.output_dir)
    spec.check_tuned()
    return spec, sections(spec, load_records(spec.records, spec.cells))


@cache
def study_tables(name: str) -> dict[str, str]:
    """The tables of a study under `results/`, from its records."""
    spec, of_study = study_sections(name)
    made = tables_of(of_study)
    for section in of_study:
        if section.of_conditions and section.runs:
            found = measured_conditions(spec, section)
            for table in (conditions_table(section, found), families_table(section, found)):
                made[table.name] = table.markdown()
                made[f"{table.name}_notes"] = "\n\n".join(table.notes)
    made |= {table.name: table.markdown() for one in transfers(of_study) for table in transfer_tables(one)}
    return made


def heads() -> str:
    """Zero-shot differences at one seed, with a head of the run's own and with that of the baseline."""
    layers = (0, 2, 4, 6, 8, 10, 11)
    rows = []
    for title, pattern in (
        ("head of its own", "own_head/{}.json"),
        ("head of the baseline", f"{LAYERS}/{{}}-seed1.json"),
    ):
        scores = [
            RunResults.load(HERE / pattern.format(name)).zero_shot_average or 0.0
            for name in ("baseline", *(f"dlfa-k{k}" for k in layers))
        ]
        rows.append([title, *(f"{score - scores[0]:+.1f}" for score in scores[1:])])
    return Table("heads", "", ["UD-POS, seed 1", *(f"k={k}" for k in layers)], rows, is_markdown=True).markdown()


def scout() -> str:
    """What `results/scout_regret.py` wrote, the means."""
    return (HERE / "scout" / "table.md").read_text("utf-8").partition("\n\n")[0]


def label_piece() -> str:
    """Baselines with the label on a word's first piece with characters, and on its first piece; the same seed."""
    codes = ("en", "de", "bg", "zh", "ja", "th")
    rows = []
    for title, metric, task in (
        ("POS accuracy", "accuracy", "udpos"),
        ("POS F1 (XTREME)", "f1", "udpos"),
        ("NER F1 (dev)", "f1", "panx"),
    ):
        for piece in ("character", "first"):
            run = RunResults.load(HERE / "label_piece" / f"{task}-{piece}-seed1.json")
            scores = [f"{run.all_metrics[code][metric]:.1f}" if code in run.scores else "no data" for code in codes]
            rows.append([f"{title}, `{piece}`", "1", *scores])
    return Table("label_piece", "", ["", "seeds", *codes], rows, is_markdown=True).markdown()


def of_runs(folder: str) -> tuple[list[RunResults], list[str]]:
    """Baseline and DLFA of one command, from its results files, and their languages by family."""
    runs = [RunResults.load(HERE / folder / f"{model}.json") for model in ("baseline", "aif")]
    return runs, [code for codes in by_family(runs[0].scores).values() for code in codes]


def across(folder: str, title: str) -> str:
    """Baseline and DLFA of one command, a row each."""
    runs, codes = of_runs(folder)
    rows = [
        [run.model_name, *(f"{run.scores[code]:.1f}" for code in codes), f"{run.zero_shot_average:.1f}"]
        for run in runs
    ]
    return Table("across", "", [title, *codes, "zero-shot average"], rows, is_markdown=True).markdown()


def sample() -> str:
    """What `python run_xtreme.py` prints."""
    runs, codes = of_runs("sample")
    rows = [[f"{code} {LANGUAGES[code].name}", *(f"{run.scores[code]:.1f}" for run in runs)] for code in codes]
    rows.append(["**zero-shot average**", *(f"**{run.zero_shot_average:.1f}**" for run in runs)])
    header = ["UD-POS F1 on the sample", *(run.model_name for run in runs)]
    return Table("sample", "", header, rows, is_markdown=True).markdown()


def sample_across() -> str:
    """The same with languages as columns."""
    return across("sample", "UD-POS F1")


def own_labels() -> str:
    """What the first command of `results/own_labels/commands.txt` prints."""
    return across("own_labels", "accuracy")


def own_answer() -> str:
    """What its second command prints."""
    return f"```json\n{(HERE / 'own_labels' / 'prediction.jsonl').read_text('utf-8').strip()}\n```"


def versions(report: Mapping[str, Any]) -> str:
    """The libraries that a benchmark was run with."""
    return ", ".join(f"{library} {report['versions'][library]}" for library in ("torch", "transformers"))


def overhead(path: Path = HERE / "overhead" / "embedded-cpu.json") -> str:
    """What `benchmarks/overhead.py` found: the figures of the plain encoder, and the other models' by them."""
    report = json.loads(path.read_text("utf-8"))
    groups: dict[tuple[str, int, int], list[dict]] = {}  # in each, the models in the order of the columns
    for each in report["measurements"]:
        groups.setdefault((each["task"], each["batch_size"], each["length"]), []).append(each)

    def row(title: str, shape: str, plain: float, ratios: Iterable[float]) -> list[str]:
        return [title, shape, f"{plain:.0f}", *(f"{ratio:.3f}" for ratio in ratios)]

    plain, *others = report["parameters"].values()
    rows = {"parameters": [row("parameters, M", "", plain / 1e6, (count / plain for count in others))]}
    for (task, *shape), (plain, *others) in groups.items():
        at = " × ".join(map(str, shape))
        median, peak = 1000 * plain["seconds"][1], plain["peak_bytes"]
        rows.setdefault(task, []).append(row(f"{task}, ms", at, median, (each["ratio"][1] for each in others)))
        ratios = (each["peak_bytes"] / peak for each in others)
        rows.setdefault(f"{task} memory", []).append(row(f"{task}, peak memory, MB", at, peak / 1e6, ratios))
    kinds = ("parameters", "inference", "inference memory", "training", "training memory")
    header = ["", "batch × tokens", "plain", '`fusion="none"`', f"DLFA k={report['fusion_layer']}", "naive DLFA"]
    rounds = [each["rounds"] for each in report["measurements"]]
    caption = (
        f"`{report['encoder']}` ({report['encoder_layers']} layers) on {report['device_name']}, threads: "
        f"{report['threads']}; {versions(report)}; medians of {min(rounds)} to {max(rounds)} rounds."
    )
    made = Table(
        "overhead", "", header, [row for kind in kinds for row in rows[kind]], text_columns=2, is_markdown=True
    )
    return f"{made.markdown()}\n\n{caption}"


def fusions(path: Path = HERE / "overhead" / "fusions-cpu.json") -> str:
    """What `benchmarks/fusions.py` found: every fusion's parameters and share of the encoder's time, by width."""
    report = json.loads(path.read_text("utf-8"))
    rows: dict[str, list[str]] = {}
    for cost in report["costs"]:
        row = rows.setdefault(cost["fusion"], [f"`{cost['fusion']}`"])
        row += [f"{cost['parameters']:,}", f"{100 * cost['share'][1]:.1f} %"]
    header = ["fusion", *(part for width in report["seconds"] for part in (f"parameters, E = {width}", "time"))]
    caption = (
        f"Time: of the fusion alone by that of the encoder ({report['layers']} layers) at inference, "
        f"{report['batch_size']} × {report['length']} tokens, on {report['device_name']}, threads: "
        f"{report['threads']}; {versions(report)}; medians of {report['rounds']} rounds."
    )
    return f"{Table('fusions', '', header, list(rows.values()), is_markdown=True).markdown()}\n\n{caption}"


def training_speed(path: Path = HERE / "training_speed" / "embedded-cpu.json") -> str:
    """What `benchmarks/training.py` found: padding of each loop, the time of ours, and the others' by it."""
    report = json.loads(path.read_text("utf-8"))
    groups: dict[tuple[str, str], dict[str, dict]] = {}
    for each in report["measurements"]:
        groups.setdefault((each["task"], each["phase"]), {})[each["loop"]] = each
    loops = ("xtreme", "plain", "ours")
    rows = []
    for (task, phase), by_loop in groups.items():
        ours = by_loop["ours"]
        what = f"{ours['rows']:,} rows" + (f", {ours['languages']} languages" if phase == "scoring" else "")
        padding = [f"{by_loop[loop]['padding']:.0%}" for loop in loops]
        tokens = [f"{by_loop[loop]['padded_tokens'] / ours['padded_tokens']:.1f}" for loop in loops[:2]]
        times = [f"{by_loop[loop]['ratio'][1]:.2f}" for loop in loops[:2]] if ours["rounds"] else ["–", "–"]
        seconds = f"{ours['seconds'][1]:.0f}" if ours["rounds"] else "–"
        rows.append([task, phase, what, *padding, *tokens, seconds, *times])
    header = ["task", "", "", *(f"padding, {name}" for name in ("XTREME", "plain", "ours"))]
    header += ["tokens, XTREME / ours", "tokens, plain / ours", "seconds, ours"]
    header += ["time, XTREME / ours", "time, plain / ours"]
    rounds = sorted({each["rounds"] for each in report["measurements"]})
    caption = (
        f"`{report['encoder']}` in {report['precision']} on {report['device_name']}, threads: {report['threads']}; "
        f"{versions(report)}; medians of {' to '.join(map(str, rounds))} rounds."
    )
    made = Table("training_speed", "", header, rows, text_columns=3, is_markdown=True)
    return f"{made.markdown()}\n\n{caption}"


# Studies that differ in what is trained -> what they call it.
REGIMES = {
    "frozen": "fusion and head (`fusion`)",
    "lora": "LoRA of rank 8 (`lora:8`)",
    "top4": "upper four layers (`top:4`)",
    "all_weights": "all weights (`all`)",
}


def section_of(name: str, task: str) -> Section:
    """A task of a study."""
    return next(section for section in study_sections(name)[1] if section.task == task)


def under_conditions(name: str, model: str = "baseline") -> Section:
    """A model of a study with intermediate tasks before it, against the same model without."""
    return next(one for one in study_sections(name)[1] if one.of_conditions and one.reference == model)


def least_seconds(section: Section, models: Iterable[str]) -> list[float]:
    """Of training, of each model the least over its seeds: other work took from the rest."""
    return [min(run.results.train_runtime for run in section.runs[model]) for model in models]


def chosen(name: str, task: str, group: str = "dlfa") -> tuple[Section, Comparison]:
    """A task of a study, and a model at the layer chosen on development data against the last layer."""
    section = section_of(name, task)
    choice = section.selections.get(group)
    return section, choice.chosen if choice else section.comparisons[group]


def findings() -> str:
    """What the studies of fusing say, each in a row: what, how much, how sure."""
    one_layer = "the same module on one lower layer"
    asked = [
        ("Encoder frozen, entities (PAN-X)", "frozen", "panx", "dlfa", None, "the last layer"),
        ("", "frozen", "panx", "dlfa", "aif-layer", one_layer),
        ("Encoder frozen, entities, 200 sentences", "few_labels", "panx", "dlfa-200", "last-200", "the last layer"),
        ("", "few_labels", "panx", "dlfa-200", "aif-layer-200", one_layer),
        ("Encoder frozen, parts of speech (UD-POS)", "frozen", "udpos", "dlfa", None, "the last layer"),
        ("", "frozen", "udpos", "dlfa", "aif-layer", one_layer),
        ("Encoder frozen, pairs of sentences (XNLI)", "frozen_pairs", "xnli", "dlfa", None, "the last layer"),
        ("", "frozen_pairs", "xnli", "dlfa", "aif-layer", one_layer),
        ("Encoder frozen, pairs of sentences (PAWS-X)", "frozen_pairs", "pawsx", "dlfa", None, "the last layer"),
        ("", "frozen_pairs", "pawsx", "dlfa", "aif-layer", one_layer),
        ("Encoder frozen, questions (XQuAD by article)", "xquad_frozen", "xquad", "dlfa", None, "the last layer"),
        ("", "xquad_frozen", "xquad", "dlfa", "aif-layer", one_layer),
        ("Encoder frozen, choices (generated sample)", "choices", "xcopa", "dlfa", None, "the last layer"),
        ("", "choices", "xcopa", "dlfa", "aif-layer", one_layer),
        ("LoRA, entities", "lora", "panx", "dlfa", None, "the last layer"),
        ("", "lora", "panx", "dlfa", "aif-last", "the same module on the last layer"),
        ("", "lora", "panx", "dlfa", "aif-layer", one_layer),
        ("Upper four layers, entities", "top4", "panx", "dlfa", None, "the last layer"),
        ("All weights, entities", "all_weights", "panx", "dlfa", None, "the last layer"),
        ("All weights after head and fusion (warm start)", "all_weights", "panx", "last-warm", None, "the last layer"),
        ("", "all_weights", "panx", "dlfa-warm", "last-warm", "the last layer after a warm start"),
        ("All weights, mean of five checkpoints", "all_weights", "panx", "last-average", None, "the last layer"),
        ("All weights, entities, 200 sentences", "few_labels_all_weights", "panx", "dlfa", None, "the last layer"),
        ("All weights, pairs of sentences (XNLI)", "intermediate_learnt", "xnli", "dlfa", None, "the last layer"),
    ]
    subjects = {"last-warm": "the last layer after a warm start", "last-average": "the mean of checkpoints"}
    rows = []
    for where, study, task, group, rival, what in asked:
        section, found = chosen(study, task, group)
        found = found if rival is None else against(section, group, rival)
        subject = subjects.get(group, "DLFA")
        rows.append([where, f"{subject} is {verdict(found)} {what}", sized(found), sureness(section, found)])
    return Table("findings", "", ["", "finding", "size (95 % CI)", "confidence"], rows, text_columns=4).markdown()


def other_findings() -> str:
    """What the other folders say, each in a row: what, how much, how sure."""

    rows = []
    for task, title in (("udpos", "parts of speech"), ("panx", "entities")):
        section, found = chosen("layers", task)
        _holds(not any(significant(one) for one in section.comparisons.values()), f"layers, {task}: none differs")
        where = f"All weights, {title}, 1,000 sentences"
        rows.append(
            [
                where,
                "DLFA is not significantly different from the last layer at any of 7 layers",
                sized(found),
                sureness(section, found),
            ]
        )
    for study, title in STAGED.items():
        of_stages = under_conditions(study)
        for condition, task in (("tree", "dependency parsing"), ("upos", "tagging")):
            found = of_stages.comparisons[f"baseline+{condition}"]
            what = f"{task} before is {verdict(found)} nothing before"
            where = f"Intermediate task, then XNLI, {title}"
            rows.append([where, what, sized(found), sureness(of_stages, found)])
    runs = [RunResults.load(HERE / "label_piece" / f"udpos-{piece}-seed1.json") for piece in ("character", "first")]
    gains = [runs[0].scores[code] - runs[1].scores[code] for code in ("zh", "ja", "th")]
    where = "Parts of speech in Chinese, Japanese, Thai"
    what = "a label on a word's first piece with characters is above one on its first piece"
    rows.append([where, what, f"range {signed(min(gains))} to {signed(max(gains))}", "large, 1 seed"])
    *_, one = (row.split(" | ") for row in heads().splitlines() if row.startswith("| head of its own"))
    size = f"range {min(one[1:])} to {max(one[1:]).rstrip(' |')}"
    what = "DLFA is behind, at every layer, where it is level with the baseline's head"
    rows.append(["One seed, a head of its own each", what, size, "seen: 7 layers, 1 seed"])
    return Table(
        "other_findings", "", ["", "finding", "size (95 % CI)", "confidence"], rows, text_columns=4
    ).markdown()


STAGED = {"intermediate_frozen": "encoder frozen after it", "intermediate_learnt": "all weights trained"}


def stages_apart(study: str, model: str, first: str, second: str) -> tuple[Section, Comparison]:
    """XNLI after one stage against XNLI after another."""
    section = under_conditions(study, model)
    one, other = (f"{model}+{condition}" for condition in (first, second))
    return section, compare({one: section.runs[one]}, section.runs[other], languages=section.languages)[one]


def easy_hard() -> str:
    """XNLI after an easy and a hard task against none, and against each other."""
    columns = {"shuffled": "labels without meaning", "upos": "parts of speech (easy)", "tree": "labelled trees (hard)"}
    return _two_stages("easy_hard", columns, "tree", "upos", "hard - easy (95 % CI)")


def equal_length() -> str:
    """XNLI after two tasks of one code length and different form, against none, and against each other."""
    columns = {"distance": "distance to the head (labels)", "arcs": "unlabelled arcs (parser)"}
    return _two_stages("equal_length", columns, "arcs", "distance", "arcs - distance (95 % CI)")


def _two_stages(name: str, columns: Mapping[str, str], first: str, second: str, title: str) -> str:
    """Some stages against none, and two of them against each other, by what is trained after them and by model."""
    asked = [(study, model) for study in STAGED for model in ("baseline", "dlfa")]
    asked = [one for one in asked if {*columns} <= _stages_of(*one)]
    found = {one: stages_apart(*one, first, second) for one in asked}
    adjusted = holm([difference.p_value for _, difference in found.values()])
    rows = []
    for ((study, model), (section, difference)), p in zip(found.items(), adjusted, strict=True):
        conditions = (section.comparisons[f"{model}+{one}"] for one in columns)
        label = f"{STAGED[study]}, {'DLFA' if model == 'dlfa' else 'last layer'}"
        sizes = [sized(one) for one in (*conditions, difference)]
        rows.append([label, str(len(difference.seeds)), *sizes, p_text(difference.p_value), p_text(p)])
    header = ["", "seeds", *columns.values(), title, "p", "p (Holm)"]
    return Table(name, "", header, rows, is_markdown=True).markdown()


def _stages_of(study: str, model: str) -> set[str]:
    """The conditions of a model that have runs."""
    return {name.removeprefix(f"{model}+") for name in under_conditions(study, model).runs}


# README's rows: what is trained, the task, its study and its name there.
IN_SHORT = (
    ("fusion and head, encoder frozen", "entities (PAN-X, F1)", "frozen", "panx"),
    ("", "parts of speech (UD-POS, F1)", "frozen", "udpos"),
    ("", "questions (XQuAD, F1)", "xquad_frozen", "xquad"),
    ("", "inference (XNLI)", "frozen_pairs", "xnli"),
    ("", "paraphrases (PAWS-X)", "frozen_pairs", "pawsx"),
    ("LoRA", "entities", "lora", "panx"),
    ("upper four layers", "entities", "top4", "panx"),
    ("all weights", "entities", "all_weights", "panx"),
    ("", "inference", "intermediate_learnt", "xnli"),
)


def in_short() -> str:
    """Whether fusing helps: README's table."""

    def cell(found: Comparison) -> str:
        bold = "**" if significant(found) else ""
        return f"{bold}{signed(found.difference)}{bold} ({interval(found.low, found.high)})"

    rows = []
    for trained, what, study, task in IN_SHORT:
        section, found = chosen(study, task)
        alone = "aif-layer" in {model.group for model in section.models}
        over = [cell(found), cell(against(section, "dlfa", "aif-layer")) if alone else "–"]
        rows.append([trained, what, f"{found.baseline_mean:.1f}", *over, str(len(found.seeds))])
    header = ["trained", "task", "last layer", "DLFA over it", "DLFA over the module on one lower layer", "seeds"]
    return Table("in_short", "", header, rows, text_columns=2, is_markdown=True).markdown()


def in_words() -> str:
    """What README's table says, and whether an easy or hard intermediate task helps."""
    fused = {(study, task): chosen(study, task) for _, _, study, task in IN_SHORT}
    gains = {one: significant(found) and found.low > 0 for one, (_, found) in fused.items()}
    frozen = [one for one in fused if one[0] in ("frozen", "xquad_frozen", "frozen_pairs")]
    _holds({one for one in frozen if not gains[one]} == {("frozen_pairs", "pawsx")}, "frozen: all but PAWS-X gain")
    _holds(not any(gains[one] for one in fused if one not in frozen), "no gain where the encoder is trained")
    over_one = {one: against(fused[one][0], "dlfa", "aif-layer") for one in frozen}
    for task in ("panx", "udpos"):
        small = over_one["frozen", task].difference < fused["frozen", task][1].difference / 5
        _holds(small, f"frozen, {task}: the module alone has nearly all of the gain")
    apart = {task: one.difference > 0 for (_, task), one in over_one.items() if significant(one)}
    _holds(apart == {"panx": True, "xnli": False, "pawsx": False}, "where fusing adds to the module alone, or takes")
    still, trained = (under_conditions(name).comparisons for name in ("intermediate_frozen", "intermediate_learnt"))
    easy, hard = "baseline+upos", "baseline+tree"
    _holds(significant(still[easy]) and still[easy].high < 0, "frozen after it: the easy harms")
    _holds(not any(map(significant, (still[hard], trained[easy], trained[hard]))), "no other stage is told apart")
    _, form = stages_apart("intermediate_frozen", "baseline", "arcs", "distance")
    _holds(form.low > 0, "arcs are above distances")
    seeds = [f"{len(one[hard].seeds)} seeds" for one in (still, trained)]
    return (
        "- **Encoder frozen: read a lower layer through the module.** That is nearly all of the gain. Fusing it with "
        "the last layer adds a little on entities, nothing significant on parts of speech and questions, and costs "
        "on pairs of sentences.\n"
        "- **Encoder trained, with LoRA or as a whole: no gain shown.**\n"
        "- **A parsing task before XNLI: no gain shown; labels of words harm what lies frozen, trees hardly.** With "
        f"the encoder frozen after it, parts of speech {sized(still[easy])}, labelled trees {sized(still[hard])} "
        f"({seeds[0]}). Of two tasks with equal code length, unlabelled arcs are {sized(form)} above distances to the "
        f"head ({len(form.seeds)} seeds): form seems to matter more than difficulty. With all weights trained, "
        f"{sized(trained[easy])} and {sized(trained[hard])} ({seeds[1]}; "
        "[more](results/intermediate_frozen/README.md))."
    )


def encoders(path: Path = HERE / "encoders" / "shapes.json") -> str:
    """What `results/encoders.py shapes` found: sizes of encoders, and what training them keeps in memory."""
    rows = []
    for name, shape in json.loads(path.read_text("utf-8")).items():
        trained = shape["parameters"] + shape["aif"]
        rows.append(
            [
                f"`{name}`",
                f"{shape['layers']} × {shape['width']}",
                str(shape["default_layer"]),
                str(shape["positions"] or "any"),
                f"{shape['parameters'] / 1e6:.0f}",
                f"{100 * shape['word_embeddings'] / shape['parameters']:.0f} %",
                f"{100 * shape['aif'] / shape['parameters']:.2f} %",
                f"{16 * trained / 1e9:.1f}",
                f"{(16 * (trained - shape['word_embeddings']) + 4 * shape['word_embeddings']) / 1e9:.1f}",
                f"{(4 * shape['parameters'] + 16 * shape['aif']) / 1e9:.1f}",
            ]
        )
    header = ["encoder", "layers × width", "default k", "positions", "parameters, M", "word embeddings", "AIF adds"]
    header += ["GB, all weights", "GB, embeddings frozen", "GB, encoder frozen"]
    return Table("encoders", "", header, rows, is_markdown=True).markdown()


def word_spaces(path: Path = HERE / "encoders" / "spaces.json") -> str:
    """What `results/encoders.py spaces` found: words that have the pieces of running text."""
    report = json.loads(path.read_text("utf-8"))
    forms = {
        "wordpiece": "WordPiece (mBERT)",
        "metaspace": "SentencePiece (XLM-R, e5, gte, mDeBERTa)",
        "byte_level": "byte-level (EuroBERT, ModernBERT)",
        "gemma": "Gemma's (mmBERT)",
    }
    rows = [
        [title, *(f"{report['forms'][form][way]:.0f} %" for way in ("split", "ours"))] for form, title in forms.items()
    ]
    header = ["vocabulary like", "`is_split_into_words=True`", "here"]
    made = Table("word_spaces", "", header, rows, is_markdown=True)
    return (
        f"{made.markdown()}\n\nWords after the first of a sentence with the pieces that they have in running text, "
        f"in vocabularies of {report['vocabulary']:,} pieces, trained on {report['sentences']} sentences of UD-POS in "
        f"each of {', '.join(report['languages'])}."
    )


def against(section: Section, group: str, rival: str) -> Comparison:
    """A model against a rival, each at its chosen layer."""
    groups = {names: tuple(section.model(name).group for name in names) for names in section.of_rivals}
    return next(section.of_rivals[names] for names, pair in groups.items() if pair == (group, rival))


def of_analysis(name: str) -> list[dict[str, str]]:
    """The rows of a table that `dlfa analyse` has left."""
    with open(HERE / "analysis" / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def claims() -> str:
    """What the paper, and people after it, say of DLFA: how it was looked at, what was found, how sure that is."""

    frozen, tagging = chosen("frozen", "panx"), chosen("frozen", "udpos")
    questions, pairs = chosen("xquad_frozen", "xquad"), chosen("frozen_pairs", "xnli")
    of_frozen: dict[str, tuple[Section, Comparison]] = dict(
        zip(("entities", "parts of speech", "questions", "XNLI"), (frozen, tagging, questions, pairs))
    )
    gained = {what: found for what, (_, found) in of_frozen.items()}
    of_frozen["choices"] = chosen("choices", "xcopa")
    fused = {what: against(section, "dlfa", "aif-layer") for what, (section, _) in of_frozen.items()}
    for count in (50, 200, 1000):
        _holds(not significant(against_alone(count)), f"{count} sentences: DLFA and the module alone")
    layers = {study: [chosen(study, task)[1] for task in ("panx", "udpos")] for study in ("layers", "frozen")}
    best = {study: " and ".join(one.model.partition("-k")[2] for one in both) for study, both in layers.items()}
    alone = " and ".join(chosen("frozen", task, "aif-layer")[1].model.partition("-k")[2] for task in ("panx", "udpos"))
    by_layer = of_analysis("layers/layers.csv")
    held = {row["w"]: row for row in of_analysis("gate/held.csv")}
    mean = held["its mean in each channel"]
    shares = {row["name"]: float(row["mean"]) for row in of_analysis("gate/where.csv")}
    kinship = of_analysis("families/kinship.csv")
    kin, centred = ([row for row in kinship if row["similarity"] == one] for one in ("CKA", "cosine of centred means"))
    of_eight = [row for row in of_analysis("families/transfer.csv") if row["layer"] == "8"]
    counted = [int(row["languages"]) for row in of_eight]
    low_p, high_p = (bound(float(row["p"]) for row in of_eight) for bound in (min, max))
    stages = under_conditions("intermediate_learnt")
    still, against_easy = stages_apart("intermediate_frozen", "baseline", "tree", "upos")
    conditions = {"trees": "baseline+tree", "parts of speech": "baseline+upos"}
    before = {name: still.comparisons[condition] for name, condition in conditions.items()}
    tree, upos = (stages.comparisons[f"baseline+{name}"] for name in ("tree", "upos"))

    def course(measure: str) -> str:
        values = [float(row[measure]) for row in by_layer]
        top = max(range(len(values)), key=values.__getitem__)
        if top == len(values) - 1:
            return f"{values[0]:.0f} % in the embeddings, most in the last layer ({values[top]:.0f})"
        most = f"most in layer {top} ({values[top]:.0f})"
        return f"{values[0]:.0f} % in the embeddings, {most}, {values[-1]:.0f} in the last"

    rows = [
        [
            "Fusing a lower layer of mBERT gains: NER 1.2, POS 1.5, XNLI 1.5, PAWS-X 2.4 points (paper, abstract)",
            "all weights: PAN-X, 3,000 sentences; UD-POS, 1,000; XNLI, all pairs there are",
            f"{sized(chosen('all_weights', 'panx')[1])}; {sized(layers['layers'][1])}; "
            f"{sized(chosen('intermediate_learnt', 'xnli')[1])}",
            "not seen; another encoder, small training sets, two or three seeds; PAWS-X was not learnt",
        ],
        [
            "It gains where the encoder is frozen (ours)",
            "PAN-X, UD-POS; questions; XNLI",
            f"{sized(frozen[1])}, {sized(tagging[1])}; {sized(questions[1])}; {sized(pairs[1])}",
            f"{verdicts(gained)}; 3 to 5 seeds",
        ],
        [
            "... because two layers are fused",
            "against the same module on one lower layer: PAN-X, UD-POS; questions; XNLI; the sample's choices",
            "; ".join(map(sized, fused.values())),
            f"{verdicts(fused)}; entities with 3,000 sentences, with 1,000 or fewer not significantly different",
        ],
        [
            "The best layer differs from task to task",
            "layers chosen on English development data, PAN-X and UD-POS",
            f"frozen: DLFA {best['frozen']}, the same module on one layer {alone}; all weights {best['layers']}",
            "by a layer or two; two tasks, and neighbours are level",
        ],
        [
            "Lower layers hold more of what languages share",
            "translations found among 100 (Tatoeba); a language told (linear probe)",
            f"{course('retrieval')}; {course('language')}",
            "the contrary, 3 seeds; this encoder was trained to find translations",
        ],
        [
            "Upper layers hold more of a language's structure",
            "parts of speech in 28 other languages; arcs in 10 (probes from English)",
            f"{course('pos_others')}; {course('arcs_others')}",
            "neither half: the middle does, 3 seeds",
        ],
        [
            "The gate takes information as the token requires",
            "one frozen run; held at its mean in each channel",
            f"share of layer 8 {shares['O']:.2f} at O, {shares['B-PER']:.2f} at B-PER; held, "
            f"{signed(float(mean['change']))} ({interval(float(mean['low']), float(mean['high']))})",
            "it varies, and this model relies on it (1 seed); whether that helps, the third row says",
        ],
        [
            "Related languages are alike inside the encoder",
            "CKA on parallel sentences, 13 languages",
            f"a relative is nearest for {kin[0]['nearest_is_a_relative']} in the embeddings, "
            f"{kin[-1]['nearest_is_a_relative']} in the last layer",
            "in the lowest layers; above, all are nearest to English (by cosine of centred means "
            f"{centred[0]['nearest_is_a_relative']} and {centred[-1]['nearest_is_a_relative']}); few have one here",
        ],
        [
            "... and likeness to English goes with the score",
            "rank correlation in layer 8, families permuted",
            f"{min(float(row['rank_correlation']) for row in of_eight):+.2f} to "
            f"{max(float(row['rank_correlation']) for row in of_eight):+.2f}, p {low_p:.2f} to {high_p:.2f}",
            f"not shown: {min(counted)} to {max(counted)} languages",
        ],
        [
            "A hard or an easy intermediate task helps XNLI (X-STILTs' question)",
            "dependency trees; parts of speech; all weights, XNLI learnt",
            f"{sized(tree)}; {sized(upos)}",
            f"{sureness(stages, tree)} and {p_text(upos.p_adjusted)}",
        ],
        [
            "... in an encoder that is frozen after it",
            "dependency trees; parts of speech; the first against the second",
            "; ".join(map(sized, (*before.values(), against_easy))),
            f"{verdicts(before)}; the difference p = {p_text(against_easy.p_value)}, one of four that were looked at; "
            f"{len(against_easy.seeds)} seeds",
        ],
    ]
    header = ["claim", "how it was looked at", "found (points, 95 % CI)", "how sure"]
    return Table("claims", "", header, rows, text_columns=4).markdown()


def few_labels() -> str:
    """Where the encoder is frozen and labels are few: the last layer, its rivals and DLFA, by number of sentences."""
    (section,) = study_sections("few_labels")[1]
    rows = []
    for count in (50, 200, 1000):
        names = [f"{model}-{count}" for model in ("last", "layer", "aif-layer", "dlfa")]
        means = [section.comparisons[name] for name in names]
        rivals = [against(section, names[-1], names[0]), against_alone(count)]
        sizes = [sized(one) for one in rivals]
        rows.append([f"{count:,}", *(plus_minus(one.mean, one.std) for one in means), *sizes])
    whole = next(iter(section.comparisons.values()))
    rows.append(["3,000", plus_minus(whole.baseline_mean, whole.baseline_std), "", "", "", "", ""])
    header = [
        "sentences",
        "last layer",
        "layer 8",
        "AIF on layer 8",
        "DLFA",
        "DLFA - last (95 % CI)",
        "DLFA - AIF on layer 8",
    ]
    return Table("few_labels", "", header, rows, text_columns=0, is_markdown=True).markdown()


def few_labels_trained() -> str:
    """200 sentences: the last layer and DLFA, the encoder frozen and all weights trained."""
    (frozen,) = study_sections("few_labels")[1]
    (everything,) = study_sections("few_labels_all_weights")[1]
    rows = []
    for title, section, last, dlfa, found in (
        ("fusion and head", frozen, "last-200", "dlfa-200", against(frozen, "dlfa-200", "last-200")),
        ("all weights", everything, "baseline", "dlfa", everything.comparisons["dlfa"]),
    ):
        seconds = least_seconds(section, (last, dlfa))
        scores = [plus_minus(found.baseline_mean, found.baseline_std), plus_minus(found.mean, found.std)]
        rows.append([title, *scores, sized(found), str(len(found.seeds)), *(f"{value:.0f}" for value in seconds)])
    header = ["what is trained", "last layer", "DLFA", "DLFA - last (95 % CI)", "seeds"]
    header += ["seconds, last layer", "seconds, DLFA"]
    return Table("few_labels_trained", "", header, rows, is_markdown=True).markdown()


def sized(found: Comparison) -> str:
    """ "+1.6 (+0.3 to +3.0)"."""
    return f"{signed(found.difference)} ({interval(found.low, found.high)})"


def significant(found: Comparison) -> bool:
    """Whether a difference is significant, after Holm's correction over the rows of its table."""
    return found.p_adjusted < 0.05


def verdict(found: Comparison) -> str:
    if not significant(found):
        return "not significantly different from"
    return "above" if found.difference > 0 else "below"


def verdicts(by_name: Mapping[str, Comparison]) -> str:
    """ "above: entities; not significantly different: questions, XNLI"."""
    grouped: dict[str, list[str]] = {}
    for name, found in by_name.items():
        grouped.setdefault(verdict(found).removesuffix(" from"), []).append(name)
    return "; ".join(f"{what}: {', '.join(names)}" for what, names in grouped.items())


def against_alone(sentences: int) -> Comparison:
    """DLFA with few labels against the same module on layer 8 alone."""
    return against(study_sections("few_labels")[1][0], f"dlfa-{sentences}", f"aif-layer-{sentences}")


def _holds(true: bool, what: str) -> None:
    """A sentence that is written out stands only as long as the records say so."""
    if not true:
        raise InputError(f"the records say otherwise, and the sentence has to be changed: {what}")


def sureness(section: Section, found: Comparison) -> str:
    """How sure a difference is, in words (our choice); with the number of p-values that Holm's correction is over."""
    beside = section.of_rivals if any(found is one for one in section.of_rivals.values()) else section.comparisons
    count = sum(math.isfinite(one.p_value) for one in beside.values())
    seeds = f"{len(found.seeds)} seeds"
    if not math.isfinite(found.p_adjusted):
        return f"{seeds}: nothing can be said"
    sure = "sure" if found.p_adjusted < 0.01 else "likely" if significant(found) else "not significant"
    value = p_text(found.p_adjusted)
    return f"{sure}: {seeds}, p (Holm, of {count}) {value if value.startswith('<') else f'= {value}'}"


def regimes() -> str:
    """The last layer against DLFA on PAN-X, whatever is trained."""
    rows = []
    for name, title in REGIMES.items():
        section, found = chosen(name, "panx")
        layer = layer_name(section.model(found.model).fusion_layer)
        seconds = least_seconds(section, ("baseline", found.model))
        rows.append(
            [
                title,
                plus_minus(found.baseline_mean, found.baseline_std),
                f"{plus_minus(found.mean, found.std)} (k = {layer})",
                signed(found.difference),
                interval(found.low, found.high),
                str(len(found.seeds)),
                *(f"{value:.0f}" for value in seconds),
            ]
        )
    header = [
        "what is trained",
        "last layer",
        "DLFA",
        "difference",
        "95 % CI",
        "seeds",
        "seconds, last layer",
        "seconds, DLFA",
    ]
    return Table("regimes", "", header, rows, is_markdown=True).markdown()


def parts() -> str:
    """Where the encoder is frozen: what each part of DLFA brings over the last layer with a linear head."""
    groups = {
        "layer": "a lower layer",
        "aif-last": "the module on the last layer",
        "aif-layer": "the module on a lower layer",
        "dlfa": "DLFA: the module on both",
    }
    rows = []
    for title, study, task in (
        ("entities (PAN-X)", "frozen", "panx"),
        ("parts of speech (UD-POS)", "frozen", "udpos"),
        ("pairs of sentences (XNLI)", "frozen_pairs", "xnli"),
        ("pairs of sentences (PAWS-X)", "frozen_pairs", "pawsx"),
        ("questions (XQuAD by article)", "xquad_frozen", "xquad"),
        ("choices (generated sample)", "choices", "xcopa"),
    ):
        section = section_of(study, task)
        there = {model.group for model in section.models}
        cells = [sized(chosen(study, task, group)[1]) if group in there else "" for group in groups]
        rows.append([title, *cells, sized(against(section, "dlfa", "aif-layer"))])
    header = ["over the last layer", *groups.values(), "DLFA over the module on a lower layer"]
    return Table("parts", "", header, rows, is_markdown=True).markdown()


def families() -> str:
    """Where the encoder is frozen: last layer, the same module on one lower layer, and DLFA, by language family."""
    rows = []
    for task in ("panx", "udpos"):
        section, found = chosen("frozen", task)
        _, rival = chosen("frozen", task, "aif-layer")
        for family, codes in by_family(section.languages).items():
            of_family = [section.by_language[code] for code in codes]
            means = [
                fmean(one[found.model].baseline_mean for one in of_family),
                fmean(one[rival.model].mean for one in of_family),
                fmean(one[found.model].mean for one in of_family),
            ]
            rows.append(
                [
                    task,
                    family,
                    ", ".join(codes),
                    *(f"{mean:.1f}" for mean in means),
                    signed(means[2] - means[0]),
                    signed(means[2] - means[1]),
                ]
            )
    header = [
        "task",
        "family",
        "languages",
        "last layer",
        "AIF on one layer",
        "DLFA",
        "DLFA - last",
        "DLFA - AIF on one",
    ]
    return Table("families", "", header, rows, text_columns=3, is_markdown=True).markdown()


def sweep(path: Path = HERE / "sweep" / "embedded-cpu.json") -> str:
    """What `benchmarks/sweep.py` found, in sentences."""
    report = json.loads(path.read_text("utf-8"))
    seconds = {name: report[f"{name}_seconds"][1] for name in ("states", "run", "ordinary")}
    return (
        f"{report['task']}, {report['train_rows']:,} sentences, {report['epochs']} passes, "
        f"{report['languages']} languages of {report['scored_rows']} sentences: the states of all layers take "
        f"{seconds['states']:.0f} s once, then a run takes {seconds['run']:.0f} s, against "
        f"{seconds['ordinary']:.0f} s with the encoder run every time. By these times a sweep over "
        f"{report['layers']} layers and {report['seeds']} seeds is {report['sweep_ratio'][1]:.1f} times as fast, and "
        f"takes {report['pass_ratio'][1]:.1f} times its first pass. (`{report['encoder']}` on "
        f"{report['device_name']}, threads: {report['threads']}; {versions(report)}; medians of {report['rounds']} "
        "rounds.)"
    )


def tatoeba(path: Path = HERE / "tatoeba" / "layers.csv") -> str:
    """Accuracy of finding translations, by layer, averaged over languages."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    codes = [name for name in rows[0] if name in LANGUAGES]
    numbered = [row for row in rows if row["layer"].isdigit()]
    cells = [f"{fmean(float(row[code]) for code in codes):.1f}" for row in numbered]
    header = ["layer", *(row["layer"] for row in numbered)]
    return Table("tatoeba", "", header, [[f"mean of {len(codes)} languages", *cells]], is_markdown=True).markdown()


TABLES: dict[str, Callable[[], str]] = {
    "tatoeba": tatoeba,
    "heads": heads,
    "scout": scout,
    "label_piece": label_piece,
    "sample": sample,
    "sample_across": sample_across,
    "own_labels": own_labels,
    "own_answer": own_answer,
    "encoders": encoders,
    "word_spaces": word_spaces,
    "overhead": overhead,
    "fusions": fusions,
    "training_speed": training_speed,
    "findings": findings,
    "other_findings": other_findings,
    "in_short": in_short,
    "in_words": in_words,
    "easy_hard": easy_hard,
    "equal_length": equal_length,
    "claims": claims,
    "regimes": regimes,
    "parts": parts,
    "families": families,
    "few_labels": few_labels,
    "few_labels_trained": few_labels_trained,
    "sweep": sweep,
}


def table(name: str) -> str:
    study, dot, own = name.partition(".")
    return study_tables(study)[own] if dot else TABLES[name]()


def filled(text: str) -> str:
    """The page with every table made anew."""
    return re.sub(
        r"(<!-- table: ([\w.-]+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{table(match[2])}\n{match[3]}",
        text,
        flags=re.DOTALL,
    )


def pages() -> dict[Path, str]:
    """Every page made from results files, with what it should hold."""
    texts = (
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        HERE / "README.md",
        HERE / "claims.md",
        *sorted(HERE.glob("intermediate*/README.md")),
        HERE / "tatoeba" / "README.md",
        HERE / "training_speed" / "README.md",
        HERE / "fusing" / "README.md",
    )
    made = {page: filled(page.read_text("utf-8")) for page in texts if page.exists()}
    for task, results in CARDS.items():
        made[ROOT / "model_cards" / f"{task}.md"] = str(model_card(RunResults.load(HERE / results)))
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    stale = {page: text for page, text in pages().items() if not page.exists() or page.read_text("utf-8") != text}
    for page, text in stale.items():
        if check:
            print(f"{page} differs from the results files: run python results/tables.py", file=sys.stderr)
        else:
            page.write_text(text, "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
