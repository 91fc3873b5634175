"""Text of the user's (names, labels, notes) where markup is read: as it is, and nothing else.

Pages in HTML are made by templates that escape by themselves, tables on the screen by `rich.markup.escape`.
"""

import re


# What GitHub's Markdown would read: escapes, code, links, cells of tables, emphasis, tags and entities.
_SPECIAL = re.compile(r"[\\`|\[\]]|\*+|_+|~{2,}")
_TAG = re.compile(r"<(?=[A-Za-z/!?])|&(?=#|\w+;)")
_BLOCK = re.compile(r"^(\d*)([#>.)=+-])")


def _escaped(match: re.Match[str]) -> str:
    """With a backslash before each; but for stars alone between spaces, and for what stands inside a word."""
    before, after = match.string[: match.start()][-1:], match.string[match.end() :][:1]
    if match[0][0] == "*" and not before.strip() and not after.strip():
        return match[0]
    if match[0][0] == "_" and before.isalnum() and after.isalnum():
        return match[0]
    return "".join(f"\\{character}" for character in match[0])


def markdown_text(text: object) -> str:
    """A text inside a line, a heading or a cell of a table: on one line, with what would be markup escaped."""
    line = " ".join(str(text).split())
    escaped = _SPECIAL.sub(_escaped, line)
    return _TAG.sub(lambda match: "&lt;" if match[0] == "<" else "&amp;", escaped)


def markdown_block(text: object) -> str:
    """A text of several lines: its paragraphs stay, nothing else is read in them."""
    lines = (markdown_text(line) for line in str(text).splitlines())
    return "\n".join(_BLOCK.sub(r"\1\\\2", line) for line in lines)


def markdown_code(text: object) -> str:
    """A text in a span of code, fenced by more backticks than it has in a row."""
    line = " ".join(str(text).split())
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    return f"{fence} {line} {fence}" if line.startswith("`") or line.endswith("`") else f"{fence}{line}{fence}"


def markdown_fence(text: str) -> str:
    """The fence of a block of code that holds this text."""
    return "`" * max(3, 1 + max(map(len, re.findall("`{3,}", text)), default=0))
