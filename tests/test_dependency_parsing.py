"""What is special about the parser; what it shares with the other heads is in the tables of `test_modeling_dlfa`."""

import copy
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Trainer, TrainingArguments

from modeling_dlfa import DLFAConfig, DLFAForDependencyParsing
from modeling_dlfa.configuration_dlfa import FUSION_READS


LENGTHS = (4, 6, 1)  # words of the three sentences
FUSIONS = tuple(FUSION_READS)
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def build(encoder_config, **kwargs) -> Any:
    """A parser of three relations in evaluation mode, with random weights outside the encoder."""
    sizes = {"num_labels": 3, "parser_arc_size": 6, "parser_relation_size": 5, "fusion_layer": 1}
    model = DLFAForDependencyParsing(DLFAConfig(encoder_config=encoder_config, **{**sizes, **kwargs})).eval()
    with torch.no_grad():
        for part in (model.parser, model.dlfa.fusion):
            for tensor in part.parameters():
                tensor.normal_(std=0.3)
    return model


def sentences(tokens: int = 14, words: int = 6, left: bool = False) -> dict[str, torch.Tensor]:
    """Three sentences: a first token, two tokens a word, a last token; padded to the right, or to the left."""
    draw = torch.Generator().manual_seed(1)
    inputs = {
        "input_ids": torch.full((3, tokens), 1),
        "attention_mask": torch.zeros(3, tokens, dtype=torch.long),
        "word_positions": torch.full((3, words), -1),
    }
    for row, length in enumerate(LENGTHS):
        start = tokens - (2 * length + 2) if left else 0
        real = slice(start, start + 2 * length + 2)
        inputs["input_ids"][row, real] = torch.randint(5, 64, (2 * length + 2,), generator=draw)
        inputs["attention_mask"][row, real] = 1
        inputs["word_positions"][row, :length] = start + 1 + 2 * torch.arange(length)
    return inputs


def gold(words: int = 6) -> torch.Tensor:
    """Labels (3, W, 2) of `sentences`; one of the words is not scored."""
    draw = torch.Generator().manual_seed(2)
    labels = torch.full((3, words, 2), -100)
    for row, length in enumerate(LENGTHS):
        labels[row, :length, 0] = torch.randint(0, length + 1, (length,), generator=draw)
        labels[row, :length, 1] = torch.randint(0, 3, (length,), generator=draw)
    labels[1, 2] = -100
    return labels


def close(actual, expected, tolerance=1e-5):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def real_arcs(row: int) -> tuple[int, slice, slice]:
    """Which of the scores (B, W, W + 1) concern words of this sentence, and the root."""
    return row, slice(LENGTHS[row]), slice(LENGTHS[row] + 1)


# ---------------------------------------------------------------------------------------------------------------------
# Scores
# ---------------------------------------------------------------------------------------------------------------------


def perceptron(layers: Any, state: torch.Tensor) -> torch.Tensor:
    hidden = layers[0].weight @ state + layers[0].bias
    return torch.where(hidden > 0, hidden, 0.1 * hidden)


@torch.no_grad()
def test_scores_are_biaffine(tiny_config):
    """Every arc and relation by itself, with U, u, U_c, u_c, v_c and b_c of the formula."""
    model = build(tiny_config())
    inputs = sentences()
    outputs = model(**inputs)
    assert outputs.arc_logits.shape == (3, 6, 7) and outputs.relation_logits.shape == (3, 6, 7, 3)
    positions = inputs.pop("word_positions")
    states = model.dlfa(**inputs).last_hidden_state
    parser = model.parser
    matrices, biases = parser.relation.weight.view(3, 6, 5), parser.relation.bias.view(3, 6)
    for row, length in enumerate(LENGTHS):
        words = [states[row, position] for position in positions[row, :length]]
        for i, word in enumerate(words):
            arc_dependent = perceptron(parser.arc_dependent, word)
            relation_dependent = perceptron(parser.relation_dependent, word)
            for j, head in enumerate([parser.root, *words]):
                arc_head = perceptron(parser.arc_head, head)
                relation_head = perceptron(parser.relation_head, head)
                arc = arc_head @ parser.arc.weight @ arc_dependent + parser.arc.bias @ arc_head
                close(outputs.arc_logits[row, i, j], arc)
                for c in range(3):
                    relation = (
                        relation_head @ matrices[c, :5] @ relation_dependent
                        + biases[c, :5] @ relation_head
                        + matrices[c, 5] @ relation_dependent
                        + biases[c, 5]
                    )
                    close(outputs.relation_logits[row, i, j, c], relation)


