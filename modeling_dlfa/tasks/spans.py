"""From scores of first and last tokens to answers: the best spans over all windows of a question."""

from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset

from .windows import NOT_HERE


CANDIDATES = 20
"""Places that are looked at for each end of an answer (as SQuAD's scripts)."""

LONGEST = 30
"""Tokens of the longest answer (as XTREME)."""


@dataclass(frozen=True)
class Span:
    """A possible answer.

    Attributes:
        score: sum of the logits of its first and last token; of no answer, less the threshold.
        text: as it stands in the context, without white space around it; empty where there is no answer.
        start, end: its place there; None where there is no answer.
    """

    score: float
    text: str = ""
    start: int | None = None
    end: int | None = None


def candidates(start_logits: torch.Tensor, end_logits: torch.Tensor) -> torch.Tensor:
    """The best places of each row.

    Args:
        start_logits, end_logits: (B, T), the lowest number of their type at padding.

    Returns:
        (B, 4 N + 1) numbers: places and logits of the N best first tokens, the same of last tokens, and the score of
        the first token as both, which stands for no answer. Where there are fewer tokens, -1 is their place,
        and their logits are 0.
    """
    parts = []
    for logits in (start_logits, end_logits):
        best = logits.topk(min(CANDIDATES, logits.shape[1]), dim=1)
        padding = best.values == torch.finfo(logits.dtype).min
        room = (0, CANDIDATES - best.indices.shape[1])
        parts += [
            torch.nn.functional.pad(best.indices.masked_fill(padding, -1).float(), room, value=-1),
            torch.nn.functional.pad(best.values.masked_fill(padding, 0).float(), room),
        ]
    nothing = (start_logits[:, :1] + end_logits[:, :1]).float()
    return torch.cat([*parts, nothing], dim=1)


def best_spans(
    contexts: list[str], features: Dataset, kept: np.ndarray, may_lack: bool, threshold: float = 0.0
) -> list[list[Span]]:
    """The answers to each question, the best first.

    Args:
        contexts: of the questions.
        features: their windows, as `windows.encode_questions` makes them, in the order of `kept`.
        kept: what `candidates` gave.
        may_lack: whether a context may lack the answer: then that is one of the answers, with the lowest of the
            windows' scores (as SQuAD 2's baselines).
        threshold: is taken off the score of no answer.
    """
    found: list[dict[tuple[int, int], Span]] = [{} for _ in contexts]
    lacking = [float("inf")] * len(contexts)
    columns = (features[name][:] for name in ("sentence", "context_at", "starts", "ends"))
    for row, at, starts, ends, numbers in zip(*columns, kept, strict=True):
        first, first_scores, last, last_scores = numbers[:-1].reshape(4, CANDIDATES)
        lacking[row] = min(lacking[row], float(numbers[-1]))
        first, last = first.astype(int)[:, None] - at, last.astype(int)[None] - at  # (N, 1), (1, N)
        scores = first_scores[:, None] + last_scores[None]
        here = (first >= 0) & (first < len(starts)) & (last < len(starts)) & (last >= first)
        for one, other in np.argwhere(here & (last - first < LONGEST)):
            start, end = starts[first[one, 0]], ends[last[0, other]]
            if start != NOT_HERE:
                span = _span(contexts[row], start, end, float(scores[one, other]))
                key = (span.start or 0, span.end or 0)
                if span.text and (key not in found[row] or found[row][key].score < span.score):
                    found[row][key] = span
    ordered = [sorted(spans.values(), key=lambda span: -span.score)[:CANDIDATES] for spans in found]
    if not may_lack:
        return ordered
    with_nothing = ([*spans, Span(score - threshold)] for spans, score in zip(ordered, lacking, strict=True))
    return [sorted(spans, key=lambda span: -span.score) for spans in with_nothing]


def _span(context: str, start: int, end: int, score: float) -> Span:
    text = context[start:end]
    start += len(text) - len(text.lstrip())
    return Span(score, text.strip(), start, start + len(text.strip()))
