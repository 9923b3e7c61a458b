"""The page of ``mobstore check --html``, in a real browser: by keyboard, on a phone, without a network."""

import pytest

from mobstore.model import operations as ops
from mobstore.properties.chapter import Context, Result, Verdict
from mobstore.properties.check_page import page
from mobstore.properties.cli import main
from mobstore.properties.concurrency import Face, repeat
from mobstore.properties.refinement import PROFILES
from mobstore.properties.schedules import RACES, rivals
from mobstore.properties.subject import MemoryFactory


@pytest.fixture
def written(tmp_path, monkeypatch, capsys):
    """The page of a run with a failure."""
    (tmp_path / "mine.py").write_text(
        "from mobstore.properties.zoo import ZOO\nfactory = ZOO['delete-ignores-revision']\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "report.html"
    chapters = [part for name in ("smoke", "comparisons", "crashes") for part in ("--chapter", name)]
    assert main(["check", "mine:factory", "--seed", "1", *chapters, "--html", str(path)]) == 1
    assert "mine:factory: FAILED" in capsys.readouterr().out
    return path


def test_the_page_says_what_the_command_says(written):
    """Level, chapters, bounds, the seed, and the program to paste."""
    text = written.read_text()
    assert "<title>mine:factory: failed</title>" in text
    for said in (
        "<dt>level</dt><dd>none</dd>",
        "1 passed, 1 failed, 1 not applicable",
        "profile ci, seed 1",
        "answers (1 of 4): answers single calls as the contract says",
        "57 calls",
        "def test_counterexample() -&gt; None:",
        "mobstore check mine:factory --profile ci --seed 1 --chapter comparisons",
        "left out</span> capabilities, rows, values, ",
    ):
        assert said in text
    assert "http" not in text.replace("http-equiv", "")


def test_a_backend_s_words_are_no_html():
    """Whatever it calls itself."""
    context = Context(MemoryFactory, "<script>alert(1)</script>", "X()", PROFILES["quick"], 1)
    assert "<script>alert" not in page(context, [], {})


def test_calls_at_once_have_a_lane_for_each_caller():
    """With the calls that no order explains marked."""
    race = RACES["lost-update"]
    failure = repeat(race, Face.THREADS, rivals(ops.AppendFailureEntry, 2), times=500)
    failed = Result("threads", Verdict.FAILED, 1.0, 2, "lost", "def test(): ...", 2, trace=failure.lines())
    text = page(Context(race, "race", "X()", PROFILES["quick"], 1), [failed], {})
    for lane in ("caller 0", "caller 1", "looks on"):
        assert f">{lane}</b>" in text
    assert 'href="#chapter-threads"' in text


PHONE, DESK = (390, 800), (1200, 900)


@pytest.fixture
def opened(browser, screen, written):
    """Open the page on a screen; return what evaluates an expression in it."""

    def open_page(size):
        screen(*size)
        browser.get(written.as_uri())
        assert browser.get_log("browser") == []
        return lambda expression: browser.execute_script(f"return {expression}")

    return open_page


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_page_fits_the_screen(opened, size):
    """Nothing is wider than the screen, and what is touched is large enough."""
    evaluate = opened(size)
    assert evaluate("document.documentElement.scrollWidth") <= size[0]
    heights = evaluate("[...document.querySelectorAll('summary')].map((each) => each.offsetHeight)")
    heights += evaluate("[...document.querySelectorAll('nav a')].map((each) => each.offsetHeight)")
    assert len(heights) == 4
    assert min(heights) >= 44


def test_what_failed_is_open_and_the_rest_opens_by_a_key(opened, browser):
    """By the space bar, as a button does."""
    from selenium.webdriver import ActionChains, Keys

    evaluate = opened(DESK)
    name = "each.querySelector('summary').textContent"
    assert evaluate(f"[...document.querySelectorAll('details[open]')].map((each) => {name})") == [
        "failed comparisons"
    ]
    evaluate("document.querySelector('summary').focus()")
    assert evaluate("document.querySelector('details').open") is False
    ActionChains(browser).send_keys(Keys.SPACE).perform()
    assert evaluate("document.querySelector('details').open") is True
    assert "57 calls" in evaluate("document.querySelector('details').innerText")


def test_what_failed_is_told_first_and_leads_there(opened, browser):
    """By a link, above all chapters."""
    from selenium.webdriver.common.by import By

    evaluate = opened(PHONE)
    (link,) = browser.find_elements(By.CSS_SELECTOR, "nav a")
    assert link.text == "comparisons"
    assert link.location["y"] < evaluate("document.querySelector('details').getBoundingClientRect().top")
    link.click()
    assert -1 <= evaluate("document.getElementById('chapter-comparisons').getBoundingClientRect().top") < 400


def test_the_calls_of_a_counterexample_are_walked_by_keys(opened, browser):
    """The last one is the one that is wrong, with what the contract says and what came instead."""
    from selenium.webdriver import ActionChains, Keys

    evaluate = opened(DESK)
    calls = evaluate("[...document.querySelectorAll('.call')].map((each) => each.textContent)")
    assert calls[-1].strip() == "delete_spec"
    evaluate("document.querySelector('.call').focus()")
    for _ in calls:
        ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    shown = evaluate(
        "[...document.querySelectorAll('.shown article')].filter((each) => each.offsetParent)[0].innerText"
    )
    for said in ("stores.specs.delete_spec", "the contract says", "False", "the backend answered", "True"):
        assert said in shown
    assert Verdict.FAILED.value in evaluate("document.title")
