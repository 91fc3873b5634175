"""The page itself, made with gradio: what is typed on top, what the runs make of it below."""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes import Base

from ..errors import InputError
from ..markup import markdown_text
from .drawing import failure, html
from .runs import DemoRun, Seen, examples, snippet


BOTH = "both"
TITLE = "dlfa demo"

SYSTEM_FONTS = ("ui-sans-serif", "system-ui", "sans-serif")
SYSTEM_MONO = ("ui-monospace", "monospace")


class Served:
    """A page that is served until its context ends.

    Attributes:
        url: of the page.
    """

    def __init__(self, url: str):
        self.url = url

    def wait(self) -> None:
        """Until control-C."""
        threading.Event().wait()


@contextmanager
def serve(runs: Sequence[DemoRun], host: str, port: int | None = None) -> Iterator[Served]:
    """Serve the page of one or two runs.

    Args:
        host: address to listen at.
        port: default: the first free one from 7860 on.
    """
    page = blocks(runs)
    with without_proxy(host, "localhost", "127.0.0.1"):  # gradio asks its own page whether it is there
        page.launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=True,
            share=False,
            quiet=True,
            inbrowser=False,
            ssr_mode=False,
            pwa=False,
            run_history=False,
            enable_monitoring=False,
            mcp_server=False,
            footer_links=[],
            theme=Base(font=SYSTEM_FONTS, font_mono=SYSTEM_MONO),
            css_paths=Path(__file__).parent / "page.css",
        )
    try:
        yield Served(str(page.local_url))
    finally:
        page.close(verbose=False)


@contextmanager
def without_proxy(*hosts: str) -> Iterator[None]:
    """Ask hosts without the proxy of the environment; afterwards the environment is as before."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    # Libraries read the one or the other: both have what either had.
    value = ",".join(dict.fromkeys([*filter(None, before.values()), *hosts]))
    os.environ.update(dict.fromkeys(before, value))
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old


def blocks(runs: Sequence[DemoRun]) -> gr.Blocks:
    """The page, not served yet. Both runs are asked for the same fields."""
    first, names = runs[0], [run.name for run in runs]
    known = examples(first.task)

    def answer(which: str, *typed: str) -> tuple[str, str]:
        asked = [run for run in runs if which in (BOTH, run.name)]
        try:
            code = snippet(asked, typed)
        except InputError as error:
            return failure(str(error)), ""
        return html([run.name for run in asked], [_seen(run, typed) for run in asked]), code

    def chosen(which: str, number: int | None) -> tuple[str, ...]:
        typed = known[number].typed if number is not None else ("",) * len(first.fields)
        return (*typed, *answer(which, *typed))

    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        gr.Markdown(f"# {TITLE}\n\n{markdown_text(_said(first))}")
        with gr.Row():
            which = gr.Radio(
                [BOTH, *names] if len(runs) > 1 else names,
                value=BOTH if len(runs) > 1 else names[0],
                label="Model",
                visible=len(runs) > 1,
                elem_id="model",
            )
            example = gr.Dropdown(
                [(one.name, number) for number, one in enumerate(known)],
                value=None,
                label="Example",
                visible=bool(known),
                elem_id="example",
            )
        boxes: list[Any] = [
            gr.Textbox(
                label=f"{field.label} ({field.hint})" if field.hint else field.label,
                lines=field.lines,
                max_lines=max(8, field.lines),
                elem_id=f"field-{number}",
            )
            for number, field in enumerate(first.fields)
        ]
        show = gr.Button("Show", variant="primary", elem_id="show")
        result = gr.HTML(elem_id="result", padding=False)
        code = gr.Code(language="python", label="The same in Python", interactive=False, elem_id="snippet")
        asked, shown = [which, *boxes], [result, code]
        options: Any = {"concurrency_id": "models", "concurrency_limit": 1, "api_visibility": "private"}
        gr.on([show.click, which.input, *(box.submit for box in boxes)], answer, asked, shown, **options)
        example.input(chosen, [which, example], [*boxes, *shown], **options)
    return page


def _seen(run: DemoRun, typed: Sequence[str]) -> Seen | str:
    try:
        return run.seen(typed)
    except InputError as error:
        return str(error)


def _said(run: DemoRun) -> str:
    """What the page says of its task."""
    fields = " and ".join(field.label.lower() for field in run.fields)
    return f"{run.task}: type {fields} in any language, or choose an example. Show, or Shift and Enter, asks."
