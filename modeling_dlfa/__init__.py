"""Dual-layer feature aggregation (DLFA) for zero-shot cross-lingual transfer of multilingual encoders."""

from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification

from .configuration_dlfa import DLFAConfig
from .modeling_dlfa import DLFAForSequenceClassification, DLFAForTokenClassification, DLFAModel


__version__ = "0.1.0"

__all__ = ["DLFAConfig", "DLFAForSequenceClassification", "DLFAForTokenClassification", "DLFAModel"]

AutoConfig.register(DLFAConfig.model_type, DLFAConfig)
AutoModel.register(DLFAConfig, DLFAModel)
AutoModelForSequenceClassification.register(DLFAConfig, DLFAForSequenceClassification)
AutoModelForTokenClassification.register(DLFAConfig, DLFAForTokenClassification)