@torch.no_grad()
def test_a_word_is_the_token_at_its_position(tiny_config):
    """Other positions are other words; the same positions in another order are the same words in that order."""
    model = build(tiny_config())
    inputs = {name: tensor[1:2] for name, tensor in sentences().items()}
    expected = model(**inputs)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    heads = torch.cat((torch.zeros(1, dtype=torch.long), order + 1))
    permuted = model(**{**inputs, "word_positions": inputs["word_positions"][:, order]})
    close(permuted.arc_logits, expected.arc_logits[:, order][:, :, heads])
    close(permuted.relation_logits, expected.relation_logits[:, order][:, :, heads])
    others = inputs["word_positions"].clone()
    others[0, 2] += 1  # the word's other token
    changed = (model(**{**inputs, "word_positions": others}).arc_logits - expected.arc_logits).abs() > 1e-4
    expected_change = torch.zeros(6, 7, dtype=torch.bool)
    expected_change[2], expected_change[:, 3] = True, True
    assert torch.equal(changed[0], expected_change)


@torch.no_grad()
def test_the_first_head_is_the_root(tiny_config):
    model = build(tiny_config())
    inputs = sentences()
    before = model(**inputs)
    model.parser.root.normal_()
    after = model(**inputs)
    assert torch.equal(after.arc_logits[..., 1:], before.arc_logits[..., 1:])
    assert torch.equal(after.relation_logits[:, :, 1:], before.relation_logits[:, :, 1:])
    assert ((after.arc_logits - before.arc_logits)[..., 0].abs() > 1e-4).all()
    assert ((after.relation_logits - before.relation_logits)[:, :, 0].abs() > 1e-5).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@torch.no_grad()
def test_padding_is_never_a_head(dtype, tiny_config):
    model = build(tiny_config()).to(dtype)
    outputs = model(**sentences(words=8))
    assert outputs.arc_logits.dtype == outputs.relation_logits.dtype == dtype
    assert outputs.relation_logits.isfinite().all()
    for row, length in enumerate(LENGTHS):
        assert (outputs.arc_logits[row, :, length + 1 :] == torch.finfo(dtype).min).all()
        assert (outputs.arc_logits[row, :, : length + 1].abs() < 1000).all()
        assert not outputs.arc_logits.float().softmax(-1)[row, :, length + 1 :].any()


@pytest.mark.crossed("family", "fusion")
@pytest.mark.parametrize("fusion", FUSIONS)
@torch.no_grad()
def test_padding_changes_nothing(family, fusion, tiny_config):
    """Wider batches of tokens and of words, and each sentence alone."""
    model = build(tiny_config(family), fusion=fusion)
    labels = gold(words=9)
    inputs = sentences(tokens=17, words=9)
    wide = model(**inputs, labels=labels)
    narrow = model(**sentences(), labels=labels[:, :6])
    close(wide.loss, narrow.loss)
    for row, length in enumerate(LENGTHS):
        real = real_arcs(row)
        alone = model(
            inputs["input_ids"][row : row + 1, : 2 * length + 2],
            word_positions=inputs["word_positions"][row : row + 1, :length],
        )
        for name in ("arc_logits", "relation_logits"):
            close(wide[name][real], alone[name][0], tolerance=1e-4)
            close(narrow[name][real], alone[name][0], tolerance=1e-4)
            assert length == 1 or alone[name].std() > 0.01


# One counts positions from the first real token, the other needs distances only.
@pytest.mark.parametrize("family", ["xlm-roberta", "modernbert"])
@torch.no_grad()
def test_tokens_may_be_padded_to_the_left(family, tiny_config):
    model = build(tiny_config(family))
    right, left = model(**sentences(17)), model(**sentences(17, left=True))
    for row in range(3):
        close(left.arc_logits[real_arcs(row)], right.arc_logits[real_arcs(row)])
        close(left.relation_logits[real_arcs(row)], right.relation_logits[real_arcs(row)])


def test_word_positions_are_required(tiny_config):
    inputs = sentences()
    del inputs["word_positions"]
    with pytest.raises(ValueError) as error:
        build(tiny_config())(**inputs)
    assert str(error.value) == (
        "a dependency parser needs word_positions, (B, W): which token stands for each word, -1 at padding"
    )


