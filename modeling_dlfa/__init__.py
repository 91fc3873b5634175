"""Dual-layer feature aggregation (DLFA) for zero-shot cross-lingual transfer of multilingual encoders."""

from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification

from .configuration_dlfa import DLFAConfig
from .modeling_dlfa import (
    DependencyParserOutput,
    DLFAForDependencyParsing,
    DLFAForSequenceClassification,
    DLFAForTokenClassification,
    DLFAModel,
)


__version__ = "0.1.0"

__all__ = [
    "DLFAConfig",
    "DLFAForDependencyParsing",
    "DLFAForSequenceClassification",
    "DLFAForTokenClassification",
    "DLFAModel",
    "DependencyParserOutput",
]

AutoConfig.register(DLFAConfig.model_type, DLFAConfig)
# Of the two, AutoModel takes the one that a checkpoint's configuration names as its architecture, else the first.
AutoModel.register(DLFAConfig, (DLFAModel, DLFAForDependencyParsing))  # pyright: ignore[reportArgumentType]
AutoModelForSequenceClassification.register(DLFAConfig, DLFAForSequenceClassification)
AutoModelForTokenClassification.register(DLFAConfig, DLFAForTokenClassification)
