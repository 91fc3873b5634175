"""From the scores of a parser to trees."""

import numpy as np
import torch
from ufal.chu_liu_edmonds import chu_liu_edmonds  # pyright: ignore[reportAttributeAccessIssue]


def spanning_tree(scores: np.ndarray) -> np.ndarray:
    """The tree with exactly one root whose arcs have the largest sum of scores.

    Chu-Liu-Edmonds, which may give the root several dependents; a penalty on every arc from the root that exceeds
    what any choice of the other arcs can win leaves it one.

    Args:
        scores: (W, W + 1), of each word's heads: column 0 is the root, column j is word j. A word as its own head is
            never chosen. What is not finite counts as the lowest of the finite scores.

    Returns:
        (W,) heads.
    """
    scores = np.array(scores, dtype=np.float64)
    words = np.arange(len(scores))
    scores[words, words + 1] = np.nan
    finite = np.isfinite(scores)
    lowest, highest = (scores[finite].min(), scores[finite].max()) if finite.any() else (0.0, 0.0)
    scores[~finite] = lowest
    scores -= highest  # of the magnitude of differences, so that the penalty costs little precision
    scores[:, 0] -= len(scores) * (highest - lowest) + 1
    # The row of the root itself is not read.
    heads, _ = chu_liu_edmonds(np.vstack([np.zeros(len(scores) + 1), scores]))
    return np.array(heads[1:], dtype=np.int64)


def decode(arc_logits: torch.Tensor, relation_logits: torch.Tensor, words: torch.Tensor | None = None) -> torch.Tensor:
    """The best tree of every sentence of a batch, and the best relation to each word's head in it.

    Where taking every word's best head gives a tree with one root, that is the best one; only the other sentences go
    through `spanning_tree`.

    Args:
        arc_logits: (B, W, W + 1), column 0 the root; the columns of padded words hold the lowest number of the type.
        relation_logits: (B, W, W + 1, C).
        words: (B, W), true for words, false for padding behind them. Without it, read off the columns of
            `arc_logits`.

    Returns:
        (B, W, 2) heads and relation ids, -100 at padding.
    """
    batch, width = arc_logits.shape[:2]
    if words is None:
        words = arc_logits[:, 0, 1:] != torch.finfo(arc_logits.dtype).min  # true of nan too: training may diverge
    own = torch.eye(width, dtype=torch.bool, device=arc_logits.device)
    barred = torch.nn.functional.pad(own | ~words[:, None, :], (1, 0))
    heads = arc_logits.masked_fill(barred, -torch.inf).argmax(dim=-1).masked_fill(~words, 0)
    for row in (~_are_trees(heads, words)).nonzero().flatten().tolist():
        count = int(words[row].sum())
        tree = spanning_tree(arc_logits[row, :count, : count + 1].float().cpu().numpy())
        heads[row, :count] = torch.from_numpy(tree).to(heads)
    at_heads = heads[:, :, None, None].expand(batch, width, 1, relation_logits.shape[-1])
    relations = relation_logits.gather(2, at_heads).squeeze(2).argmax(dim=-1)
    return torch.stack([heads, relations], dim=-1).masked_fill(~words[..., None], -100)


def _are_trees(heads: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """(B,) whether heads (B, W), 0 at padding, are trees with one root."""
    above = torch.nn.functional.pad(heads, (1, 0))  # (B, W + 1): the root is above itself
    for _ in range(heads.shape[1].bit_length()):
        above = above.gather(1, above)  # twice as far up
    one_root = ((heads == 0) & words).sum(dim=1) == 1
    return one_root & (above == 0).all(dim=1)
