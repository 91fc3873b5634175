"""An embedded sample of the tasks in ten languages, generated from a grammar for each.

What it is for: a first run, tests and examples without a download. What it is *not*: a benchmark. The sentences are
generated from some 200 concepts and about a dozen patterns; the test sets are parallel over the languages; tags, trees
and labels follow from the meaning, so there is no annotation noise. Scores are far above those on real text, and
differences between methods on it say little. Sentences are grammatical in each language, not always sensible.

English has training, validation and test rows, every other language test rows. About a third of the vocabulary occurs
in validation and test only. Classification rows hold `sentence1, sentence2, label`, those of "xcopa" `prompt, choices,
label`, tagging rows `tokens, tags`, and the rows of "uddep" `tokens, upos, heads, relations`: the sentences of "udpos"
with their trees (see grammar.py). Questions hold `id, context, question, answers`, as SQuAD's.
"""

import random
from collections.abc import Callable
from functools import cache
from typing import Any

from ...errors import InputError
from . import pairs, questions, tagging
from .chinese import Chinese
from .drawing import Draw
from .english import English
from .frames import Fragment, Sentence
from .french import French
from .german import German
from .grammar import Grammar, Token
from .hindi import Hindi
from .indonesian import Indonesian
from .japanese import Japanese
from .russian import Russian
from .spanish import Spanish
from .turkish import Turkish


Frame = tuple[Sentence | Fragment, ...]

_GRAMMARS: dict[str, Grammar] = {
    grammar.code: grammar
    for grammar in (
        English(), German(), Spanish(), French(), Hindi(), Indonesian(), Japanese(), Russian(), Turkish(), Chinese(),
    )
}  # fmt: skip
LANGUAGES = tuple(_GRAMMARS)
TRAIN_LANGUAGE = "en"
SIZES = {
    "xnli": {"train": 1000, "validation": 100, "test": 100},
    "pawsx": {"train": 1000, "validation": 100, "test": 100},
    "panx": {"train": 600, "validation": 100, "test": 100},
    "udpos": {"train": 600, "validation": 100, "test": 100},
    "uddep": {"train": 600, "validation": 100, "test": 100},
    "xcopa": {"train": 1000, "validation": 100, "test": 100},
    **{name: {"train": 600, "validation": 100, "test": 100} for name in ("xquad", "mlqa", "tydiqa")},
}
PARALLEL = {
    "tatoeba": {"test": {"pairs": 150}},
    "bucc2018": {
        "validation": {"pairs": 30, "foreign": 60, "english": 70},
        "test": {"pairs": 50, "foreign": 100, "english": 120},
    },
}
"""Task whose sentences are compared with English ones -> split -> how many translate each other, and how many are
alone on either side."""
# Share of held-out concepts in validation and test. Names look alike in all Latin scripts, so that known ones could be
# looked up: in panx most are new.
_SENTENCES_OF = {"uddep": "udpos"}  # tasks that have the sentences of another
_HELD_OUT = dict.fromkeys(SIZES, 0.4) | {"panx": 0.85}
_LABELS = {"xnli": ("entailment", "neutral", "contradiction"), "pawsx": ("0", "1"), "xcopa": ("0", "1")}
_LABELLED: dict[str, Callable[[Draw, str], tuple[Sentence, ...]]] = {
    "xnli": pairs.inference,
    "pawsx": pairs.paraphrase,
    "xcopa": pairs.choice,
}
_QUESTIONS = ("xquad", "mlqa", "tydiqa")


def languages(split: str) -> tuple[str, ...]:
    """The languages that have the split "train", "validation" or "test"."""
    _check(split, tuple(SIZES["udpos"]), "split")
    return LANGUAGES if split == "test" else (TRAIN_LANGUAGE,)


def rows(task_name: str, split: str, language: str) -> list[dict[str, Any]]:
    """The rows of a task, the same in every process.

    Args:
        task_name: one of `SIZES`.
        split: "train", "validation" (both English only) or "test". Row *i* of a test set means the same in every
            language.
        language: one of `languages(split)`.

    Returns:
        `{"sentence1", "sentence2", "label"}`, `{"prompt", "choices", "label"}`, `{"tokens", "tags"}`,
        `{"tokens", "upos", "heads", "relations"}` or `{"id", "context", "question", "answers"}` for each row. Heads
        are numbered from 1, 0 is the root; relations are those of Universal Dependencies 2 without subtypes. Row *i*
        of "uddep" is the sentence of row *i* of "udpos".

    Raises:
        InputError: the sample has no such task, split or language.
    """
    _check(task_name, tuple(SIZES), "task")
    _check(language, languages(split), f"language for the split {split!r}")
    grammar = _GRAMMARS[language]
    frames = _frames(_SENTENCES_OF.get(task_name, task_name))[split]
    made = [_row(task_name, grammar, frame, label) for frame, label in frames]
    if task_name in _QUESTIONS:
        return [{"id": f"{language}-{split}-{number}", **row} for number, row in enumerate(made)]
    return made


