"""How hard a task is, as a number: the error that is left after training, and the code length of the labels.

Both look at data of the training language alone.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from datasets import Dataset, disable_progress_bars
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from ..errors import InputError
from ..known_states import KnownStates
from ..modeling_dlfa import DLFAPreTrainedModel
from ..tasks.encoding import IGNORED
from ..tasks.kinds.probe import Probe
from ..tasks.task import Task
from ..training.arguments import RunArguments
from ..training.data import encoded, load_rows, open_tokenizer
from ..training.model import build_model, plain_baseline
from ..vectors import FUSED
from .known import KnownSentence, known_layers


def relative_error(score: float, majority: float) -> float:
    """The error of a fitted model, relative to that of always the most frequent answer (our choice).

    It is 1 less the usual relative reduction of error: 0 for a task that is solved, 1 where nothing was learnt that
    the frequencies do not say, more where the model does worse than they.

    Args:
        score, majority: in percent, of the same metric on the same data, such as `RunResults.development_score` and
            `RunResults.development_majority`.

    Raises:
        InputError: the most frequent answer is always right, so that there is nothing to compare with.
    """
    if majority >= 100:
        raise InputError(f"relative error: the most frequent answer scores {majority:g}, expected less than 100")
    return (100 - score) / (100 - majority)


# ---------------------------------------------------------------------------------------------------------------------
# Prequential code length
# ---------------------------------------------------------------------------------------------------------------------

# Where portions of the training data end, in percent (Voita and Titov 2020).
PORTIONS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25, 50, 100)


@dataclass(frozen=True)
class Portion:
    """One portion of the training data.

    Attributes:
        sentences: sentences or pairs in it.
        labels: labels that were coded: words, or pairs.
        bits: length of their code, the choice of the stop included.
        uniform_bits: length of the code that takes all answers for equally likely.
        epochs: after how many epochs the probe was stopped; 0: the uniform code was used.
    """

    sentences: int
    labels: int
    bits: float
    uniform_bits: float
    epochs: int


@dataclass(frozen=True)
class CodeLength:
    """The code length of a task's training labels, given a frozen encoder's states.

    Attributes:
        task, encoder: names, the encoder's as it was given.
        seed: of the order of the sentences and of the probes.
        probe: how they were trained.
        portions: in the order in which they were coded.
    """

    task: str
    encoder: str
    seed: int
    probe: Probe
    portions: tuple[Portion, ...]

    @property
    def bits(self) -> float:
        """Length of the whole code."""
        return sum(portion.bits for portion in self.portions)

    @property
    def labels(self) -> int:
        """Words or pairs that were coded; a word of a tree, its head and relation together, counts once."""
        return sum(portion.labels for portion in self.portions)

    @property
    def bits_per_label(self) -> float:
        """The measure: bits per word or pair."""
        return self.bits / self.labels

    @property
    def uniform_bits(self) -> float:
        """Length of the code that takes all answers for equally likely."""
        return sum(portion.uniform_bits for portion in self.portions)

    @property
    def compression(self) -> float:
        """How many times shorter the code is than the uniform one."""
        return self.uniform_bits / self.bits

    def as_dict(self) -> dict[str, Any]:
        """The attributes and what follows from them, as it comes back from a JSON file."""
        names = ("bits", "labels", "bits_per_label", "uniform_bits", "compression")
        return json.loads(json.dumps({**asdict(self), **{name: getattr(self, name) for name in names}}))


def code_length(arguments: RunArguments, seed: int = 0, probe: Probe | None = None) -> CodeLength:
    """Prequential (online) code length of the training labels: MDL probing, Voita and Titov 2020, arXiv 2003.12298.

    The training data are sent in portions. The first is coded uniformly; each other one with the probabilities of a
    probe that was trained on everything before it. A task is hard where the labels stay surprising, or where it takes
    many of them until they are not.

    The probe is the head that a run would train, with the same weights at the start for every portion, on the last
    layer of the frozen encoder, without fusion. Portions are of whole sentences in random order: tasks made from the
    same sentences see the same portions. A word of a tree costs -log2 p(head) - log2 p(relation | right head).

    Where Voita and Titov stop the training of a probe by development data, here the sender tries all stops, takes the
    one with the shortest code of the portion, and says which (our choice): log2 of their number more bits for each
    portion. The uniform code is one of them, because a probe of a few sentences can be worse than none.

    Args:
        arguments: of a run on the task: training data, their limits and controls, encoder, pooling, `max_length`.
            Nothing but training and development data of the training language is read; what is cut off a sentence
            is not coded.
        seed: decides the order of sentences and batches, the head's weights at the start and dropout.
        probe: how to train; default: that of the task's kind.

    Raises:
        InputError: data or encoder cannot be had.
    """
    disable_progress_bars()
    tokenizer = open_tokenizer(arguments)
    rows = load_rows(replace(arguments, languages=arguments.train_language, eval_split="validation"))
    task = rows.task
    probe = probe or task.kind.probe
    if probe is None:
        raise task.kind.cannot(task, "a code length")
    features = encoded(task, rows.train, tokenizer, arguments)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = build_model(replace(plain_baseline(arguments), carry_fusion=False), task).float()
        model.to("cuda" if torch.cuda.is_available() else "cpu")
        sentences = known_sentences(model, task, features, tokenizer)
        model.dlfa.encoder = KnownStates(model.config.encoder_config)  # what is left to train is the head
        portions = online_code(model, task, sentences, seed, probe)
    return CodeLength(task.name, arguments.model_name_or_path, seed, probe, tuple(portions))


def known_sentences(
    model: DLFAPreTrainedModel,
    task: Task,
    features: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    batch_size: int = 32,
) -> list[KnownSentence]:
    """Run everything through the encoder once; arguments as `known_layers`, of which it is the last layer.

    Args:
        model: with encoder, without fusion.
    """
    return known_layers(model, task, features, tokenizer, [FUSED], batch_size)[FUSED]


def portion_ends(sentences: int) -> list[int]:
    """Where the portions end, in sentences: strictly ascending, the last end is the number of sentences.

    Ends are rounded. Portions that would be empty, as the first of little data, are left out.
    """
    return sorted({max(1, round(sentences * percent / 100)) for percent in PORTIONS})


def online_code(
    model: DLFAPreTrainedModel, task: Task, sentences: Sequence[KnownSentence], seed: int, probe: Probe
) -> list[Portion]:
    """The portions of a prequential code.

    Args:
        model: a head that reads `KnownStates`; its weights are where every probe starts.
    """
    order = np.random.default_rng(seed).permutation(len(sentences))
    shuffled = [sentences[place] for place in order]
    start = {name: weights.clone() for name, weights in model.state_dict().items()}
    portions: list[Portion] = []
    done = 0
    for end in portion_ends(len(shuffled)):
        portion = shuffled[done:end]
        uniform = sum(uniform_bits(task, sentence) for sentence in portion)
        codes = {0: uniform}
        if done:
            model.load_state_dict(start)
            for epochs in train_probe(model, task, shuffled[:done], seed, probe):
                codes[epochs] = probe_bits(model, task, portion, probe.batch_size)
        epochs = min(codes, key=codes.__getitem__)
        labels = sum(_labels(sentence) for sentence in portion)
        portions.append(Portion(len(portion), labels, codes[epochs] + math.log2(len(codes)), uniform, epochs))
        done = end
    return portions


def train_probe(
    model: DLFAPreTrainedModel, task: Task, sentences: Sequence[KnownSentence], seed: int, probe: Probe
) -> Iterator[int]:
    """Train a head that reads `KnownStates`, and hand it out at every stop: the number of epochs so far."""
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=probe.learning_rate)
    for epochs in range(1, max(probe.stops) + 1):
        model.train()
        batches = by_length([sentences[place] for place in draw.permutation(len(sentences))], probe.batch_size)
        for place in draw.permutation(len(batches)):
            optimizer.zero_grad()
            model(**head_inputs(task, batches[place])).loss.backward()
            optimizer.step()
        if epochs in probe.stops:
            yield epochs


@torch.no_grad()
def probe_bits(
    model: DLFAPreTrainedModel, task: Task, sentences: Sequence[KnownSentence], batch_size: int = 32
) -> float:
    """The sum of -log2 p over all labels of some sentences, without dropout."""
    model.eval()
    nats = 0.0
    for batch in by_length(sentences, batch_size):
        nats += model(**head_inputs(task, batch), num_items_in_batch=1).loss.item()  # over one item: the sum
    return nats / math.log(2)


def by_length(sentences: Sequence[KnownSentence], batch_size: int) -> list[list[KnownSentence]]:
    """Batches with little padding, from short to long; sentences of the same length stay in their order."""
    ordered = sorted(sentences, key=lambda sentence: len(sentence.labels))
    return [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]


def uniform_bits(task: Task, sentence: KnownSentence) -> float:
    """Bits of a sentence's labels where all answers are equally likely.

    A label of C costs log2 C; a head among W words costs log2 (W + 1) more, because the parser chooses among all of
    them and the root.
    """
    return _labels(sentence) * math.log2(task.kind.possible_answers(task, len(sentence.labels)))


def _labels(sentence: KnownSentence) -> int:
    """Words or pairs with a label."""
    gold = sentence.labels if sentence.labels.dim() == 1 else sentence.labels[:, 0]
    return int((gold != IGNORED).sum())


def head_inputs(task: Task, sentences: Sequence[KnownSentence]) -> dict[str, Any]:
    """What a model that reads `KnownStates` takes: a padded batch, in which each word is a token."""
    states = pad_sequence([sentence.states for sentence in sentences], batch_first=True)  # (B, W, E)
    labels = pad_sequence([sentence.labels for sentence in sentences], batch_first=True, padding_value=IGNORED)
    places = torch.arange(states.shape[1], device=states.device)
    counts = torch.tensor([len(sentence.labels) for sentence in sentences], device=states.device)
    mask = places < counts[:, None]
    return {"states": (states,), "attention_mask": mask.long(), **task.kind.of_known(labels, mask)}
