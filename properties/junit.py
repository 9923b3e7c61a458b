"""The report as JUnit's XML, which continuous integration reads: a suite a run, a test a chapter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from mobstore.properties import report
from mobstore.properties.chapter import Context, Result, Verdict
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.known import stale
from mobstore.properties.levels import awarded

_PROMISES = {chapter.name: chapter.promise for chapter in CHAPTERS}
# What XML 1.0 has no form for.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, context: Context, results: Sequence[Result], known: Mapping[str, str]) -> None:
    """Write the report of a run.

    A chapter that failed is a failure, one that is unknown an error; one that does not apply, or is known to fail,
    is skipped; one that is known to fail and did not is a failure.
    """
    suite = ET.Element("testsuite", name=_text(f"mobstore {context.name}"))
    properties = ET.SubElement(suite, "properties")
    for name, value in (
        ("profile", context.profile.name),
        ("seed", str(context.seed)),
        ("level", str(awarded(results) or "none")),
        ("capabilities", str(context.capabilities)),
    ):
        ET.SubElement(properties, "property", name=name, value=_text(value))
    no_longer = set(stale(results, known))
    for result in results:
        _add(suite, context, result, known.get(result.chapter), result.chapter in no_longer)
    for kind in ("failure", "error", "skipped"):
        suite.set("skipped" if kind == "skipped" else f"{kind}s", str(len(suite.findall(f"testcase/{kind}"))))
    suite.set("tests", str(len(results)))
    suite.set("time", f"{sum(result.seconds for result in results):.3f}")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _add(suite: ET.Element, context: Context, result: Result, reason: str | None, no_longer: bool) -> None:
    name = f"{result.chapter}: {_PROMISES.get(result.chapter, '')}".rstrip(": ")
    case = ET.SubElement(suite, "testcase", name=_text(name), classname=_text(f"mobstore.{context.name}"))
    case.set("time", f"{result.seconds:.3f}")
    if no_longer:
        ET.SubElement(case, "failure", message=_text(f"is known to fail, and does not any more: {reason}"))
    elif result.verdict is Verdict.FAILED and reason is not None:
        ET.SubElement(case, "skipped", message=_text(f"known to fail: {reason}"))
    elif result.verdict is Verdict.NOT_APPLICABLE and not result.missing:
        ET.SubElement(case, "skipped", message=_text(result.detail))
    elif result.verdict is not Verdict.PASSED:
        kind = "failure" if result.verdict is Verdict.FAILED else "error"
        told = ET.SubElement(
            case, kind, message=_text(result.detail), type=_text(result.step or result.verdict.value)
        )
        told.text = _text(f"{result.counterexample}\nagain: {report.command(context, result.chapter)}\n")
    out = ET.SubElement(case, "system-out")
    out.text = _text(f"{result.calls:,} calls: {result.detail}")


def _text(text: str) -> str:
    return _NO_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
