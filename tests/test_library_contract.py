"""What tools read of any model of Transformers. `transformers_suite/` runs the library's own tests."""

import importlib.metadata
import inspect
import runpy

import pytest
import torch

from modeling_dlfa import (
    DLFAConfig,
    DLFAForDependencyParsing,
    DLFAForMaskedLM,
    DLFAForMultipleChoice,
    DLFAForQuestionAnswering,
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
    DLFAModel,
    configuration_dlfa,
)


CLASSES = (
    DLFAModel,
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
    DLFAForDependencyParsing,
    DLFAForQuestionAnswering,
    DLFAForMultipleChoice,
    DLFAForMaskedLM,
)
OF_ENCODER = {"hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 3, "vocab_size": 64}


@pytest.mark.parametrize("name, value", OF_ENCODER.items())
def test_the_encoders_size_is_found_in_the_configuration(family, tiny_config, name, value):
    config = DLFAConfig(encoder_config=tiny_config(family))
    assert getattr(config, name) == value
    setattr(config, name, 8)
    assert getattr(config.encoder_config, name) == 8
    assert name not in config.to_dict()


@pytest.mark.parametrize("model_class", CLASSES, ids=lambda c: c.__name__)
def test_attentions_are_an_argument_whose_default_is_configured(tiny_config, model_class):
    assert inspect.signature(model_class.forward).parameters["output_attentions"].default is None
    config = DLFAConfig(encoder_config=tiny_config())
    config.output_attentions = True
    config.encoder_config._attn_implementation = "eager"
    ids = torch.tensor([[5, 6, 7]])
    words = {"word_positions": ids - 5} if model_class is DLFAForDependencyParsing else {}
    ids = ids[None] if model_class is DLFAForMultipleChoice else ids
    model = model_class(config).eval()
    assert len(model(input_ids=ids, output_attentions=None, **words).attentions) == 3
    assert model(input_ids=ids, output_attentions=False, **words).attentions is None


@pytest.mark.parametrize("found, refused", [("5.0.0", True), ("5.3.0", True), ("5.4.0", False), ("5.23.0", False)])
def test_a_transformers_that_is_too_old_is_named(monkeypatch, found, refused):
    """Where the line is drawn is proven by `.ci/floor`."""
    monkeypatch.setattr(importlib.metadata, "version", lambda package: found)
    if not refused:
        assert "DLFAConfig" in runpy.run_path(configuration_dlfa.__file__)
        return
    with pytest.raises(ImportError, match=f"^transformers>=5.4 is required .* found transformers=={found}"):
        runpy.run_path(configuration_dlfa.__file__)
