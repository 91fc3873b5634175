"""To the Hub: what of a run's folder is published, and one commit that holds it."""

from typing import TYPE_CHECKING

from .._lazy import offer


if TYPE_CHECKING:
    from .checkpoint import Checkpoint, read_checkpoint
    from .errors import PublishingError
    from .hub import Publication, publish


__all__ = ["Checkpoint", "Publication", "PublishingError", "publish", "read_checkpoint"]

offer(
    __name__,
    {
        "Checkpoint": "checkpoint",
        "Publication": "hub",
        "PublishingError": "errors",
        "publish": "hub",
        "read_checkpoint": "checkpoint",
    },
)