# ---------------------------------------------------------------------------------------------------------------------
# The loss
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_loss(training, tiny_config):
    """As a loop over the words has it; also in training, where relations are scored at the right heads only."""
    model = build(tiny_config(**NO_DROPOUT))
    inputs, labels = sentences(), gold()
    arcs, relations = (model(**inputs)[name].log_softmax(-1) for name in ("arc_logits", "relation_logits"))
    scored = [(b, i, *labels[b, i].tolist()) for b in range(3) for i in range(6) if labels[b, i, 0] != -100]
    assert len(scored) == 10
    of_arcs = torch.stack([-arcs[b, i, head] for b, i, head, _ in scored])
    of_relations = torch.stack([-relations[b, i, head, relation] for b, i, head, relation in scored])
    model.train(training)
    outputs = model(**inputs, labels=labels)
    close(outputs.loss, (of_arcs.mean() + of_relations.mean()) / 2)
    for count in (20, torch.tensor(20), 50):
        total = of_arcs.sum() + of_relations.sum()
        close(model(**inputs, labels=labels, num_items_in_batch=count).loss, total / count)
    assert (outputs.relation_logits is None) == training
    assert len(model(**inputs, labels=labels, return_dict=False)) == (2 if training else 3)
    assert model(**inputs).relation_logits is not None


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("training", [True, False])
@torch.no_grad()
def test_what_was_fused_is_of_tokens(fusion, training, tiny_config):
    """Not of words, which are made of it; in training it follows the loss and the arcs."""
    model = build(tiny_config(**NO_DROPOUT), fusion=fusion).train(training)
    inputs = sentences()
    outputs = model(**inputs, labels=gold(), output_fusion=True)
    scores = ["arc_logits"] if training else ["arc_logits", "relation_logits"]
    new = ["layer_state"] if FUSION_READS[fusion] == "layer" else []
    new += ["gate"] if fusion in ("aif", "aif_last", "aif_layer") else []
    assert [*outputs] == ["loss", *scores, *new, "fused_state"]
    assert outputs.fused_state.shape == (3, 14, 32)
    positions = inputs["word_positions"]
    words = outputs.fused_state[torch.arange(3)[:, None], positions.clamp(min=0)]
    assert torch.equal(model.parser(words, positions >= 0)[0], outputs.arc_logits)


def test_training_does_not_score_all_relations(tiny_config, monkeypatch):
    model = build(tiny_config())
    shapes = []
    einsum = torch.einsum
    monkeypatch.setattr(torch, "einsum", lambda *args: shapes.append((result := einsum(*args)).shape) or result)
    model.train()(**sentences(), labels=gold())
    assert shapes == [(3, 6, 3)]


def test_a_word_with_a_head_only_and_one_with_a_relation_only(tiny_config):
    """Without its head, a relation has no place to be scored at."""
    model = build(tiny_config())
    inputs, labels = sentences(), gold()
    labels[0, 0, 1] = labels[0, 1, 0] = -100
    outputs = model(**inputs, labels=labels)
    without = labels.clone()
    without[0, 1] = -100
    close(outputs.loss, model(**inputs, labels=without).loss)
    without[0, 0] = -100
    arc = -outputs.arc_logits.log_softmax(-1)[0, 0, labels[0, 0, 0]]
    close(outputs.loss * 17, model(**inputs, labels=without).loss * 16 + arc)


@pytest.mark.parametrize("training", [True, False])
def test_nothing_to_score_is_no_loss(training, tiny_config):
    model = build(tiny_config()).train(training)
    loss = model(**sentences(), labels=torch.full((3, 6, 2), -100)).loss
    loss.backward()
    assert loss == 0
    assert not model.parser.arc.weight.grad.any()


def test_accumulated_gradients_equal_one_big_batch(tiny_config):
    big = build(tiny_config(**NO_DROPOUT)).train()
    small = copy.deepcopy(big)
    inputs, labels = sentences(), gold()
    big(**inputs, labels=labels).loss.backward()
    count = (labels != -100).sum()  # as the Trainer counts
    for rows in (slice(0, 1), slice(1, 3)):
        part = {name: tensor[rows] for name, tensor in inputs.items()}
        small(**part, labels=labels[rows], num_items_in_batch=count).loss.backward()
    for (name, parameter), expected in zip(small.named_parameters(), big.named_parameters()):
        assert parameter.grad is not None, name
        close(parameter.grad, expected[1].grad)


def test_lower_precision(tiny_config):
    model = build(tiny_config(**NO_DROPOUT)).train()
    inputs, labels = sentences(), gold()
    expected = model(**inputs, labels=labels).loss
    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(**inputs, labels=labels).loss
    mixed.backward()
    half = model.bfloat16()(**inputs, labels=labels).loss
    assert mixed.dtype == half.dtype == torch.float32
    close(mixed, expected, tolerance=0.1)
    close(half, expected, tolerance=0.1)


# ---------------------------------------------------------------------------------------------------------------------
# Weights and training
# ---------------------------------------------------------------------------------------------------------------------


def test_sizes_are_configured(encoder_folder):
    model = DLFAForDependencyParsing.from_encoder(
        encoder_folder(), num_labels=37, parser_arc_size=20, parser_relation_size=10, fusion_layer=1
    )
    parser = model.parser
    assert parser.arc_dependent[0].out_features == parser.arc_head[0].out_features == 20
    assert parser.relation_dependent[0].out_features == parser.relation_head[0].out_features == 10
    assert parser.relation.out_features == 37 * 11
    assert {name.split(".")[0] for name, _ in model.named_parameters()} == {"dlfa", "parser"}


