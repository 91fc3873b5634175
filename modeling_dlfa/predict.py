"""Use a finished run: `dlfa predict RUN FILE ...`, or `predict("runs/udpos", ["A sentence."])`."""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .cli import CommandParser, guarded, quiet_libraries
from .errors import InputError, one_line
from .files import check_writable, decoded_lines, expanded, missing_file, read_lines, write_text


DESCRIPTION = """\
Label files or lines of text with a finished run.

    dlfa predict runs/udpos sentences.conllu --output labelled.conll
    echo "Angela Merkel was born in Hamburg." | dlfa predict runs/panx -

FILE is in a form of the task's kind: a table (.tsv, .csv, .jsonl) for pairs, .conll or .conllu for words, .json or
.jsonl for questions with their texts, .jsonl for prompts with their choices; .txt and - (standard input) are lines of
text, with tabs between the two of a pair, question and text, or prompt and choices. Labels that a file has are not
looked at. Text is split into words where its script has spaces; where it has none, what is labelled are characters by
the encoder's own pieces, given with their offsets in .jsonl."""


def predict(
    run: str | Path,
    texts: Sequence[str | Sequence[str]],
    *,
    revision: str | None = None,
    batch_tokens: int = 4096,
    no_answer_threshold: float | None = None,
) -> list[dict[str, Any]]:
    """Label texts with a finished run.

    Args:
        run: its output folder, or the Hub repository it was published to.
        texts: for pairs, strings or (sentence1, sentence2); for tags, trees and hidden words, strings or lists of
            words; for answers, (question, text); for choices, (prompt, choice, choice, ...).
        revision: of a Hub repository.
        batch_tokens: tokens of a batch, padding included.
        no_answer_threshold: of questions that may lack an answer, instead of that of the run.

    Returns:
        For each text what is known of it: of pairs `label`, `probability` and `probabilities`; of words `tokens`,
        `tags` and `probabilities`, of text also `spans` (start, end), of entity tags `entities`; of trees `heads` and
        `relations`; of answers `answer`, `start`, `end`, `probability` and `others`; of choices `answer`, `label` and
        `probabilities`; of hidden words `masked` (their places among the `tokens`), `guesses` and `probabilities`.

    Raises:
        InputError: there is no finished run, a text cannot be used, or a threshold means nothing there.

    Examples:
        >>> from modeling_dlfa import predict
        >>> (answer,) = predict("runs/dlfa", ["Maria sings."])  # a run of parts of speech
        >>> list(zip(answer["tokens"], answer["spans"]))  # and answer["tags"], answer["probabilities"]
        [('Maria', [0, 5]), ('sings', [6, 11]), ('.', [11, 12])]
    """
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise InputError(f"predict(): expected a list of texts, found {type(texts).__name__}: {str(texts)[:60]!r}")
    for number, text in enumerate(texts, start=1):
        words = [text] if isinstance(text, str) else text if isinstance(text, (list, tuple)) else [None]
        if not all(isinstance(word, str) for word in words):
            raise InputError(f"predict(): text {number}: expected a string, or a list of strings, found {text!r}")
    opened = Predictor(run, revision, batch_tokens, no_answer_threshold)
    answers = opened.answers(*opened.task.kind.from_texts(opened.task, texts, opened.tokenizer))
    for note in opened.notes():
        warnings.warn(note, stacklevel=2)
    return answers


