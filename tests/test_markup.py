"""Text of the user's in Markdown: read back by a parser, it is what it was."""

from html import unescape

import pytest
from markdown_it import MarkdownIt

from modeling_dlfa.markup import markdown_block, markdown_code, markdown_fence, markdown_text


MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = [
    "<img src=x>|x",
    "a|b",
    "`code`",
    "``",
    "*bold* and **bold**",
    "_emphasis_ and __more__",
    "~~gone~~",
    "[text](javascript:alert)",
    "![picture](x)",
    "<!-- comment -->",
    "</table>",
    "<script>alert(1)</script>",
    "&lt;b&gt; &amp; &#60;",
    "back\\slash \\| \\",
    "https://example.org/_x_",
    "<https://example.org>",
]
PLAIN = [
    "de German",
    "en English *",
    "dlfa-k8 (chosen on dev)",
    "B-PER, I-PER",
    "a_b_c",
    "2 * 3",
    "<0.001",
    "R&D, x & y",
]


def rendered(text: str) -> str:
    return MARKDOWN.render(text).strip()


@pytest.mark.parametrize("text", HOSTILE + PLAIN)
def test_a_text_is_read_as_it_is(text: str):
    assert unescape(rendered(f"so {markdown_text(text)}")) == f"<p>so {text}</p>"
    cells = rendered(f"| a | b |\n| --- | --- |\n| {markdown_text(text)} | next |").replace("<td></td>", "")
    assert unescape(cells).count("<td>") == 2
    assert f"<td>{text}</td>" in unescape(cells) and "<td>next</td>" in cells
    assert rendered(f"so {markdown_text(text)}").count("<") == 2


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_no_markup_stays(text: str):
    assert markdown_text(text) == text


def test_lines_become_one():
    assert markdown_text("a\nb\r\n\n# c\td") == "a b # c d"


@pytest.mark.parametrize("text", ["# title", "> quote", "- item", "1. item", "1) item", "===", "---", "+ x"])
def test_a_block_keeps_its_paragraphs_and_nothing_else(text: str):
    assert unescape(rendered(markdown_block(f"first\n\n{text}\n"))) == f"<p>first</p>\n<p>{text}</p>"
    assert unescape(rendered(markdown_block(f"first\n{text}"))) == f"<p>first\n{text}</p>"


@pytest.mark.parametrize("text", ["en", "a`b", "``", "<img src=x>", "`a", "*x*"])
def test_code(text: str):
    assert unescape(rendered(markdown_code(text))) == f"<p><code>{text}</code></p>"
    block = f"{text}\n```\nmore\n"
    fence = markdown_fence(block)
    assert unescape(rendered(f"{fence}\n{block}{fence}")) == f"<pre><code>{block}</code></pre>"
