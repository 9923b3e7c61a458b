"""Makes the pictures of the README from real runs: ``make pictures``, and no part of the tests.

The terminal's is what rich recorded of the run, as SVG; the pages' are what a browser shows of them.
"""

import base64
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME

from mobstore.properties import cli, report

PICTURES = Path(__file__).parents[2] / "specs" / "pictures"
WIDTH = 118
CHAPTERS = ("smoke", "rows", "comparisons", "values", "refines-spec", "threads")
"""Those that the picture of the terminal has room for."""
BROKEN = """\"\"\"A shop's stores, one of which deletes whatever the revision.\"\"\"
from mobstore.properties.zoo import ZOO

ShopFactory = ZOO["delete-ignores-revision"]
"""
STALE_READ = """{"process": 0, "type": "invoke", "f": "write", "value": 1}
{"process": 0, "type": "ok", "f": "write", "value": 1}
{"process": 1, "type": "invoke", "f": "cas", "value": [1, 2]}
{"process": 0, "type": "invoke", "f": "read", "value": null}
{"process": 1, "type": "ok", "f": "cas", "value": [1, 2], "result": true}
{"process": 2, "type": "invoke", "f": "write", "value": 3}
{"process": 0, "type": "ok", "f": "read", "value": 2}
{"process": 1, "type": "invoke", "f": "read", "value": null}
{"process": 2, "type": "ok", "f": "write", "value": 3}
{"process": 1, "type": "ok", "f": "read", "value": 3}
{"process": 0, "type": "invoke", "f": "read", "value": null}
{"process": 0, "type": "ok", "f": "read", "value": 2}
"""


def recorded(command):
    """Run a command; return what it wrote on the terminal, as SVG without a font from elsewhere."""
    console = Console(
        record=True, width=WIDTH, highlight=False, emoji=False, color_system="truecolor", legacy_windows=False
    )
    before, report.Console = report.Console, lambda **_: console
    try:
        console.print(f"$ mobstore {' '.join(command)}", style="bold")
        cli.main(command)
    finally:
        report.Console = before
    svg = console.export_svg(title="mobstore check", theme=DEFAULT_TERMINAL_THEME)
    return re.sub(r"\s*(@font-face \{.*?\}|<!--.*?-->)", "", svg, flags=re.DOTALL).replace(
        "Fira Code", "ui-monospace"
    )


def photographed(browser, page):
    """Return a page as the browser shows it, as PNG."""
    browser.get(page.as_uri())
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(shot["data"])


def test_pictures_are_made(browser, screen, tmp_path, monkeypatch):
    """Of the terminal, of the page at a desk and on a phone, and of a history that no order explains."""
    (tmp_path / "shop.py").write_text(BROKEN)
    (tmp_path / "run.jsonl").write_text(STALE_READ)
    monkeypatch.syspath_prepend(str(tmp_path))
    PICTURES.mkdir(exist_ok=True)
    check, history = tmp_path / "check.html", tmp_path / "history.html"
    command = ["check", "shop:ShopFactory", "--profile", "quick", "--seed", "1"]
    few = [part for name in CHAPTERS for part in ("--chapter", name)]
    (PICTURES / "check.svg").write_text(recorded([*command, *few]))
    assert cli.main([*command, "--html", str(check)]) == 1
    assert (
        cli.main(["history", str(tmp_path / "run.jsonl"), "--model", "cas-register", "--html", str(history)]) == 1
    )
    for name, page, size in (
        ("check", check, (900, 1420)),
        ("check-phone", check, (390, 1100)),
        ("history", history, (820, 880)),
    ):
        screen(*size)
        (PICTURES / f"{name}.png").write_bytes(photographed(browser, page))
