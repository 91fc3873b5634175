"""Dual-layer feature aggregation (DLFA) for zero-shot cross-lingual transfer of multilingual encoders.

Importing this imports neither torch nor transformers; what is offered here is imported when it is asked for. From then
on the Auto classes know DLFA, whether transformers is imported before or after.
"""

from typing import TYPE_CHECKING

from ._auto import install
from ._lazy import offer


if TYPE_CHECKING:
    from .configuration_dlfa import DLFAConfig
    from .errors import InputError
    from .modeling_dlfa import (
        DependencyParserOutput,
        DLFAForDependencyParsing,
        DLFAForMaskedLM,
        DLFAForMultipleChoice,
        DLFAForQuestionAnswering,
        DLFAForSequenceClassification,
        DLFAForTokenClassification,
        DLFAMaskedLMOutput,
        DLFAModel,
        DLFAMultipleChoiceModelOutput,
        DLFAOutput,
        DLFAQuestionAnsweringModelOutput,
        DLFASequenceClassifierOutput,
        DLFATokenClassifierOutput,
        register_fusion,
    )
    from .predict import predict  # pyright: ignore[reportMissingImports]
    from .tasks.kinds import register_kind
    from .tasks.registry import get_task
    from .tasks.task import Task
    from .training.api import run
    from .training.objectives import register_objective
    from .training.results import RunResults
    from .vectors import sentence_vectors


__version__ = "0.2.0"

__all__ = [
    "DLFAConfig",
    "DLFAForDependencyParsing",
    "DLFAForMaskedLM",
    "DLFAForMultipleChoice",
    "DLFAForQuestionAnswering",
    "DLFAForSequenceClassification",
    "DLFAForTokenClassification",
    "DLFAMaskedLMOutput",
    "DLFAModel",
    "DLFAMultipleChoiceModelOutput",
    "DLFAOutput",
    "DLFAQuestionAnsweringModelOutput",
    "DLFASequenceClassifierOutput",
    "DLFATokenClassifierOutput",
    "DependencyParserOutput",
    "InputError",
    "RunResults",
    "Task",
    "get_task",
    "predict",
    "register_fusion",
    "register_kind",
    "register_objective",
    "run",
    "sentence_vectors",
]

_HOMES = {
    "configuration_dlfa": ("DLFAConfig",),
    "errors": ("InputError",),
    "modeling_dlfa": (
        *("DLFAForDependencyParsing", "DLFAForMaskedLM", "DLFAForMultipleChoice", "DLFAForQuestionAnswering"),
        *("DLFAForSequenceClassification", "DLFAForTokenClassification", "DLFAMaskedLMOutput", "DLFAModel"),
        *("DLFAMultipleChoiceModelOutput", "DLFAOutput", "DLFAQuestionAnsweringModelOutput"),
        *("DLFASequenceClassifierOutput", "DLFATokenClassifierOutput", "DependencyParserOutput"),
        "register_fusion",
    ),
    "predict": ("predict",),
    "tasks.kinds": ("register_kind",),
    "tasks.registry": ("get_task",),
    "tasks.task": ("Task",),
    "training.api": ("run",),
    "training.objectives": ("register_objective",),
    "training.results": ("RunResults",),
    "vectors": ("sentence_vectors",),
}

offer(__name__, {name: module for module, names in _HOMES.items() for name in names})
install()
