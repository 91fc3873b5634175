"""What the values of arguments mean, however they are written."""

from typing import Any

from ..tasks.registry import get_task
from .arguments import JSON_ARGUMENTS, fused_layers, json_object, stage_tasks
from .declared import number_or_auto
from .regimes import get_regime
from .selection import PREFIX


def parsed(name: str, value: Any) -> Any:
    """A value as it is meant: numbers as numbers, JSON as what it says."""
    if name in JSON_ARGUMENTS and isinstance(value, str):
        return json_object(name, value)
    if name == "intermediate_tasks" and isinstance(value, str):
        return ",".join(get_task(stage).identity for stage in stage_tasks(value))
    if name == "train" and isinstance(value, str):
        return get_regime(value).name
    if name == "metric_for_best_model" and value is not None:
        return value.removeprefix(PREFIX)
    if name == "no_answer_threshold":
        return number_or_auto(name, value)
    return fused_layers(value) if name == "fusion_layer" else value
