"""The page in a browser, used as a person does: with mouse and keyboard, and without network."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from modeling_dlfa import predict
from tests.browser import CHROMIUM


if not CHROMIUM.exists():
    pytest.skip(f"there is no {CHROMIUM}", allow_module_level=True)
pytest.importorskip("gradio", reason="gradio is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from modeling_dlfa.demo.__main__ import LOOPBACK  # noqa: E402
from modeling_dlfa.demo.page import serve  # noqa: E402
from modeling_dlfa.demo.runs import examples, open_runs  # noqa: E402


pytestmark = pytest.mark.slow

LIMIT, PAUSE = 60_000, 1_000  # milliseconds


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield opened
        opened.close()


class Person:
    """Somebody at the page, who sees what goes wrong on it."""

    def __init__(self, browser, url: str):
        self.page = browser.new_page(viewport={"width": 1200, "height": 900})
        self.page.set_default_timeout(LIMIT)
        self.requested: list[str] = []
        self.console: list[str] = []
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("websocket", lambda socket: self.requested.append(socket.url))
        self.page.on("console", lambda line: self.console.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.console.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.goto(url)
        self.field(0).wait_for()
        self.look()

    def look(self) -> None:
        """Take the time that a person takes: gradio sets fields anew when the page or an answer has come."""
        self.page.wait_for_timeout(PAUSE)

    def field(self, number: int):
        return self.page.locator(f"#field-{number} textarea, #field-{number} input").first

    def type(self, *texts: str) -> None:
        for number, text in enumerate(texts):
            self.field(number).fill(text)

    def press(self, text: str) -> None:
        """Press the keys of a text in the field with the focus; again, as one would, where gradio took some away."""
        for _ in range(3):
            self.page.keyboard.press("ControlOrMeta+a")
            self.page.keyboard.type(text, delay=30)
            self.look()
            if self.page.evaluate("document.activeElement.value") == text:
                return

    def show(self) -> None:
        """Press the button and wait for what it brings."""
        self._until_new(lambda: self.page.get_by_role("button", name="Show", exact=True).click())

    def choose(self, example: int) -> None:
        def choose() -> None:
            self.page.locator("#example input").click()
            self.page.get_by_role("option").nth(example).click()

        self._until_new(choose)

    def switch(self, model: str) -> None:
        self._until_new(lambda: self.page.locator("#model").get_by_label(model, exact=True).check())

    def _until_new(self, act) -> None:
        """What is there is marked, and gone when the answer has come."""
        self.page.evaluate("document.querySelectorAll('.dlfa-answers').forEach(one => one.id = 'before')")
        act()
        self.page.locator(".dlfa-answers:not(#before)").wait_for()
        self.page.wait_for_function("!document.querySelector('#before')")

    @property
    def columns(self) -> list[str]:
        return [column.get_attribute("aria-label") or "" for column in self.page.locator(".dlfa-answer").all()]

    @property
    def failures(self) -> list[str]:
        return self.page.locator(".dlfa-failure").all_inner_texts()

    def labels(self, column: int = 0) -> list[str]:
        return self.page.locator(".dlfa-answer").nth(column).locator(".dlfa-labelled b").all_inner_texts()

    def text(self) -> str:
        return self.page.locator("#result").inner_text()

    def leave(self) -> None:
        """Nothing went wrong, and nothing was asked for elsewhere."""
        self.page.close()
        elsewhere = [url for url in self.requested if urlsplit(url).hostname not in (LOOPBACK, None)]
        assert self.requested and elsewhere == []
        assert self.console == []


@pytest.fixture(scope="module")
def page_of(browser, run_of) -> Iterator:
    """page_of(task, flags of a second run): its page, opened anew."""
    served, left = {}, []

    def page(task: str, *second: str) -> Person:
        if (task, *second) not in served:
            folders = [str(run_of(task)), *([str(run_of(task, *second))] if second else [])]
            context = serve(open_runs(folders), LOOPBACK)
            served[(task, *second)] = context.__enter__().url
            left.append(context)
        return Person(browser, served[(task, *second)])

    yield page
    for context in left:
        context.__exit__(None, None, None)


BASELINE = ("--fusion", "none")


def test_type_choose_and_switch(page_of, run_of):
    person = page_of("udpos", *BASELINE)
    person.type("n1 v2 d3 p4")
    person.show()
    assert person.columns == ["DLFA k=1", "baseline"]
    for column, flags in enumerate(((), BASELINE)):
        assert person.labels(column) == predict(run_of("udpos", *flags), ["n1 v2 d3 p4"])[0]["tags"]
    assert person.page.locator(".dlfa-gate").count() == 1  # a baseline has none
    assert "How much of layer 1 is used" in person.text()
    code = person.page.locator("#snippet .cm-content").inner_text()
    assert "predict(run, [asked])" in code and repr(str(run_of("udpos"))) in code and "'n1 v2 d3 p4'" in code

    person.switch("baseline")
    assert person.columns == ["baseline"] and person.page.locator(".dlfa-gate").count() == 0
    assert len(person.labels()) == 4

    known = examples(open_runs([str(run_of("udpos"))])[0].task)
    for number in (0, 13):  # English, then another language
        person.choose(number)
        assert person.field(0).input_value() == known[number].typed[0]
        assert person.columns == ["baseline"] and person.labels()
    person.switch("both")
    assert person.columns == ["DLFA k=1", "baseline"]
    person.leave()


def test_by_keyboard(page_of):
    """From the top of the page by Tab alone: model, example, text, button; and Shift with Enter in the text."""
    person = page_of("udpos", *BASELINE)
    keyboard, reached = person.page.keyboard, []
    person.page.evaluate("document.activeElement.blur()")
    for _ in range(12):
        keyboard.press("Tab")
        reached.append(person.page.evaluate("document.activeElement.closest('#model, #example, #field-0, #show')?.id"))
        if reached[-1] == "field-0":
            person.press("n1 v2")
            assert person.field(0).input_value() == "n1 v2"
        if reached[-1] == "show":
            person._until_new(lambda: keyboard.press("Enter"))
            break
    assert [place for place in dict.fromkeys(reached) if place] == ["model", "example", "field-0", "show"]
    assert len(person.labels()) == 2
    person.field(0).focus()
    person.look()
    person.press("n1 v2 d3")
    assert person.field(0).input_value() == "n1 v2 d3"
    person._until_new(lambda: keyboard.press("Shift+Enter"))
    assert len(person.labels()) == 3
    person.page.locator("#example input").focus()
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    person._until_new(lambda: keyboard.press("Enter"))
    assert person.field(0).input_value() not in ("", "n1 v2 d3")
    person.leave()


HOSTILE = "<img src=x onerror=alert(1)> <script>alert(2)</script> ${alert(3)} {{7*7}} &lt;b&gt;"


DRAWN = {"panx": "p.dlfa-text", "uddep": "svg.dlfa-tree path.dlfa-arc", "xnli": ".dlfa-shares .dlfa-bar"}


@pytest.mark.parametrize("task", DRAWN)
def test_answers_are_drawn_and_markup_is_text(page_of, task: str):
    person = page_of(task)
    person.type(*[HOSTILE] * (2 if task == "xnli" else 1))
    person.show()
    assert person.failures == [] and person.page.locator(f"#result {DRAWN[task]}").count() >= 1
    assert person.page.locator("#result img, #result script, #result b img").count() == 0
    text = person.text() + "".join(person.page.locator("#result svg text").all_text_contents())
    for part in ("alert", "script", "img", "onerror") if task != "xnli" else ():
        assert part in text
    assert "49" not in text.split()
    person.leave()


@pytest.mark.parametrize("task", ["panx", "uddep", "xquad"])
def test_an_empty_and_a_very_long_text(page_of, task: str):
    person = page_of(task)
    person.show()
    (said,) = person.failures
    assert "expected some text, it is empty" in said and "\n" not in said
    long = ("p1 l2 o3 " * 2223)[:20_000]
    person.type(*(["well", long] if task == "xquad" else [long]))
    person.show()
    assert person.failures == [] and len(person.page.locator(".dlfa-note").all()) >= 1
    if task == "uddep":
        assert "what lies behind is not read" in person.text()
    if task == "xquad":
        assert person.page.locator("#result .dlfa-headline").count() == 1
    notes = [note for note in person.page.locator(".dlfa-note").all_inner_texts() if "are drawn" in note]
    assert notes
    assert person.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    person.type(*(["", long] if task == "xquad" else [" "]))
    person.show()  # and back
    assert len(person.failures) == 1
    person.leave()
