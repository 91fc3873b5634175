"""Terms that are added to a model's loss: `--objectives '{"r_drop": 1.0}'`.

An objective takes the model, a batch, and what the model has returned for it, and gives a loss: the mean over the
batch's labelled items (rows, words). The trainer adds it to the cross entropy with its weight, and logs it by name.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import InputError
from ..tasks.encoding import IGNORED


Objective = Callable[[nn.Module, Mapping[str, Any], Any], torch.Tensor]

OBJECTIVES: dict[str, Objective] = {}
"""Name -> objective."""


def register_objective(name: str) -> Callable[[Objective], Objective]:
    """Decorator that makes an objective known by a name.

    Raises:
        ValueError: another one has the name.

    Examples:
        >>> from modeling_dlfa import register_objective
        >>> @register_objective("small_logits")
        ... def small_logits(model, inputs, outputs):
        ...     return outputs.logits.square().mean()
    """

    def register(objective: Objective) -> Objective:
        if OBJECTIVES.setdefault(name, objective) is not objective:
            raise ValueError(f"there is an objective {name!r} already")
        return objective

    return register


def check_objectives(weights: Mapping[str, Any]) -> dict[str, float]:
    """Weights by name.

    Raises:
        InputError: an unknown name, or a weight that is no number above 0.
    """
    for name, weight in weights.items():
        if name not in OBJECTIVES:
            raise InputError(f"--objectives: {name!r} is not one of {', '.join(OBJECTIVES)}")
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < float("inf"):
            raise InputError(f"--objectives: {name}: expected a weight above 0, found {weight!r}")
    return {name: float(weight) for name, weight in weights.items()}


@register_objective("r_drop")
def r_drop(model: nn.Module, inputs: Mapping[str, Any], outputs: Any) -> torch.Tensor:
    """Symmetric Kullback-Leibler divergence between two dropout passes (R-Drop, Liang et al. 2021, arXiv 2106.14448).

    0.5 (KL(p || q) + KL(q || p)), mean over labelled items; of trees, the distributions over heads, of answers those
    over first and over last tokens. In the paper the cross entropy is the mean of both passes'; here it is that of the
    first alone (our choice: a term of its own, for any loss). Weights of 0.5 to 1 are usual for sentence
    classification. It costs a second forward pass.
    """
    labelled = labelled_items(inputs["labels"])
    first, second = (F.log_softmax(item_logits(one)[labelled].float(), dim=-1) for one in (outputs, model(**inputs)))
    both = F.kl_div(first, second, log_target=True, reduction="sum")
    both = both + F.kl_div(second, first, log_target=True, reduction="sum")
    return 0.5 * both / labelled.sum().clamp(min=1)


def labelled_items(labels: torch.Tensor) -> torch.Tensor:
    """Which rows (B,), words (B, T) or ends of an answer (B, 2) have a label; of trees (B, W, 2) a head counts."""
    return (labels[..., 0] if labels.dim() == 3 else labels) != IGNORED


def item_logits(outputs: Any) -> torch.Tensor:
    """The logits of each item: (B, C) or (B, T, C), of trees of heads (B, W, W + 1), of answers (B, 2, T)."""
    if "start_logits" in outputs:
        logits = torch.stack((outputs["start_logits"], outputs["end_logits"]), dim=1)
    else:
        logits = outputs["logits"] if "logits" in outputs else outputs["arc_logits"]
    return logits.masked_fill(logits == torch.finfo(logits.dtype).min, -1e4)  # padding: differences stay finite
