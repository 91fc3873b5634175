"""What a page shows of a run: its answer to what was typed, how much of the lower layer it used, and examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..data import sample
from ..errors import InputError
from ..predict import Predictor
from ..tasks.kinds.shown import Field, Picture
from ..tasks.languages import language_name
from ..tasks.task import Task
from ..tasks.words import word_numbers
from ..training.arguments import layer_name
from ..training.model import has_sharing_gate


ROWS_OF_GATE = 4
"""Encoded rows of a text whose gate is shown (our choice)."""

EXAMPLES = 2
"""For each language of the sample."""


@dataclass(frozen=True)
class GatedWord:
    """A word as the encoder reads it, and how much of layer k is used there: 1 - w, mean over pieces and channels."""

    text: str
    used: float


@dataclass(frozen=True)
class Seen:
    """What a run makes of a text.

    Attributes:
        picture: its answer.
        gate: rows of words; empty where the fusion has no gate that shares between two layers.
        layer: k, as tables write it.
        note: what is to be said of a text that was too long.
    """

    picture: Picture
    gate: tuple[tuple[GatedWord, ...], ...]
    layer: str
    note: str


@dataclass(frozen=True)
class Example:
    """Something to ask: its name, and one string for each field."""

    name: str
    typed: tuple[str, ...]


class DemoRun:
    """A finished run, opened.

    Attributes:
        run: its folder, as it was given.
        name: how the page calls it.
        task: what it answers.
        fields: what is typed.
    """

    def __init__(self, run: str):
        self.run = run
        self.opened = Predictor(run)
        self.task: Task = self.opened.task
        self.fields: tuple[Field, ...] = self.task.kind.fields(self.task)
        self.name = self.opened.results.model_name

    def seen(self, typed: Sequence[str]) -> Seen:
        """What the run makes of a text.

        Args:
            typed: one string for each of `fields`.

        Raises:
            InputError: it cannot be used.
        """
        opened, kind = self.opened, self.task.kind
        opened.full = 0
        columns, known = kind.from_texts(self.task, [self.asked(typed)], opened.tokenizer)
        (answer,) = opened.answers(columns, known)
        layer = self.opened.results.fusion_layer
        return Seen(
            picture=kind.picture(self.task, typed, answer),
            gate=self._gate(columns),
            layer="" if layer is None else str(layer_name(layer)),
            note="; ".join(opened.notes()),
        )

    def asked(self, typed: Sequence[str]) -> str | tuple[str, ...]:
        """The text as `predict` takes it; InputError where something is empty."""
        return self.task.kind.asked(self.task, typed)

    def _gate(self, columns: Mapping[str, list]) -> tuple[tuple[GatedWord, ...], ...]:
        if not has_sharing_gate(self.opened.model):
            return ()
        import torch
        from datasets import Dataset

        opened, kind, recipe = self.opened, self.task.kind, self.opened.results.training
        rows = Dataset.from_dict(dict(columns), features=kind.features(self.task))
        encoded = kind.encode(self.task, rows, opened.tokenizer, recipe["max_length"], recipe["label_piece"])
        inputs = opened.inputs_of(encoded)
        batch: dict[str, torch.Tensor] = kind.collator(opened.tokenizer)(inputs[:ROWS_OF_GATE])
        batch = {name: values.to(opened.model.device) for name, values in batch.items() if name != "labels"}
        with torch.inference_mode():
            gate = opened.model(**batch, output_fusion=True).gate  # (B, T, E), of choices (B * C, T, E)
        used = 1 - gate.float().mean(dim=-1)
        length = used.shape[-1]
        both = zip(batch["input_ids"].view(-1, length), batch["attention_mask"].view(-1, length).bool(), used)
        return tuple(self._words(ids[real].tolist(), shares[real].tolist()) for ids, real, shares in both)

    def _words(self, ids: list[int], used: list[float]) -> tuple[GatedWord, ...]:
        tokenizer: Any = self.opened.tokenizer
        words: dict[int, list[int]] = {}
        for place, number in enumerate(word_numbers(ids, tokenizer)):
            if number is not None:
                words.setdefault(number, []).append(place)
        tokens = tokenizer.convert_ids_to_tokens(ids)
        return tuple(
            GatedWord(
                tokenizer.convert_tokens_to_string([tokens[place] for place in places]).strip(),
                sum(used[place] for place in places) / len(places),
            )
            for places in words.values()
        )


def open_runs(runs: Sequence[str]) -> list[DemoRun]:
    """One or two runs, with names that tell them apart.

    Raises:
        InputError: a folder holds none, its kind does not label texts, or the two are asked different things.
    """
    found = [DemoRun(run) for run in runs]
    asked = [", ".join(field.label for field in one.fields) for one in found]
    if len(set(asked)) > 1:
        raise InputError(f"{runs[0]} is asked for {asked[0]}, {runs[1]} for {asked[1]}: expected runs asked the same")
    names = [one.name for one in found]
    if len({one.task.name for one in found}) > 1:
        names = [f"{one.task.name}: {one.name}" for one in found]
    if len(set(names)) < len(names):
        names = [f"{one.run}: {name}" for one, name in zip(found, names, strict=True)]
    if len(set(names)) < len(names):
        raise InputError(f"{runs[1]}: this is the same run twice")
    for one, name in zip(found, names, strict=True):
        one.name = name
    return found


def snippet(runs: Sequence[DemoRun], typed: Sequence[str]) -> str:
    """Lines of Python that ask the same; InputError where something is empty."""
    folders = ", ".join(repr(run.run) for run in runs)
    return (
        "from modeling_dlfa import predict\n\n"
        f"asked = {runs[0].asked(typed)!r}\n"
        f"for run in [{folders}]:\n"
        "    (answer,) = predict(run, [asked])\n"
        "    print(answer)\n"
    )


def examples(task: Task) -> list[Example]:
    """Rows of the embedded sample in each of its languages: of the task, or of one of the same kind.

    Of long ones, the same in all languages.
    """
    folder = task.folder if task.folder in sample.SIZES else task.kind.sample_folder
    if not folder:
        return []
    places = None
    found = []
    for language in sample.LANGUAGES:
        rows = sample.rows(folder, "test", language)
        texts = [task.kind.typed(task, row) for row in rows]
        if places is None:
            by_length = sorted(range(len(texts)), key=lambda place: sum(map(len, texts[place])))
            places = by_length[-EXAMPLES - 2 : -2]
        for number, place in enumerate(places, start=1):
            found.append(Example(f"{language_name(language)} {number}: {texts[place][0]}", texts[place]))
    return [replace(one, name=on_one_line(one.name)) for one in found]


def on_one_line(name: str, limit: int = 90) -> str:
    """A name of at most so many characters."""
    line = " ".join(name.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
