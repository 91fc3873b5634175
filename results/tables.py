"""Fill the tables of the two READMEs and write `model_cards/` from the results files: `python results/tables.py`.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. NAME is that of a function in `TABLES`, or
`<study>.<table>` for a table of a study's report, such as `layers.summary`. `--check` writes nothing and fails where a
page differs from what the files say.
"""

import argparse
import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from modeling_dlfa.study.records import load_records
from modeling_dlfa.study.spec import load_spec
from modeling_dlfa.study.tables import Table, tables
from modeling_dlfa.training.card import model_card
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.xtreme.languages import LANGUAGES, by_family


HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

# The worked model cards: task -> record of the run.
CARDS = {
    "udpos": "layers/cells/udpos/embedded/dlfa-k8-seed1",
    "panx": "layers/cells/panx/embedded/dlfa-k8-seed1",
    "xnli": "pairs/cells/xnli/embedded/dlfa-k8-seed1",
    "pawsx": "pairs/cells/pawsx/embedded/dlfa-k8-seed1",
}


@cache
def study_tables(name: str) -> dict[str, str]:
    """The tables of a study under `results/`, from its records."""
    spec = load_spec(ROOT / "examples" / "studies" / f"{name}.yaml", HERE / name)
    return tables(spec, load_records(spec.records, spec.cells))


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
    return Table("label_piece", "", ["", "seeds", *codes], rows).markdown()


def sample() -> str:
    """What `python run_xtreme.py` prints, from its results files."""
    runs = [RunResults.load(HERE / "sample" / f"{name}.json") for name in ("baseline", "aif")]
    rows = [
        [f"{code} {LANGUAGES[code].name}", *(f"{run.scores[code]:.1f}" for run in runs)]
        for codes in by_family(runs[0].scores).values()
        for code in codes
    ]
    rows.append(["**zero-shot average**", *(f"**{run.zero_shot_average:.1f}**" for run in runs)])
    return Table("sample", "", ["UD-POS F1 on the sample", *(run.model_name for run in runs)], rows).markdown()


TABLES: dict[str, Callable[[], str]] = {"label_piece": label_piece, "sample": sample}


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
    made = {page: filled(page.read_text("utf-8")) for page in (ROOT / "README.md", HERE / "README.md")}
    for task, record in CARDS.items():
        made[ROOT / "model_cards" / f"{task}.md"] = str(model_card(RunResults.load(HERE / f"{record}.json")))
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
