"""Write `docs/configuration.md`, every entry of run, task and study files: `python docs/site/configuration.py`.

What an entry means is taken from where it is declared: the help of arguments, and the docstrings of `Task`, `Recipe`,
`HubDataset` and `StudySpec`. `--check` writes nothing, and fails where the page is not what they say.
"""

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, get_args

import yaml

from modeling_dlfa.files import write_text
from modeling_dlfa.study.spec import StudySpec
from modeling_dlfa.tasks.task import HubDataset, Recipe, Task
from modeling_dlfa.tasks.task_file import ENTRIES
from modeling_dlfa.training.arguments import JSON_ARGUMENTS, RunArguments
from modeling_dlfa.training.help import HEADINGS, OF_THE_TRAINER, WORDS, heading_of
from modeling_dlfa.training.trainer_arguments import TRAINER, trainer_fields


PAGE = Path(__file__).resolve().parents[1] / "configuration.md"
WIDTH = 110

# What stands in the page where a value has to be given, or shows the form better than the default.
OF_A_TASK: dict[str, Any] = {
    "kind": "pairs",
    "labels": ["negative", "positive"],
    "files": {"train": "train.csv", "validation": "dev.csv", "test": "test-{language}.csv"},
    "columns": {"sentence1": "text", "label": "stars"},
    "separator": "tab",
    "train_language": "en",
    "label_aliases": {"neg": "negative"},
    "together": "sentence1",
}
OF_A_STUDY: dict[str, Any] = {
    "tasks": {"panx": {"eval_split": "validation"}, "examples/tasks/entities.yaml": {}},
    "models": {"dlfa": {"fusion": "aif", "fusion_layer": [4, 8]}, "alone": {"fusion": "aif_layer", "fusion_layer": 8}},
    "output_dir": "runs/ner",
    "name": "ner",
    "conditions": {"trees": {"intermediate_tasks": "uddep"}},
    "encoders": ["embedded"],
    "seeds": [1, 2, 3],
    "arguments": {"max_train_samples": 1000},
    "tune": {"learning_rate": [1e-4, 5e-4]},
    "rivals": {"dlfa": ["alone"]},
}
# Where the docstring of the class says it for Python, and the file has it otherwise.
IN_A_FILE = {
    "kind": "Pairs (or single sentences), tags, trees, answers, choices, masked, retrieval, or one of your own. "
    "Needed.",
    "labels": "Names, in the order of their ids, or `from the training file`. Needed, but of answers, choices and "
    "masked.",
    "files": "A file each of train and validation, in the training language; of test a pattern with {language}, or a "
    "table of languages with their files. Paths are relative to this file. Needed, unless there is hub.",
    "columns": "Our column name -> the name in the files' header, or the place of the field, counted from 0.",
    "separator": "Between the fields of CoNLL files: tab, or space for any white space.",
    "recipe": "Fine-tuning defaults of this task.",
    "hub": "A data set of the Hugging Face Hub instead of files, or beside them.",
    "name": "Of the task, and its folders. Default: the file's.",
}


def attributes(cls: type) -> dict[str, str]:
    """Name -> what the docstring of a class says of it under "Attributes"."""
    _, _, text = (inspect.getdoc(cls) or "").partition("Attributes:\n")
    found = {}
    for entry in re.split(r"\n(?=    \w)", "\n" + text.partition("\n\n")[0]):
        names, _, meaning = " ".join(entry.split()).partition(": ")
        found |= dict.fromkeys(names.split(", "), meaning[:1].upper() + meaning[1:])
    return found


def comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def entry(name: str, value: Any, meaning: str) -> str:
    """An entry of a file with its comment."""
    flow = isinstance(value, (list, Mapping))
    shown = (
        yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False) if flow else yaml.safe_dump(value)
    )
    return "\n".join([*comment(meaning), f"{name}: {shown.removesuffix(chr(10)).removesuffix(chr(10) + '...')}"])


def block(entries: Iterable[str]) -> str:
    return "```yaml\n" + "\n\n".join(entries) + "\n```"


def default_of(one: Field) -> Any:
    """The default of a field, as a file has it."""
    if one.default_factory is not MISSING:
        value = one.default_factory()
    else:
        value = None if one.default is MISSING else one.default
    return list(value) if isinstance(value, tuple) else value


