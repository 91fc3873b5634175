"""The model with scores of answers' ends: what differs from the other heads, which `test_modeling_dlfa` looks at."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from modeling_dlfa import DLFAConfig, DLFAForQuestionAnswering
from modeling_dlfa.tasks.spans import CANDIDATES, candidates
from tests.conftest import FAMILIES
from tests.test_modeling_dlfa import batch, close, randomize


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest, tiny_config) -> Any:
    torch.manual_seed(0)
    config = DLFAConfig(encoder_config=tiny_config(request.param), fusion_layer=1, identity_init=False)
    model = DLFAForQuestionAnswering(config).eval()
    randomize(model.qa_outputs)
    return model


@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch(model):
    """Logits, what is kept of them, and the loss."""
    lengths, places = (5, 9, 7), torch.tensor([[1, 2], [8, 8], [0, 0]])
    inputs = batch(lengths, width=30)
    outputs = model(**inputs, labels=places)
    kept = candidates(outputs.start_logits, outputs.end_logits)
    losses = []
    for row, length in enumerate(lengths):
        one = model(input_ids=inputs["input_ids"][row : row + 1, :length], labels=places[row : row + 1])
        for name in ("start_logits", "end_logits"):
            close(outputs[name][row, :length], one[name][0])
            assert (outputs[name][row, length:] == torch.finfo(torch.float32).min).all()
        close(kept[row], candidates(one.start_logits, one.end_logits)[0])
        losses.append(one.loss)
    close(outputs.loss, torch.stack(losses).mean())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_padding_is_no_candidate(dtype):
    logits = torch.arange(30, dtype=dtype)[None]
    masked = logits.masked_fill(logits >= 4, torch.finfo(dtype).min)
    first, first_scores, *_ = candidates(masked, masked)[0, :-1].reshape(4, CANDIDATES).tolist()
    assert first == [3, 2, 1, 0, *[-1] * (CANDIDATES - 4)] and first_scores[:5] == [3, 2, 1, 0, 0]
    assert candidates(logits, logits)[0, 0] == 29


@torch.no_grad()
@pytest.mark.parametrize("place", [-100, 9, 5, 8])
def test_places_that_are_not_scored(model, place: int):
    """None, behind the last token, padding."""
    inputs = batch((5, 9))
    outputs = model(**inputs, labels=torch.tensor([[1, place], [2, 3]]))
    scored = [(outputs.start_logits[0], 1), (outputs.start_logits[1], 2), (outputs.end_logits[1], 3)]
    expected = [F.cross_entropy(logits, torch.tensor(target)) for logits, target in scored]
    close(outputs.loss, torch.stack(expected).mean())