def test_a_changed_size_is_checked_by_the_model(tiny_config):
    config = DLFAConfig(encoder_config=tiny_config())
    config.parser_arc_size = -1
    with pytest.raises(ValueError, match="^parser_arc_size=-1: expected a whole number above 0"):
        DLFAForDependencyParsing(config)


def test_weights_that_are_missing_are_initialised(tiny_config, tmp_path):
    """What a checkpoint lacks is uninitialised memory, here NaN; the rest must stay as it was."""
    full = build(tiny_config(), parser_arc_size=64, parser_relation_size=64)
    full.save_pretrained(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    lost = {name for name in state if name.startswith(("parser.root", "parser.relation."))}
    assert len(lost) == 3
    kept = {name: tensor for name, tensor in state.items() if name not in lost}
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    torch.use_deterministic_algorithms(True)  # fills new memory with NaN
    try:
        model = DLFAForDependencyParsing.from_pretrained(tmp_path)
    finally:
        torch.use_deterministic_algorithms(False)
    loaded = model.state_dict()
    for name, tensor in kept.items():
        assert torch.equal(loaded[name], tensor), name
    assert not loaded["parser.relation.bias"].any()
    assert 0.12 < loaded["parser.root"].std() < 0.28  # the encoder's initializer_range is 0.2
    relation = loaded["parser.relation.weight"]
    assert relation.std() == pytest.approx((2 / sum(relation.shape)) ** 0.5, rel=0.05)  # Glorot and Bengio 2010


@pytest.mark.parametrize("fusion", ["aif", "none"])
def test_five_trees_can_be_learnt(fusion, tiny_config):
    torch.manual_seed(0)
    encoder_config = tiny_config(**NO_DROPOUT, initializer_range=0.05)
    config = DLFAConfig(encoder_config=encoder_config, fusion=fusion, fusion_layer=2, id2label=dict(enumerate("abcd")))
    model = DLFAForDependencyParsing(config).train()
    heads = [[2, 0, 2, 3, 3], [0, 1, 2, 3], [3, 3, 0], [0], [2, 5, 2, 5, 0, 5]]  # a chain, a fan, one not projective
    labels = nn.utils.rnn.pad_sequence(
        [torch.tensor([[head, head % 4] for head in tree]) for tree in heads], batch_first=True, padding_value=-100
    )
    positions = (torch.arange(6) + 1).expand(5, -1).masked_fill(labels[..., 0] < 0, -1)
    inputs = {
        "input_ids": torch.randint(5, 64, (5, 8)),
        "attention_mask": (torch.arange(8) < torch.tensor([[len(tree) + 2] for tree in heads])).long(),
        "word_positions": positions,
    }
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        model(**inputs, labels=labels).loss.backward()
        optimizer.step()
    outputs = model.eval()(**inputs)
    best = outputs.arc_logits.argmax(-1)
    relations = outputs.relation_logits.argmax(-1).gather(2, best.unsqueeze(-1)).squeeze(-1)
    known = positions >= 0
    assert torch.equal(best[known], labels[..., 0][known])
    assert torch.equal(relations[known], labels[..., 1][known])


def test_trainer(tiny_config, tmp_path):
    """It keeps `word_positions`, counts two labels a word, and evaluates with labels, loss and both scores."""
    model = build(tiny_config(**NO_DROPOUT))
    inputs, labels = sentences(), gold()
    rows = [{**{name: tensor[i] for name, tensor in inputs.items()}, "labels": labels[i]} for i in range(3)]
    expected = model(**inputs, labels=labels)
    arguments = TrainingArguments(
        output_dir=str(tmp_path),
        use_cpu=True,
        max_steps=1,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=3,
        per_device_eval_batch_size=3,
        save_strategy="no",
        disable_tqdm=True,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)  # pyright: ignore
    result: Any = trainer.predict(rows)  # pyright: ignore
    arcs, relations = result.predictions
    close(torch.from_numpy(arcs), expected.arc_logits)
    close(torch.from_numpy(relations), expected.relation_logits)
    assert result.metrics["test_loss"] == pytest.approx(expected.loss.item(), abs=1e-5)
    counts = []
    model.register_forward_pre_hook(
        lambda module, args, kwargs: counts.append(kwargs["num_items_in_batch"]), with_kwargs=True
    )
    loss = trainer.train().training_loss
    assert [int(count) for count in counts] == [20, 20, 20]
    assert loss == pytest.approx(expected.loss.item(), abs=1e-4)