def parallel(task_name: str, split: str, language: str) -> list[dict[str, Any]]:
    """Sentences of a language and of English, the same in every process.

    Args:
        task_name: "tatoeba" or "bucc2018".
        split: "test", of "bucc2018" also "validation".
        language: one of `LANGUAGES` but English.

    Returns:
        `{"sentence1", "sentence2"}` for each row, the second English; of "bucc2018" one row of two lists, with
        `gold`, the pairs of places in them, from 1 on, that translate each other.

    Raises:
        InputError: the sample has no such task, split or language.
    """
    _check(task_name, tuple(PARALLEL), "task of parallel sentences")
    _check(split, tuple(PARALLEL[task_name]), f"split of {task_name}")
    _check(language, tuple(code for code in LANGUAGES if code != TRAIN_LANGUAGE), f"language for {task_name}")
    sizes = PARALLEL[task_name][split]
    grammars = _GRAMMARS[language], _GRAMMARS[TRAIN_LANGUAGE]
    frames = _parallel_frames(task_name, split)
    shared, alone = frames[: sizes["pairs"]], frames[sizes["pairs"] :]
    if task_name == "tatoeba":
        return [{f"sentence{side}": _text(one, frame) for side, one in enumerate(grammars, 1)} for frame in shared]
    corpora = [shared + alone[: sizes["foreign"]], shared + alone[sizes["foreign"] :]]
    shuffled = [
        random.Random(f"{task_name} {split} {side}").sample(range(len(corpus)), len(corpus))
        for side, corpus in enumerate(corpora)
    ]
    texts = [
        [_text(grammar, corpus[place]) for place in places]
        for grammar, corpus, places in zip(grammars, corpora, shuffled, strict=True)
    ]
    gold = [[places.index(number) + 1 for places in shuffled] for number in range(sizes["pairs"])]
    return [{"sentence1": texts[0], "sentence2": texts[1], "gold": gold}]


@cache
def _parallel_frames(task_name: str, split: str) -> list[Sentence]:
    """As many sentences as a split has in all; no two are alike in any language."""
    draw = Draw(f"{task_name} {split}", held_out=_HELD_OUT["udpos"])
    seen: dict[str, set[str]] = {code: set() for code in LANGUAGES}
    drawn: list[Sentence] = []
    while len(drawn) < sum(PARALLEL[task_name][split].values()):
        frame = tagging.speech(draw)
        texts = {code: _text(grammar, frame) for code, grammar in _GRAMMARS.items()}
        if all(text not in seen[code] for code, text in texts.items()):
            drawn.append(frame)
            for code, text in texts.items():
                seen[code].add(text)
    return drawn


def _text(grammar: Grammar, sentence: Sentence) -> str:
    return grammar.text(grammar.sentence(sentence))


def _check(value: str, choices: tuple[str, ...], what: str) -> None:
    if value not in choices:
        raise InputError(f"the sample has no {what} {value!r}; there is {', '.join(choices)}")


def _row(task_name: str, grammar: Grammar, frame: Frame, label: str) -> dict[str, Any]:
    if task_name in _LABELLED:
        first, *others = (grammar.text(_tokens(grammar, sentence)) for sentence in frame)
        if task_name == "xcopa":
            return {"prompt": first, "choices": others, "label": label}
        return {"sentence1": first, "sentence2": others[0], "label": label}
    if task_name in _QUESTIONS:
        sentences = [sentence for sentence in frame if isinstance(sentence, Sentence)]
        asked = questions.asked(grammar, sentences, int(label))
        answers = {"text": [asked.answer], "answer_start": [asked.start]}
        return {"context": asked.context, "question": asked.question, "answers": answers}
    tokens = _tokens(grammar, frame[0])
    if task_name == "uddep":
        return {
            "tokens": [token.form for token in tokens],
            "upos": [token.upos for token in tokens],
            "heads": [number + token.head if token.head else 0 for number, token in enumerate(tokens, start=1)],
            "relations": [token.relation for token in tokens],
        }
    tags = [token.upos if task_name == "udpos" else token.entity for token in tokens]
    return {"tokens": [token.form for token in tokens], "tags": tags}


def _tokens(grammar: Grammar, sentence: Sentence | Fragment) -> list[Token]:
    return grammar.fragment(sentence) if isinstance(sentence, Fragment) else grammar.sentence(sentence)


@cache
def _frames(task_name: str) -> dict[str, list[tuple[Frame, str]]]:
    """The frames and labels of all splits of a task. None is drawn twice, as far as its English shows."""
    english = _GRAMMARS[TRAIN_LANGUAGE]
    seen: set[str] = set()
    splits: dict[str, list[tuple[Frame, str]]] = {}
    for split, size in SIZES[task_name].items():
        # The seed does not name the language: that is what makes the test sets parallel.
        draw = Draw(f"{task_name} {split}", held_out=_HELD_OUT[task_name] if split != "train" else 0)
        drawn: list[tuple[Frame, str]] = []
        while len(drawn) < size:
            frame, label = _draw(task_name, draw, len(drawn))
            texts = [english.text(_tokens(english, sentence)) for sentence in frame]
            if seen.isdisjoint(texts) and len(set(texts)) == len(texts):
                seen.update(texts)
                drawn.append((frame, label))
        draw.random.shuffle(drawn)
        splits[split] = drawn
    return splits


def _draw(task_name: str, draw: Draw, index: int) -> tuple[Frame, str]:
    if task_name in _LABELLED:
        label = _LABELS[task_name][index % len(_LABELS[task_name])]
        return _LABELLED[task_name](draw, label), label
    if task_name in _QUESTIONS:
        return questions.facts(draw), str(index % questions.FACTS)
    return ((tagging.speech if task_name == "udpos" else tagging.names)(draw),), ""
