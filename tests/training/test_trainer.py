"""The order of training examples, the optimizer's groups, and the bars."""

import pytest
import torch
from datasets import Dataset
from transformers import BertConfig, TrainerControl, TrainerState, TrainingArguments

from modeling_dlfa import DLFAConfig, DLFAForTokenClassification
from modeling_dlfa.training.trainer import DLFATrainer, EpochLengthGroupedSampler, LanguageProgress, ProcessBatches


LENGTHS = [(7 * i) % 23 + 1 for i in range(101)]


def order(epoch: int, batch_size: int = 8, seed: int = 1) -> list[int]:
    return list(EpochLengthGroupedSampler(batch_size, LENGTHS, seed, epoch=lambda: epoch))


def batches(indices: list[int], size: int) -> list[list[int]]:
    return [indices[start : start + size] for start in range(0, len(indices), size)]


@pytest.mark.parametrize("epoch", [0, 1, 5])
def test_every_example_once(epoch: int):
    assert sorted(order(epoch)) == list(range(len(LENGTHS)))


def test_order_depends_on_seed_and_epoch_alone():
    torch.manual_seed(0)
    first = order(0)
    torch.manual_seed(1)
    assert order(0) == first
    assert order(1) != first
    assert order(0, seed=2) != first


def test_batches_hold_similar_lengths():
    def padded(indices: list[int]) -> int:
        return sum(len(batch) * max(LENGTHS[i] for i in batch) for batch in batches(indices, 8))

    assert padded(order(0)) < 0.8 * padded(list(range(len(LENGTHS))))


def test_epoch_is_asked_at_each_pass():
    epoch = 0
    sampler = EpochLengthGroupedSampler(8, LENGTHS, 1, epoch=lambda: epoch)
    first = list(sampler)
    epoch = 1
    assert list(sampler) == order(1) != first


@pytest.mark.parametrize(("processes", "examples"), [(2, 101), (2, 96), (3, 101), (4, 98), (2, 3), (4, 97)])
def test_processes_share_the_batches_of_one(processes: int, examples: int):
    indices = [i for i in order(0) if i < examples]
    shares = [list(ProcessBatches(indices, 12, processes, rank)) for rank in range(processes)]  # pyright: ignore
    whole = batches(indices, 12)
    assert [len(share) for share in shares] == [len(whole)] * processes
    assert len(ProcessBatches(indices, 12, processes, 0)) == len(whole)  # pyright: ignore
    for batch, *parts in zip(whole, *shares, strict=True):
        together = [i for part in parts for i in part]
        assert set(together) == set(batch)
        assert len(together) == max(len(batch), processes)  # repeated only where a process would get none
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_drop_last():
    share = ProcessBatches(list(range(30)), 8, 2, 1, drop_last=True)  # pyright: ignore
    assert list(share) == [[1, 3, 5, 7], [9, 11, 13, 15], [17, 19, 21, 23]]
    assert len(share) == 3


MODEL = {"fusion_layer": 1, "num_labels": 3, "input_norm": "layer"}


def trainer(tmp_path, head=None, freeze: bool = False, fusion=None, **arguments) -> DLFATrainer:
    encoder = BertConfig(vocab_size=20, hidden_size=16, num_hidden_layers=2, num_attention_heads=2)
    model = DLFAForTokenClassification(DLFAConfig(encoder_config=encoder, **MODEL))  # pyright: ignore
    if freeze:
        model.get_input_embeddings().requires_grad_(False)
    rows = Dataset.from_dict({"input_ids": [[1] * n for n in LENGTHS], "length": LENGTHS})
    return DLFATrainer(
        model=model,
        args=TrainingArguments(str(tmp_path / "out"), use_cpu=True, **arguments),
        train_dataset=rows,
        head_learning_rate=head,
        fusion_learning_rate=fusion,
    )


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("freeze", [False, True])
@pytest.mark.parametrize(
    ("head", "fusion", "rates"),  # rates of head and fusion; the encoder's is 1e-4
    [
        (None, None, (1e-4, 1e-4)),
        (1e-2, None, (1e-2, 1e-2)),
        (1e-2, 1e-3, (1e-2, 1e-3)),
        (None, 1e-3, (1e-4, 1e-3)),
        (1e-2, 1e-2, (1e-2, 1e-2)),
    ],
)
def test_learning_rates(tmp_path, weight_decay: float, freeze: bool, head, fusion, rates):
    one = trainer(tmp_path, head, freeze, fusion, learning_rate=1e-4, weight_decay=weight_decay)
    optimizer = one.create_optimizer()
    found = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert id(parameter) not in found, "a parameter is in two groups"
            found[id(parameter)] = (group["lr"], group["weight_decay"])
    expected = {}
    by_part = {"classifier": rates[0], "dlfa.fusion": rates[1], "dlfa.input_norm": rates[1], "dlfa.encoder": 1e-4}
    for name, parameter in one.model.named_parameters():  # pyright: ignore
        if parameter.requires_grad:
            rate = next(rate for part, rate in by_part.items() if name.startswith(part))
            decays = not name.endswith("bias") and "norm" not in name.lower()
            expected[id(parameter)] = (rate, weight_decay if decays else 0.0)
    assert found == expected
    if freeze:
        assert id(one.model.get_input_embeddings().weight) not in found  # pyright: ignore


def test_optimizer_is_divided_once(tmp_path):
    one = trainer(tmp_path, 1e-2)
    groups = len(one.create_optimizer().param_groups)
    assert len(one.create_optimizer().param_groups) == groups == 4


def test_train_batches_follow_the_trainers_epoch(tmp_path):
    one = trainer(tmp_path, train_sampling_strategy="group_by_length", per_device_train_batch_size=8, seed=3)
    sampler = one._get_train_sampler()
    assert list(sampler) == order(0, seed=3)  # pyright: ignore
    one.state = TrainerState(epoch=1.0)
    assert list(sampler) == order(1, seed=3)  # pyright: ignore
    one.state = TrainerState(epoch=1.6)  # resumed in the middle of the second epoch
    assert list(sampler) == order(1, seed=3)  # pyright: ignore


def test_data_seed_and_accumulation_shape_the_order(tmp_path):
    one = trainer(
        tmp_path,
        train_sampling_strategy="group_by_length",
        per_device_train_batch_size=4,
        gradient_accumulation_steps=2,
        seed=3,
        data_seed=5,
    )
    assert list(one._get_train_sampler()) == order(0, seed=5)  # pyright: ignore


def test_bars_name_the_language(tmp_path, capsys: pytest.CaptureFixture[str]):
    bars = LanguageProgress()
    arguments = TrainingArguments(str(tmp_path), use_cpu=True)
    state, control = TrainerState(is_world_process_zero=True, max_steps=3), TrainerControl()
    bars.on_train_begin(arguments, state, control)
    bars.on_log(arguments, state, control, logs={"eval_f1": 50.0, "eval_runtime": 1.0, "eval_steps_per_second": 2.0})
    bars.on_train_end(arguments, state, control)
    for language in ("dev", "sw"):
        bars.label = language
        bars.on_prediction_step(arguments, state, control, eval_dataloader=[1, 2])
        bars.on_predict(arguments, state, control)
    shown = capsys.readouterr()
    assert "training" in shown.err
    assert "scoring dev" in shown.err and "scoring sw" in shown.err
    assert "eval_f1" in shown.out + shown.err
    assert "eval_runtime" not in shown.out + shown.err
