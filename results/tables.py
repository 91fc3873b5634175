"""Fill the tables of the two READMEs and write `model_cards/` from the results files: `python results/tables.py`.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. `--check` writes nothing and fails where a page
differs from what the files say.
"""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

from modeling_dlfa.training.card import model_card
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.xtreme.languages import LANGUAGES, by_family


HERE = Path(__file__).resolve().parent
TASKS = ("xnli", "pawsx", "panx", "udpos")
MODELS = ("baseline", "dlfa-k4", "dlfa-k8")


def load(group: str, name: str) -> list[RunResults]:
    """The runs `<group>/<name>-seed*.json`, by seed."""
    runs = [RunResults.load(path) for path in sorted((HERE / group).glob(f"{name}-seed*.json"))]
    return sorted(runs, key=lambda run: run.seed)


def paired(runs: list[RunResults], baseline: list[RunResults], value: Callable[[RunResults], float]) -> str:
    """Mean, then its difference to the baseline for each seed that both have."""
    reference = {run.seed: value(run) for run in baseline}
    differences = [value(run) - reference[run.seed] for run in runs if run.seed in reference]
    return f"{fmean(map(value, runs)):.1f} ({', '.join(f'{difference:+.1f}' for difference in differences)})"


def zero_shot(run: RunResults) -> float:
    assert run.zero_shot_average is not None, "a run without other languages has no place in these tables"
    return run.zero_shot_average


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def main_table() -> str:
    """Zero-shot averages of baseline and DLFA, one row a task."""
    rows = []
    for task in TASKS:
        runs = {model: load(task, model) for model in MODELS}
        baseline = runs["baseline"]
        if not baseline:
            continue
        first = baseline[0]
        cells = [f"{task} ({first.metric})", str(len(first.scores)), f"{first.train_samples:,}", str(len(baseline))]
        cells += [f"{fmean(run.scores['en'] for run in baseline):.1f}", f"{fmean(map(zero_shot, baseline)):.1f}"]
        cells += [paired(runs[model], baseline, zero_shot) if runs[model] else "not run" for model in MODELS[1:]]
        rows.append(cells)
    header = ["task", "languages", "English examples", "seeds", "baseline en", "baseline zero-shot"]
    return markdown([*header, "DLFA k=4 zero-shot", "DLFA k=8 zero-shot"], rows)


def language_table(task: str) -> str:
    """Baseline and DLFA by language, means over seeds."""
    runs = {model: load(task, model) for model in MODELS}
    baseline = runs["baseline"]
    rows = []
    for family, codes in by_family(baseline[0].scores).items():
        for code in codes:
            name = LANGUAGES[code].name if code in LANGUAGES else code
            cells = [f"{code} {name}", family, f"{fmean(run.scores[code] for run in baseline):.1f}"]
            cells += [
                paired(runs[model], baseline, lambda run, code=code: run.scores[code]) if runs[model] else "not run"
                for model in MODELS[1:]
            ]
            rows.append(cells)
    return markdown(["language", "family", "baseline", "DLFA k=4", "DLFA k=8"], rows)


def label_piece_table() -> str:
    """Baselines with the label on a word's first piece with characters, and on its first piece; the same seeds."""
    rows = []
    cases = (
        ("POS accuracy", "accuracy", "udpos", "baseline", "udpos-first"),
        ("POS F1 (XTREME)", "f1", "udpos", "baseline", "udpos-first"),
        ("NER F1 (dev)", "f1", "label_piece", "panx-character", "panx-first"),
    )
    codes = ("en", "de", "bg", "zh", "ja", "th")
    for title, metric, group, character, first in cases:
        pair = {"character": load(group, character), "first": load("label_piece", first)}
        common = set.intersection(*({run.seed for run in runs} for runs in pair.values()))
        for label, runs in pair.items():
            if runs := [run for run in runs if run.seed in common]:
                means = [
                    f"{fmean(run.all_metrics[code][metric] for run in runs):.1f}"
                    if code in runs[0].scores
                    else "no data"
                    for code in codes
                ]
                rows.append([f"{title}, `{label}`", str(len(runs)), *means])
    return markdown(["", "seeds", *codes], rows)


def sample_table() -> str:
    """What `python run_xtreme.py` prints, from its results files."""
    runs = [RunResults.load(HERE / "sample" / f"{name}.json") for name in ("baseline", "aif")]
    rows = [
        [f"{code} {LANGUAGES[code].name}", *(f"{run.scores[code]:.1f}" for run in runs)]
        for codes in by_family(runs[0].scores).values()
        for code in codes
    ]
    rows.append(["**zero-shot average**", *(f"**{zero_shot(run):.1f}**" for run in runs)])
    return markdown(["UD-POS F1 on the sample", *(run.model_name for run in runs)], rows)


TABLES: dict[str, Callable[[], str]] = {
    "main": main_table,
    "label_piece": label_piece_table,
    "sample": sample_table,
    **{task: lambda task=task: language_table(task) for task in TASKS},
}


def filled(text: str) -> str:
    """The page with every table made anew."""
    return re.sub(
        r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}{TABLES[match[2]]()}\n{match[3]}",
        text,
        flags=re.DOTALL,
    )


def pages() -> dict[Path, str]:
    """Every page made from results files, with what it should hold."""
    cards = {task: load(task, "dlfa-k8") for task in TASKS}
    return {page: filled(page.read_text("utf-8")) for page in (HERE.parent / "README.md", HERE / "README.md")} | {
        HERE.parent / "model_cards" / f"{task}.md": str(model_card(runs[0])) for task, runs in cards.items() if runs
    }


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
