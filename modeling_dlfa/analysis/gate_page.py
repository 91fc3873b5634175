"""The page of `dlfa analyse gate`."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..drawing import small_png
from ..modeling_dlfa import gate_start
from ..pages import Picture
from ..tasks.languages import by_family, language_label
from ..training.arguments import layer_name
from ..training.data import EvalSet
from ..training.results import data_name, short_name
from ..wording import interval, signed
from .gate_figures import changes, channels, dots, over_training, spread_of
from .gate_measures import CONSTANT, PLACES, Used, used
from .gate_run import GatedRun, checkpoints, open_gated, weights_of
from .gate_scores import CHANNELS, LEARNT, RESAMPLES, SCALAR, WAYS, Scores, scores
from .page import Page, Part, Sheet


ROWS_OF_TRAINING = 10
"""Sentences of each language that every checkpoint is asked for (our choice)."""

KEEPING = "--keep_checkpoints --save_strategy epoch --save_total_limit N"
"""What a run is given to keep several checkpoints."""

FEWEST = 20
"""Words that a label must have to be named."""

METHOD = (
    "AIF computes w in (0, 1) for every channel of every token, and fuses z = w x + (1 - w) y, x the last layer and y "
    "layer k. What is counted is u = 1 - w, at all tokens but padding; special tokens are among them. Layers differ "
    "in size and the head weighs channels, so that u does not say how much an answer owes to layer k: that is what "
    "holding the gate fast asks.",
    "The part of the variance of u that lies between tokens: the variance over tokens in the same channel, mean over "
    "channels, as a share of that and the variance of the channels' means. 0 % is a gate that asks nothing of the "
    "token.",
    f"Constant is called a gate of whose values, over all tokens and channels, the 5th and the 95th percentile are "
    f"closer than {CONSTANT} (our choice).",
    "A gate that is held fast has the same w at every token. Its means are those of the tokens looked at here; labels "
    "have no part in them. Nothing is trained again, so that head and encoder still expect the gate that they learnt "
    "with: a loss shows that this model relies on its gate, not that one trained without would be worse. Scores are "
    "made as those of every run.",
    f"Intervals of changes: 95 %, {RESAMPLES:,} draws of the sentences, the same for both. They say what other "
    "sentences would do, not what another seed would.",
)


def gate_page(arguments: argparse.Namespace) -> Page:
    """Look at the gate of a run, and score the run with its gate held fast.

    Raises:
        InputError: there is no finished run, it has no gate, or the data cannot be used.
    """
    run = open_gated(
        arguments.model,
        arguments.data,
        arguments.languages,
        arguments.eval_split,
        arguments.max_samples,
        arguments.output_dir,
    )
    found = used(run, run.sets)
    scored = scores(run, found)
    return _Said(run, found, scored).page(arguments)


class _Said:
    """What is said of a run's gate.

    Attributes:
        layer: "layer 8".
        names: language -> how it is called, in the order of the tables.
    """

    def __init__(self, run: GatedRun, found: Used, scored: Scores):
        self.run, self.found, self.scored = run, found, scored
        k = run.results.fusion_layer
        self.layer = f"layer {layer_name(k)}" if k is not None else "the lower layer"
        ordered = [code for codes in by_family(run.sets).values() for code in codes]
        self.names = {code: language_label(code, run.results.train_language) for code in ordered}
        self.share = f"share of {self.layer}, u = 1 − w"

    def page(self, arguments: argparse.Namespace) -> Page:
        run = self.run
        analysed = {
            "run": short_name(arguments.model),
            "task": run.task.name,
            "model": run.results.model_name,
            "trained": str(run.results.training.get("train", "all")),
            "data": f"{data_name(arguments.data)}, {arguments.eval_split or run.results.eval_split}",
            "languages": f"{len(run.sets)}",
            "sentences of each": f"at most {arguments.max_samples}",
            "tokens": f"{self.found.count:,}",
        }
        parts = [self._where(), self._channels(), self._training(), self._held()]
        summary = [self.in_short(), *self._begun(), self._of_languages(), *self._of_words(), *self._of_scores()]
        warning = "This is one run: another seed may use its gate otherwise."
        return Page(f"The gate of {analysed['run']}", analysed, [*summary, warning], parts, METHOD)

    # -----------------------------------------------------------------------------------------------------------------
    # Sentences
    # -----------------------------------------------------------------------------------------------------------------

    def in_short(self) -> str:
        """The first sentence: whether the gate is constant, and what it is."""
        found = self.found
        ends = f"{found.quantile(0.05):.3f} to {found.quantile(0.95):.3f}"
        if found.is_constant:
            return (
                f"The gate is constant: nine tenths of its values over all tokens and channels lie within "
                f"{found.spread:.3f} (constant is called what is below {CONSTANT}); {self.layer} has a share of "
                f"{found.mean:.3f} everywhere."
            )
        return (
            f"The gate gives {self.layer} a share of {found.mean:.3f} on average and is not constant: nine tenths of "
            f"its values over tokens and channels lie from {ends}; {100 * found.dynamic:.0f} % of their variance lies "
            "between tokens in the same channel, the rest between channels, whatever the token."
        )

    def _of_languages(self) -> str:
        means = {code: float(values.mean()) for code, values in self.found.tokens.items()}
        least, most = min(means, key=means.__getitem__), max(means, key=means.__getitem__)
        within = float(np.mean([np.std(values) for values in self.found.tokens.values()]))
        if len(means) == 1:
            return f"Looked at in one language, {self.names[least]}."
        return (
            f"Languages: from {means[least]:.3f} ({self.names[least]}) to {means[most]:.3f} ({self.names[most]}); "
            f"tokens of one language differ by {within:.3f} (SD, means over channels)."
        )

    def _of_words(self) -> list[str]:
        places = self._places()
        said = "; ".join(f"{name} {mean:.3f}" for name, (_, mean, _) in places.items())
        sentences = [f"Places in a word: {said}."]
        labels = {label: mean for label, (_, mean, _) in self._labels().items()}
        if len(labels) > 1:
            least, most = min(labels, key=labels.__getitem__), max(labels, key=labels.__getitem__)
            sentences.append(f"Labels: from {labels[least]:.3f} ({least}) to {labels[most]:.3f} ({most}).")
        return sentences

    def _of_scores(self) -> list[str]:
        scored, metric = self.scored, self.run.task.metric
        codes = scored.asked
        alone = self.run.results.train_language in codes
        over = "in the training language" if alone else f"on average over {counted(len(codes), 'other language')}"
        told = []
        for way in WAYS:
            change = scored.change(way.name)
            lower = sum(scored.by_way[way.name][code] < scored.by_way[LEARNT][code] for code in codes)
            sure = "" if change.clear else ", not told apart from none"
            told.append(
                f"at w = {way.title}, by {signed(change.mean)} ({interval(change.low, change.high)}{sure}; lower in "
                f"{lower} of {len(codes)})"
            )
        first = f"Held fast, the gate moves {metric}, {scored.average(LEARNT):.1f} {over}: {'; '.join(told)}."
        dynamic, by_channel = scored.change(CHANNELS.name), scored.change(SCALAR.name)
        if not dynamic.clear:
            second = (
                "Of what the gate does from token to token a difference is not seen in the scores (change of "
                f"{interval(dynamic.low, dynamic.high)} at its means by channel)."
            )
        elif dynamic.mean < 0:
            second = f"What the gate does from token to token is worth {-dynamic.mean:.1f} points to this model."
        else:
            second = f"What the gate does from token to token costs this model {dynamic.mean:.1f} points."
        if not dynamic.clear and not by_channel.clear:
            second = (
                "Neither what the gate does from token to token nor from channel to channel is seen in the scores."
            )
        return [first, second]

    # -----------------------------------------------------------------------------------------------------------------
    # Parts
    # -----------------------------------------------------------------------------------------------------------------

    def _places(self) -> dict[str, tuple[float, float, float]]:
        of_places, of_tokens = self.found.of_places, self.found.of_tokens
        there = {name: of_tokens[of_places == number] for number, name in enumerate(PLACES)}
        return {name: spread_of(values) for name, values in there.items() if len(values)}

    def _labels(self) -> dict[str, tuple[float, float, float]]:
        """Of the labels with words enough, in the order of the task."""
        found = self.found.labelled
        return {
            label: spread_of(found[label]) for label in self.run.task.labels if len(found.get(label, ())) >= FEWEST
        }

    def _where(self) -> Part:
        found = self.found
        languages = {self.names[code]: spread_of(found.tokens[code]) for code in self.names}
        panels = {"languages": languages, "places in a word": self._places()}
        if labels := self._labels():
            panels["labels"] = labels
        picture = Picture(
            "where.png",
            "Means over tokens and channels; bars from the 10th to the 90th percentile of the tokens (means over "
            "channels); dashed: the mean of everything. * training language.",
            small_png(dots(panels, self.share, found.mean)),
        )
        rows = [
            {"what": what, "name": name, "mean": mean, "low": low, "high": high}
            for what, of_panel in panels.items()
            for name, (low, mean, high) in of_panel.items()
        ]
        rare = len(found.labelled) - len(labels)
        notes = [f"{rare} labels with fewer than {FEWEST} words are left out."] if rare else []
        table = Sheet("where.csv", "Languages, places, labels", rows, 3, notes, text_columns=2, shown=False)
        return Part("where", "Where", [self._of_languages(), *self._of_words(), *notes], [], [picture], [table])

    def _channels(self) -> Part:
        found = self.found
        means, deviations = found.channels, found.deviations
        low, high = np.quantile(means, (0.05, 0.95))
        said = (
            f"Of {len(means)} channels nine tenths have means from {low:.3f} to {high:.3f}; within a channel tokens "
            f"differ by {float(np.mean(deviations)):.3f} (SD, mean over channels)."
        )
        picture = Picture(
            "channels.png",
            "Left: every channel's mean over tokens, sorted, with one standard deviation; right: all values.",
            small_png(channels(means, deviations, np.asarray(found.histogram), "u = 1 − w")),
        )
        rows = [
            {"channel": channel, "mean": means[channel], "deviation": deviations[channel]}
            for channel in range(len(means))
        ]
        return Part(
            "channels", "Channels", [said], [], [picture], [Sheet("channels.csv", "Channels", rows, shown=False)]
        )

    def _training(self) -> Part:
        title, begun = "Over training", self._begun()
        kept = checkpoints(self.run.folder)
        if len(kept) < 2:
            count, advice = ("one checkpoint", f"{KEEPING} keeps more") if kept else ("no checkpoints", KEEPING)
            nothing = f"The run has kept {count} ({advice}): what lies between is not known."
            return Part("training", title, [*begun, nothing])
        few = few_rows(self.run.sets)
        rows = []
        for step, path in kept.items():
            with weights_of(self.run.model, path):
                found = used(self.run, few)
            low, mean, high = spread_of(found.of_tokens)
            of_step = {"step": step, "mean": mean, "low": low, "high": high, "spread": found.spread}
            rows.append({**of_step, "between_tokens": 100 * found.dynamic})
        first, last = rows[0], rows[-1]
        said = (
            f"From step {first['step']} to step {last['step']} the share of {self.layer} goes from "
            f"{first['mean']:.3f} to {last['mean']:.3f}, the spread of its values (5th to 95th percentile) from "
            f"{first['spread']:.3f} to {last['spread']:.3f}."
        )
        spreads = [(row["low"], row["mean"], row["high"]) for row in rows]
        caption = f"The first {ROWS_OF_TRAINING} sentences of every language at each checkpoint that was kept."
        picture = Picture("training.png", caption, small_png(over_training(list(kept), spreads, "u = 1 − w")))
        notes = ["low, high: of the tokens' means, 10th and 90th percentile; between tokens: percent of the variance."]
        table = Sheet("training.csv", "Checkpoints", rows, 3, notes)
        return Part("training", title, [*begun, said], [], [picture], [table])

    def _begun(self) -> list[str]:
        """Where the gate started; nothing of one that was learnt in a stage before and carried over."""
        logit, stages = gate_start(self.run.model.config), self.run.results.intermediate
        if logit is None or (stages and stages[-1].get("fusion_carried")):
            return []
        return [f"Before training the share is {1 / (1 + math.exp(logit)):.3f} at every token and channel."]

    def _held(self) -> Part:
        scored = self.scored
        ways = {LEARNT: "as it was learnt", **{way.name: way.title for way in WAYS}}
        table = []
        for name, title in ways.items():
            row = {"w": title, "average": scored.average(name)}
            change = scored.change(name) if name != LEARNT else None
            row |= {"change": change and change.mean, "low": change and change.low, "high": change and change.high}
            table.append(row)
        languages = [
            {"language": self.names[code], **{name: scored.by_way[name][code] for name in ways}} for code in self.names
        ]
        picture = Picture(
            "held.png",
            f"{self.run.task.metric} with the gate held fast, less that of the learnt gate; without intervals.",
            small_png(changes(scored, self.names)),
        )
        others = self.run.results.train_language not in scored.asked
        over = "all languages but the training language" if others else "the training language alone"
        note = f"Average: {over}. low, high: 95 % interval of the change over sentences."
        return Part(
            "held",
            "The gate held fast",
            self._of_scores(),
            ["Nothing is trained again: a loss shows what this model relies on, not what another would need."],
            [picture],
            [
                Sheet("held.csv", "Averages", table, 1, [note]),
                Sheet("held_languages.csv", "Languages", languages, 1, shown=False),
            ],
        )


def counted(number: int, what: str) -> str:
    """ "1 other language", "41 other languages"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def few_rows(sets: Mapping[str, EvalSet], rows: int = ROWS_OF_TRAINING) -> dict[str, EvalSet]:
    """The encoded rows of the first sentences of every language."""

    def few(one: EvalSet) -> EvalSet:
        places = [place for place, sentence in enumerate(one.features["sentence"][:]) if sentence < rows]
        return replace(one, features=one.features.select(places))

    return {language: few(one) for language, one in sets.items()}