def form(one: Field) -> str:
    """What an argument takes, as the help has it."""
    if one.name in JSON_ARGUMENTS:
        return "JSON, or entries"
    if "choices" in one.metadata:
        return " or ".join(one.metadata["choices"])
    return " or ".join(WORDS[kind] for kind in get_args(one.type) or (one.type,) if kind in WORDS)


def run_file() -> str:
    """Every argument of a run, under the headings of the help."""
    parts = []
    of_recipes = {one.name for one in fields(Recipe)}  # their defaults depend on the task
    for heading in HEADINGS:
        parts.append(f"# ---- {heading} ----")
        for one in fields(RunArguments):
            if heading_of(one) == heading:
                value = None if one.name in of_recipes else default_of(one)
                parts.append(entry(one.name, value, f"{one.metadata['help']} ({form(one)})"))
        for name, (where, kind, text) in OF_THE_TRAINER.items():
            if where == heading:
                parts.append(entry(name, None, f"{text} ({WORDS[kind or bool]})"))
    return block(parts)


def names(wanted: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(wanted))


def of_transformers() -> str:
    """What becomes of the other fields of `TrainingArguments`."""
    others = set(TRAINER) - set(OF_THE_TRAINER)
    kept = {name for name in others if TRAINER[name].only is None}
    why: dict[str, list[str]] = {}
    for name in sorted(others - kept):
        why.setdefault(TRAINER[name].why, []).append(name)
    rows = [f"| {names(refused)} | {reason.replace('|', chr(92) + '|')} |" for reason, refused in why.items()]
    return "\n".join(
        [
            f"They decide results: {names(kept & trainer_fields(decides=True))}.",
            "",
            f"They do not: {names(kept & trainer_fields(decides=False))}.",
            "",
            "Refused, unless the value says what is done anyway:",
            "",
            "| argument | why |",
            "| --- | --- |",
            *rows,
        ]
    )


def nested(name: str, meaning: str, cls: type, needed: Mapping[str, Any]) -> str:
    """An entry that holds those of a class."""
    said = attributes(cls)
    inner = [entry(one.name, needed.get(one.name, default_of(one)), said[one.name]) for one in fields(cls)]
    return "\n".join([*comment(meaning), f"{name}:", textwrap.indent("\n".join(inner), "  ")])


def task_file() -> str:
    """Every entry of a task's file."""
    said = attributes(Task) | IN_A_FILE
    whole = {
        "recipe": nested("recipe", said["recipe"], Recipe, {}),
        "hub": nested("hub", said["hub"], HubDataset, {"path": "user/data-set", "config": "{code}", "columns": {}}),
    }
    return block(whole.get(name) or entry(name, OF_A_TASK.get(name), said[name]) for name in ENTRIES)


def study_file() -> str:
    """Every entry of a study's file."""
    said = attributes(StudySpec)
    return block(
        entry(one.name, OF_A_STUDY.get(one.name, default_of(one)), said[one.name]) for one in fields(StudySpec)
    )


def page() -> str:
    """The page."""
    return f"""\
# Configuration

Every entry of every file, with what it means and its default; `null` stands for "not given". This page is written by
`python docs/site/configuration.py` from where the entries are declared.

## A run

`dlfa train run.yaml`, or `python run_xtreme.py run.yaml`. Every entry is an argument of the command line too
(`--task udpos`), which counts before the file, and of `modeling_dlfa.run(task="udpos")`. In a study the same names
stand under `arguments`, a task or a model. What a task's recipe says (rates, passes, batches, `max_length`, `seed`)
holds where nothing is given.

{run_file()}

### Other arguments of Transformers

Every other field of `TrainingArguments` may be given as well.

{of_transformers()}

## A task file

`--task mine.yaml`. Nothing but `kind`, `labels` and `files` is needed; [your own labels](tasks.md) explains them one
by one.

{task_file()}

## A study

`dlfa study run study.yaml`. Nothing but `tasks` is needed; [studies](studies.md) explains them.

{study_file()}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    stale = not PAGE.exists() or PAGE.read_text("utf-8") != page()
    if stale and check:
        print(f"{PAGE} differs from the declarations: run python docs/site/configuration.py", file=sys.stderr)
    elif stale:
        write_text(PAGE, page())
    return int(stale and check)


if __name__ == "__main__":
    sys.exit(main())
