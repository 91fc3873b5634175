"""Transformers' own common tests of models and configurations, run on DLFA: as if it were one of the library's models.

`fetch.py` gets them; `DLFA_TRANSFORMERS_TESTS` names the folder. They loop over `all_model_classes` and stop at the
first one that they do not apply to: therefore a class of tests for each model class and encoder.
"""

import importlib
import os
import sys
import unittest
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoConfig

from modeling_dlfa import (
    DLFAConfig,
    DLFAForDependencyParsing,
    DLFAForMaskedLM,
    DLFAForMultipleChoice,
    DLFAForQuestionAnswering,
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
    DLFAModel,
)


FOLDER = os.environ.get("DLFA_TRANSFORMERS_TESTS")
if FOLDER is None:
    pytest.skip(
        "Transformers' own tests were not fetched: python tests/transformers_suite/fetch.py FOLDER, then "
        "DLFA_TRANSFORMERS_TESTS=FOLDER pytest tests/transformers_suite",
        allow_module_level=True,
    )

fetched = (Path(FOLDER) / "transformers_tests" / "VERSION").read_text()
if fetched != transformers.__version__:
    raise RuntimeError(f"{FOLDER} holds the tests of transformers {fetched}, not {transformers.__version__}")
sys.path.append(FOLDER)
models: Any = importlib.import_module("transformers_tests.test_modeling_common")
configurations: Any = importlib.import_module("transformers_tests.test_configuration_common")
training: Any = importlib.import_module("transformers_tests.test_training_mixin")

# Every test that does not have to pass, and why. All of them run, and fail: one that passes, or is gone, is an error.
NO_LOSS = "the body has no loss to train on; the library leaves out its own bodies by their names"
EXPECTED_FAILURES = {
    "DLFAModel.test_training": NO_LOSS,
    "DLFAModel.test_training_gradient_checkpointing": NO_LOSS,
    "DLFAModel.test_training_gradient_checkpointing_use_reentrant_false": NO_LOSS,
    "DLFAModel.test_training_gradient_checkpointing_use_reentrant_true": NO_LOSS,
    "DLFAModel.test_training_overfit": NO_LOSS,
}

ENCODERS = {"bert": {}, "xlm-roberta": {"type_vocab_size": 1}}
MODEL_CLASSES = (
    DLFAModel,
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
    DLFAForDependencyParsing,
    DLFAForQuestionAnswering,
    DLFAForMultipleChoice,
    DLFAForMaskedLM,
)
NUM_LABELS = 3


class SmallDLFA:
    """What the library calls a model tester: it makes configurations and inputs."""

    batch_size, seq_length = 4, 7
    hidden_size, num_hidden_layers, num_attention_heads = 32, 2, 4
    is_training = True

    def __init__(self, encoder: str):
        self.encoder = encoder

    def get_config(self) -> DLFAConfig:
        encoder_config = AutoConfig.for_model(
            self.encoder,
            vocab_size=99,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=37,
            max_position_embeddings=80,
            pad_token_id=1,
            **ENCODERS[self.encoder],
        )
        arguments: Any = {"fusion_layer": 1, "num_labels": NUM_LABELS}
        return DLFAConfig(encoder_config=encoder_config, **arguments)

    def prepare_config_and_inputs_for_common(self) -> tuple[DLFAConfig, dict[str, torch.Tensor]]:
        shape = [self.batch_size, self.seq_length]
        ids = models.ids_tensor(shape, 99).clamp(min=2)
        return self.get_config(), {"input_ids": ids, "attention_mask": models.random_attention_mask(shape)}


def complete(inputs: dict[str, torch.Tensor], model_class: type, with_labels: bool) -> dict[str, torch.Tensor]:
    """Inputs with what the head takes besides: the parser its words, each a token; labels that depend on the token."""
    inputs = dict(inputs)
    tokens = torch.arange(inputs["input_ids"].shape[1]).expand_as(inputs["input_ids"])  # (B, T)
    classes = inputs["input_ids"] % NUM_LABELS  # (B, T)
    if model_class is DLFAForDependencyParsing:
        inputs["word_positions"] = tokens
    if model_class is DLFAForMultipleChoice:
        batch = {name: values for name, values in inputs.items() if isinstance(values, torch.Tensor)}
        inputs |= {name: torch.stack((values, values.flip(1)), dim=1) for name, values in batch.items()}
    if with_labels and model_class is not DLFAModel:
        inputs["labels"] = {
            DLFAForMultipleChoice: (classes[:, 1] > 0).long(),
            DLFAForSequenceClassification: classes[:, 1],
            DLFAForTokenClassification: classes,
            DLFAForMaskedLM: inputs["input_ids"],
            DLFAForQuestionAnswering: torch.stack((classes[:, 1], classes[:, 1] + 1), dim=-1),
            DLFAForDependencyParsing: torch.stack((tokens, classes), dim=-1),  # each word hangs on the one before
        }[model_class]
    return inputs


def expected_to_fail(test: Callable, reason: str) -> Callable:
    """The test, reported as one that was expected to fail; it fails where it passes or skips itself."""

    def run(self):
        self.subTest = lambda *args, **kwargs: nullcontext()  # its failures would not reach the `try`
        try:
            test(self)
        except unittest.SkipTest as skipped:
            self.fail(f"skips itself ({skipped}): take it out of EXPECTED_FAILURES")
        except Exception:
            pytest.xfail(reason)
        self.fail("passes: take it out of EXPECTED_FAILURES")

    return run


class CommonTests(models.ModelTesterMixin, training.TrainingTesterMixin):
    """The library's tests, and what they ask of a class that uses them."""

    encoder: str
    model_tester: Any = None
    _is_composite = True
    test_can_init_all_missing_weights_before_2023 = True  # read as the age of a model whose file names no year

    def setUp(self):
        self.model_tester = SmallDLFA(self.encoder)

    def _prepare_for_class(self, inputs_dict, model_class, return_labels=False):
        return complete(inputs_dict, model_class, return_labels)

    def _create_text_training_batch(self, **sizes: int):
        batch = super()._create_text_training_batch(**sizes)
        return complete({"input_ids": batch["input_ids"]}, self.all_model_classes[0], with_labels=True)

    def test_sdpa_can_dispatch_non_composite_models(self):
        self._is_composite = False  # it has to look like one with a single part as well
        super().test_sdpa_can_dispatch_non_composite_models()

    def test_config(self):
        properties = ["hidden_size", "num_attention_heads", "num_hidden_layers"]  # not asked of composite ones
        tester = configurations.ConfigTester(self, DLFAConfig, common_properties=properties, fusion_layer=1)
        tester.run_common_tests()


for encoder in ENCODERS:
    for model_class in MODEL_CLASSES:
        members: Any = {"__module__": __name__, "encoder": encoder, "all_model_classes": (model_class,)}
        for test, reason in EXPECTED_FAILURES.items():
            class_name, _, name = test.partition(".")
            if class_name == model_class.__name__:
                members[name] = expected_to_fail(getattr(CommonTests, name), reason)
        title = f"{model_class.__name__}_{encoder.replace('-', '_')}"
        globals()[title] = type(title, (CommonTests, unittest.TestCase), members)
