"""To the Hub: what of a run's folder is published, and one commit that holds it."""

from .checkpoint import Checkpoint, read_checkpoint
from .hub import Publication, PublishingError, publish


__all__ = ["Checkpoint", "Publication", "PublishingError", "publish", "read_checkpoint"]
