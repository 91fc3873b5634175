"""What `dlfa train --help` shows: this project's arguments by what they decide, and the Trainer's that people need.

Made from the declarations alone, so that it needs none of the libraries; `--help-all` asks them.
"""

from dataclasses import Field, fields
from typing import Any, get_args

from ..cli import CommandParser
from .arguments import JSON_ARGUMENTS, RunArguments


DESCRIPTION = """\
Fine-tune DLFA in one language, score it zero-shot in the others.

With no arguments: baseline and DLFA on the embedded sample. Arguments may stand in a YAML or JSON
file given first: dlfa train run.yaml --seed 2. Every argument of Transformers' TrainingArguments
can be given too; --help-all lists them."""

USAGE = "dlfa train [FILE.yaml] [--ARGUMENT VALUE ...]"

HEADINGS = ("task and data", "model", "training", "what is scored", "intermediate tasks", "bookkeeping")

WORDS = {int: "INT", float: "FLOAT", str: "TEXT", bool: "BOOL"}  # what stands for a value

# Arguments that stand elsewhere than what they decide would have them.
_ELSEWHERE = {
    "model_name_or_path": "model",
    "model_revision": "model",
    "carry_fusion": "intermediate tasks",
    "stages_dir": "intermediate tasks",
}

WORDS: dict[Any, str] = {int: "INT", float: "FLOAT", str: "TEXT", bool: "BOOL"}

# Of `TrainingArguments`: name -> (heading, type, help).
OF_THE_TRAINER: dict[str, tuple[str, type | None, str]] = {
    "learning_rate": ("training", float, "Peak learning rate. Default: the recipe's, as for the next three."),
    "num_train_epochs": ("training", float, "Passes over the training data."),
    "per_device_train_batch_size": ("training", int, "Examples per update and process."),
    "seed": ("training", int, "Of head, batches and dropout."),
    "max_steps": ("training", int, "Updates, instead of epochs."),
    "bf16": ("training", str, "Compute in bfloat16: true, false (default), or 'auto': where the machine has it."),
    "use_cpu": ("training", None, "Use no GPU."),
    "eval_steps": ("training", int, "Updates between looks at development data. Default: the recipe's."),
    "output_dir": ("bookkeeping", str, "Folder for all that the run leaves. Default: runs/ and the time."),
    "resume_from_checkpoint": ("bookkeeping", str, "'last': go on after an interruption; or a checkpoint's folder."),
    "do_train": ("bookkeeping", bool, "false: score the finished run in --model_name_or_path (dlfa score)."),
}


def run_help() -> str:
    """The help of a run."""
    return parser().format_help()


def parser() -> CommandParser:
    """Of the arguments that the help shows; `command_line` parses."""
    made = CommandParser("dlfa train", DESCRIPTION, usage=USAGE)
    groups = {heading: made.add_argument_group(heading) for heading in HEADINGS}
    for entry in fields(RunArguments):
        groups[heading_of(entry)].add_argument(f"--{entry.name}", **_own(entry))
    for name, (heading, kind, text) in OF_THE_TRAINER.items():
        value: dict[str, Any] = {"action": "store_true"} if kind is None else {"metavar": WORDS[kind]}
        groups[heading].add_argument(f"--{name}", help=text, **value)
    last = groups[HEADINGS[-1]]
    last.add_argument("--debug", action="store_true", help="Show tracebacks, and what the libraries log.")
    # Shown as one line; nothing is parsed here.
    last.add_argument("-h, --help, --help-all", action="store_true", help="Show this, or all arguments.")
    return made


def heading_of(entry: Field) -> str:
    """What an argument stands under, by what it decides."""
    decides = entry.metadata["decides"]
    if entry.metadata["chain"]:
        return "intermediate tasks"
    if entry.name in _ELSEWHERE:
        return _ELSEWHERE[entry.name]
    by_decision = {"data": "task and data", "model": "model", "training": "training", "evaluation": "what is scored"}
    return next((heading for what, heading in by_decision.items() if what in decides), "bookkeeping")


def _own(entry: Field) -> dict[str, Any]:
    text = entry.metadata["help"].replace("%", "%%")
    if entry.type is bool:
        return {"action": "store_true", "help": text}
    kinds: list[Any] = [kind for kind in get_args(entry.type) or (entry.type,) if kind in WORDS]  # no lists, no None
    word = "|".join(map(WORDS.__getitem__, kinds))
    shown = {"choices": entry.metadata["choices"]} if "choices" in entry.metadata else {"metavar": word}
    if entry.name in JSON_ARGUMENTS:
        shown = {"metavar": "JSON"}
    return {"default": entry.default, "help": text, **shown}
