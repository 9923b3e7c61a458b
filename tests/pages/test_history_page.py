"""The page of ``mobstore history --html``, in a real browser: by pointer, by keyboard, on a phone."""

import json
import random

import pytest

from mobstore.properties.cli import main
from mobstore.properties.linearizability.jsonl import events_of, write_events
from mobstore.properties.linearizability.random_histories import KINDS, Shape, draw_history

BAD = [
    ("a", "invoke", "cas", [None, 1], {}),
    ("b", "invoke", "cas", [1, 2], {}),
    ("c", "invoke", "read", None, {}),
    ("c", "ok", "read", 2, {}),
    ("c", "invoke", "read", None, {}),
    ("c", "ok", "read", 1, {}),
    ("a", "ok", "cas", [None, 1], {"result": True}),
    ("b", "info", "cas", [1, 2], {}),
    ("c", "invoke", "read", None, {}),
    ("c", "ok", "read", "</script><script>document.title='hacked'</script>", {}),
]


def lines(events):
    return "\n".join(
        json.dumps({"process": process, "type": kind, "f": f, "value": value, **more})
        for process, kind, f, value, more in events
    )


@pytest.fixture
def page_of(tmp_path, capsys):
    """Return the path of the page of a history, and the exit code."""

    def make(text, model="cas-register"):
        (tmp_path / "history.jsonl").write_text(text)
        page = tmp_path / "history.html"
        code = main(["history", str(tmp_path / "history.jsonl"), "--model", model, "--html", str(page)])
        capsys.readouterr()
        return page, code

    return make


@pytest.fixture
def opened(browser, screen, page_of):
    """Open the page of a history; return what evaluates an expression in it."""

    def open_page(text, size=(1200, 900), model="cas-register"):
        screen(*size)
        page, _ = page_of(text, model)
        browser.get(page.as_uri())
        assert browser.get_log("browser") == []
        return lambda expression: browser.execute_script(f"return {expression}")

    return open_page


SHOWN = (
    "[...document.querySelectorAll('.shown article')].filter((each) => each.offsetParent).map((each) => each.id)"
)
CHOSEN = "document.querySelector('.call[aria-pressed=true]').dataset.shows"


def press(browser, key):
    from selenium.webdriver import ActionChains

    ActionChains(browser).send_keys(key).perform()


def test_the_page_says_what_the_command_says(page_of):
    page, code = page_of(lines(BAD[:8]))
    text = page.read_text()
    assert code == 1
    assert "<title>history.jsonl: not linearizable</title>" in text
    assert "comes before call" in text
    assert page_of(lines(BAD[:4]))[1] == 0


def test_a_page_that_cannot_be_written_is_an_error(tmp_path, capsys):
    (tmp_path / "history.jsonl").write_text(lines(BAD[:4]))
    command = ["history", str(tmp_path / "history.jsonl"), "--model", "cas-register"]
    assert main([*command, "--html", str(tmp_path / "none" / "page.html")]) == 2
    assert "page.html: No such file" in capsys.readouterr().err


def test_every_call_is_a_bar_and_the_first_offending_one_is_shown(opened):
    tell = opened(lines(BAD[:8]))
    assert tell("document.querySelectorAll('.call').length") == 4
    assert tell("[...document.querySelectorAll('.lane b')].map((each) => each.textContent)") == ["a", "b", "c"]
    assert tell("document.querySelectorAll('.call.bad').length") >= 2
    assert tell("document.querySelectorAll('.point').length") >= 2
    (shown,) = tell(SHOWN)
    assert shown == tell("document.querySelector('.call.bad').dataset.shows")


def test_a_call_is_found_by_clicking(opened, browser):
    tell = opened(lines(BAD[:8]))
    for place in range(4):
        browser.execute_script("document.querySelectorAll('.call')[arguments[0]].scrollIntoView()", place)
        browser.find_elements("css selector", ".call")[place].click()
        assert tell(SHOWN) == [f"call-0-{place}"]
        assert tell(CHOSEN) == f"call-0-{place}"


