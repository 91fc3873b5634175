"""What cards show of a model, where kinds share it."""

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from .base import Kind


def pipeline_example(kind: "Kind", repository: str, text: str) -> str:
    """Lines that call a pipeline on a text, given as Python."""
    return (
        "from transformers import pipeline\n\n"
        f'classify = pipeline("{kind.pipeline_tag}", "{repository}", revision="<commit>", trust_remote_code=True)\n'
        f"classify({text})"
    )
