"""What the command must know of failures before it imports what publishes."""

import re

from ..privacy import without_secrets


class PublishingError(RuntimeError):
    """The Hub did not do what it was asked. The message is a single line without the token."""


def without_tokens(text: str) -> str:
    """A text with stars in place of secrets, and of everything that looks like a token of the Hub even from afar."""
    return re.sub(r"\bhf_[\w-]{4,}", "***", without_secrets(text))