def test_the_states_around_the_offending_call_are_shown(opened, browser):
    opened(lines(BAD[:8]))
    browser.find_element("css selector", "[data-shows=call-0-3]").click()
    text = browser.find_element("id", "call-0-3").text
    assert "answered\n1" in text
    assert "state before it\n2" in text
    assert "would be answered there\n2" in text
    browser.find_element("css selector", "[data-shows=call-0-2]").click()
    assert "state before\n2\nstate behind\n2" in browser.find_element("id", "call-0-2").text


def test_calls_are_walked_by_keyboard(opened, browser):
    from selenium.webdriver import Keys

    tell = opened(lines(BAD[:8]))
    browser.find_elements("css selector", ".call")[0].click()
    seen = []
    for key in (Keys.ARROW_RIGHT, Keys.END, Keys.ARROW_LEFT, Keys.HOME, Keys.ARROW_DOWN, Keys.ARROW_UP):
        press(browser, key)
        assert tell(SHOWN) == [tell(CHOSEN)]
        assert tell("document.activeElement.dataset.shows") == tell(CHOSEN), "the focus goes along"
        seen.append(tell(CHOSEN)[-1])
    assert seen == ["1", "3", "2", "0", "1", "0"]


def test_the_timeline_is_one_stop_of_the_tab_key(opened):
    tell = opened(lines(BAD[:8]))
    assert tell("[...document.querySelectorAll('.call')].filter((each) => each.tabIndex === 0).length") == 1


def test_n_and_p_go_from_one_offending_call_to_the_next(opened, browser):
    from selenium.webdriver import Keys

    tell = opened(lines(BAD[:8]))
    bad = tell("[...document.querySelectorAll('.call.bad')].map((each) => each.dataset.shows)")
    browser.find_elements("css selector", ".call")[0].click()
    press(browser, Keys.HOME)
    walked = [tell(CHOSEN)] if tell(CHOSEN) in bad else []
    while len(walked) < len(bad):
        press(browser, "n")
        walked.append(tell(CHOSEN))
    assert walked == bad
    press(browser, "p")
    assert tell(CHOSEN) == bad[-2]


def test_a_step_of_the_proof_leads_to_its_call(opened, browser):
    tell = opened(lines(BAD[:8]))
    for go in browser.find_elements("css selector", ".go"):
        go.click()
        assert tell(CHOSEN) == go.get_attribute("data-go")


def test_what_a_history_says_is_text(opened):
    tell = opened(lines(BAD[8:]))
    assert tell("document.title") == "history.jsonl: not linearizable"
    assert "hacked" in tell("document.body.textContent")


def test_a_phone_shows_it_without_scrolling_sideways(opened, browser):
    """Only the timeline is wider; text is large enough to read, and bars to touch."""
    tell = opened(lines(BAD), (360, 740))
    assert tell("document.documentElement.scrollWidth") <= 360
    assert tell("document.querySelector('.timeline').scrollWidth > 360")
    text = "[...document.querySelectorAll('p, dd, dt, .call, .go, code')]"
    sizes = f"{text}.map((each) => parseFloat(getComputedStyle(each).fontSize))"
    assert min(tell(sizes)) >= 14
    heights = "[...document.querySelectorAll('.call, .go')].map((each) => each.getBoundingClientRect().height)"
    assert min(tell(heights)) >= 24
    browser.find_element("css selector", "[data-go]").click()
    left, right = tell(
        "(() => { const at = document.querySelector('.call[aria-pressed=true]').getBoundingClientRect();"
        " return [at.left, at.right]; })()"
    )
    assert left < 360, "the call that was asked for is in sight"
    assert right > 84


@pytest.mark.parametrize(
    ("kind", "lies"), [("map, fresh texts", 0), ("map, fresh texts", 1), ("stores, one run and more", 1)]
)
def test_of_a_long_history_what_matters_is_drawn(opened, tmp_path, kind, lies):
    make, draw = KINDS[kind]
    model = make()
    history = draw_history(random.Random(4), model, draw, Shape(700, 4, 0.02, lies))
    with (tmp_path / "long.jsonl").open("w") as file:
        write_events(events_of(history), file, model.plain)
    tell = opened((tmp_path / "long.jsonl").read_text(), model=model.name)
    bars = tell("[...document.querySelectorAll('section')].map((each) => each.querySelectorAll('.call').length)")
    assert len(bars) >= 2
    assert 0 < max(bars) <= 340