class Predictor:
    """A finished run, opened once for many texts.

    Attributes:
        results: what the run has left.
        task: what it answers, with what was set for its model.
        model, tokenizer: its checkpoint.
        full: how many of the texts so far were as long as they may be, so that something may have been left out.
    """

    def __init__(
        self,
        run: str | Path,
        revision: str | None = None,
        batch_tokens: int = 4096,
        no_answer_threshold: float | None = None,
    ):
        import torch

        from .encoders import read_tokenizer
        from .training.declared import finite
        from .training.model import open_finished
        from .training.results import RunResults

        folder = _folder(run, revision)
        self.results = RunResults.load(folder)
        self.task = self.results.of_task
        if no_answer_threshold is not None:
            threshold = finite("no_answer_threshold", no_answer_threshold)
            self.task = replace(self.task, settled=self.task.kind.settled_as(self.task, threshold))
        self.model: Any = open_finished(folder, self.task).eval()
        self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = read_tokenizer(str(folder))
        self.batch_tokens = batch_tokens
        self.full = 0
        self.blank = 0

    def notes(self) -> list[str]:
        """What is to be said of texts that were too long, if any may have been, and of lines without one."""
        said = []
        if self.full:
            said.append(self.task.kind.note_of_full(self.full, self.results.training["max_length"]))
        if self.blank:
            said.append(f"{self.blank} blank lines have no answer")
        return said

    def of_lines(self, lines: Sequence[str], file: Path | None = None) -> tuple[dict[str, list], list[dict[str, Any]]]:
        """The rows of lines of text, and what is known of each; blank lines have none.

        Args:
            file: that they stand in, where they do.
        """
        texts = [line for line in lines if line.strip()]
        self.blank += len(lines) - len(texts)
        if file is not None:
            self.task.kind.check_running_text(file, texts)
        return self.task.kind.from_texts(self.task, texts, self.tokenizer)

    def read(self, path: Path) -> tuple[dict[str, list], list[dict[str, Any]]]:
        """The rows of a file without labels, and what is known of each beside its columns.

        Raises:
            InputError: with file and line.
        """
        kind = self.task.kind
        if path.suffix == ".txt":
            return self.of_lines(read_lines(path), path)
        columns = kind.read(self.task, path, "", labelled=False)
        return columns, [{} for _ in columns[kind.label_column]]

    def answers(self, columns: dict[str, list], known: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """What the model answers, for each row.

        Args:
            columns: of unlabelled rows, as from `Kind.from_texts` or `Kind.read`.
            known: what is added to each answer.
        """
        from datasets import Dataset

        from .training.data import EvalSet

        kind, task = self.task.kind, self.task
        if not columns[kind.label_column]:
            return []
        rows = Dataset.from_dict(columns, features=kind.features(task))
        recipe = self.results.training
        features = EvalSet.encode(task, rows, self.tokenizer, recipe["max_length"], recipe["label_piece"]).features
        self.full += kind.full(features, recipe["max_length"])
        answers = kind.answers(task, rows, features, *self._forward(features))
        answers = replace(answers, names=kind.in_words(task, rows, answers.names, self.tokenizer))
        described = kind.described(task, rows, answers)
        return [{**beside, **answer} for beside, answer in zip(known, described, strict=True)]

    @staticmethod
    def inputs_of(features: Any) -> list[dict[str, Any]]:
        """What of encoded rows goes through the kind's collator into the model."""
        from .tasks.encoding import BESIDE_THE_INPUTS

        return features.select_columns(
            [name for name in features.column_names if name not in BESIDE_THE_INPUTS]
        ).to_list()

    def _forward(self, features: Any) -> tuple[Any, Any, Any]:
        """Answers, their probabilities and the labels' places of all encoded rows, padded with -100."""
        import numpy as np
        import torch
        from tqdm.auto import tqdm
        from transformers.trainer_pt_utils import nested_concat, nested_numpify

        from .batching import token_batches

        rows, lengths = self.inputs_of(features), features["length"][:]
        collate = self.task.kind.collator(self.tokenizer)
        whole: Any = None
        bar = tqdm(total=len(rows), unit="rows", disable=None, leave=False, file=sys.stderr)
        for start, end in token_batches(lengths, self.batch_tokens):
            batch = {name: values.to(self.model.device) for name, values in collate(rows[start:end]).items()}
            labels = batch.pop("labels")
            with torch.inference_mode():
                outputs = self.model(**batch)
            kept = (*self.task.kind.confident(outputs, labels), labels)
            whole = kept if whole is None else nested_concat(whole, kept, padding_index=-100)
            bar.update(end - start)
        bar.close()
        if whole is None:  # texts without anything to say something of
            return np.zeros((0, 1), dtype=np.int64), np.zeros((0, 1)), np.zeros((0, 1), dtype=np.int64)
        predicted, probabilities, labels = (nested_numpify(part) for part in whole)
        return predicted, probabilities, labels


def _folder(run: str | Path, revision: str | None) -> Path:
    """The folder of a run; one from the Hub is downloaded.

    Raises:
        InputError: there is none, or the Hub does not give it.
    """
    from .training.results import RESULTS_FILE

    folder = Path(expanded(run))
    if not folder.is_dir() and str(run).count("/") == 1 and not str(run).startswith((".", "/", "~")):
        from huggingface_hub import snapshot_download

        try:
            patterns = ["*.json", "*.safetensors"]
            folder = Path(snapshot_download(str(run), revision=revision, allow_patterns=patterns))
        except Exception as error:  # of the HTTP client too
            reason = f"{type(error).__name__}: {one_line(error, 200)}"
            raise InputError(f"{run} is no folder here, and the Hub does not give it: {reason}") from error
    if not (folder / RESULTS_FILE).is_file() or not (folder / "config.json").is_file():
        inside = sorted(str(path.parent) for path in folder.glob(f"*/{RESULTS_FILE}"))
        advice = f"give one of {', '.join(inside)}" if inside else f"expected {RESULTS_FILE} and a model in it"
        raise InputError(f"{folder} holds no finished run: {advice}")
    return folder


def main(argv: list[str] | None = None) -> int:
    """Run `dlfa predict` and return its exit code."""
    return guarded(_main, argv)


def _main(argv: list[str], debug: bool) -> None:
    arguments = parser().parse_args(argv)
    if arguments.batch_tokens < 1:
        raise InputError(f"--batch_tokens {arguments.batch_tokens}: expected a positive number")
    output = None if arguments.output is None else Path(expanded(arguments.output))
    for file in (Path(expanded(name)) for name in arguments.files if name != "-"):
        if not file.is_file():
            raise InputError(missing_file(file))
        if output is not None and output.exists() and output.samefile(file):
            raise InputError(f"--output {output}: this is what is to be labelled, give another file")
    if output is not None:
        if output.is_dir():
            raise InputError(f"--output {output}: expected a file, this is a folder")
        check_writable(output.parent, "--output")
        if output.exists() and output.resolve().parent == Path(expanded(arguments.run)).resolve():
            raise InputError(f"--output {output}: this is a file of the run, give another one")
    if not debug:
        quiet_libraries()
    opened = Predictor(arguments.run, arguments.revision, arguments.batch_tokens, arguments.no_answer_threshold)
    kind = opened.task.kind
    form = arguments.format or (output.suffix.removeprefix(".") if output is not None else kind.formats[0])
    if form not in kind.formats:
        raise InputError(f"--format {form}: expected one of {', '.join(kind.formats)} for {opened.task.name}")
    answers: list[dict[str, Any]] = []
    for name in arguments.files:
        rows = opened.of_lines(_standard_input()) if name == "-" else opened.read(Path(expanded(name)))
        answers += opened.answers(*rows)
    for note in opened.notes():
        print(f"note: {note}", file=sys.stderr)
    text = kind.format_answers(opened.task, answers, form)
    if output is None:
        print(text, end="")
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_text(output, text)


def _standard_input() -> list[str]:
    """The lines of standard input, which are UTF-8 whatever the locale says."""
    buffer = getattr(sys.stdin, "buffer", None)  # a stand-in for it may have text alone
    return decoded_lines(sys.stdin.read().encode() if buffer is None else buffer.read(), "standard input")


def parser() -> CommandParser:
    made = CommandParser("dlfa predict", DESCRIPTION, usage="dlfa predict RUN FILE ... [--ARGUMENT VALUE ...]")
    made.add_argument("run", metavar="RUN", help="output folder of a finished run, or the Hub repository of one")
    made.add_argument("files", nargs="+", metavar="FILE", help="what to label; - is standard input")
    made.add_argument("--output", metavar="TEXT", help="file for the answers; default: standard output")
    made.add_argument("--format", metavar="TEXT", help="tsv, csv or jsonl for pairs; conll or jsonl; conllu or jsonl")
    made.add_argument("--revision", metavar="TEXT", help="commit of a Hub repository")
    made.add_argument(
        "--no_answer_threshold", metavar="FLOAT", help="questions that may lack an answer; default: the run's own"
    )
    made.add_argument("--batch_tokens", type=int, default=4096, metavar="INT", help="tokens of a batch")
    made.add_common()
    return made
