"""Generates what follows from the tables: ports, faces, wrappers and commits as pages, the machines as TLA+.

``python -m mobstore.properties.generate`` writes the files; with ``--check`` it only says which are stale.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib.util
import inspect
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from mobstore.model import OPERATIONS, ROWS, STORES, _json, _time, operations, values
from mobstore.model.callers import commits
from mobstore.model.callers.commits import COMMITS, Apply
from mobstore.model.wrappers import Absent, Comparison, Equals, NotTerminal, Put, Unknown, Write
from mobstore.properties.chapters import CHAPTERS
from mobstore.properties.levels import Level, level_of
from mobstore.properties.refinement import PROFILES
from mobstore.properties.schema import schema_text
from mobstore.properties.tla.scopes import SCOPES
from mobstore.properties.zoo import ZOO
from mobstore.properties.zoo.twins import TWINS

ROOT: Final = Path(__file__).resolve().parent.parent

_TITLES: Final = {
    "run": ("RunStore", "runs", "4"),
    "event": ("EventStore", "events", "5"),
    "metadata": ("RuntimeMetadataStore", "metadata", "6"),
    "spec": ("SpecStore", "specs", "7"),
    "profile": ("RealmProfileStore", "profiles", "7"),
}
# What a parameter accepts beside the type of the field that it becomes: the constructor converts it.
_ACCEPTS: Final = {
    "Document": "Document | JsonValue",
    "Payload": "Payload | JsonValue",
    "RunId": "RunId | UUID | str",
    "Timestamp": "Timestamp | datetime",
    "tuple[MobMachineInput, ...]": "Sequence[MobMachineInput]",
    "tuple[NewMobEvent, ...]": "Sequence[NewMobEvent]",
    "U64": "int",
    "U64 | None": "int | None",
    "tuple[LoopId, U64] | None": "tuple[LoopId, int] | None",
}
_NOTICE: Final = '"""{}\n\nMade from the operations by `mobstore.properties.generate`: do not edit.\n"""\n'


@attrs.frozen
class Parameter:
    """A parameter of a call, as source text."""

    name: str
    type: str
    default: str | None

    def __str__(self) -> str:
        return f"{self.name}: {self.type}" + ("" if self.default is None else f" = {self.default}")


@attrs.frozen
class Call:
    """A call, as source text."""

    store: str
    name: str
    operation: str
    parameters: tuple[Parameter, ...]
    answer: str
    summary: str


def calls() -> list[Call]:
    """Return every call in the order of the trait, with the names that ``operations`` itself uses for types."""
    spec = importlib.util.find_spec(operations.__name__)
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return [
        Call(
            store,
            name,
            operation.__name__,
            tuple(_parameters(classes, operation.__name__)),
            _answer(classes, operation.__name__),
            (operation.__doc__ or "").strip().splitlines()[0],
        )
        for (store, name), operation in OPERATIONS.items()
    ]


def _parent(node: ast.ClassDef) -> ast.expr:
    return node.bases[0]


def _answer(classes: dict[str, ast.ClassDef], name: str) -> str:
    parent = _parent(classes[name])
    if isinstance(parent, ast.Subscript):
        return ast.unparse(parent.slice)
    return _answer(classes, ast.unparse(parent))


def _parameters(classes: dict[str, ast.ClassDef], name: str) -> Iterator[Parameter]:
    node = classes[name]
    own = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    own_names = {ast.unparse(item.target) for item in own}
    parent = _parent(node)
    if isinstance(parent, ast.Name):
        yield from (item for item in _parameters(classes, parent.id) if item.name not in own_names)
    for item in own:
        type_ = ast.unparse(item.annotation)
        default = None if item.value is None else ast.unparse(item.value)
        yield Parameter(ast.unparse(item.target), _ACCEPTS.get(type_, type_), default)


def _method(call: Call, *, prefix: str = "def", wait: str = "", body: bool = True) -> str:
    signature = ", ".join(["self", *map(str, call.parameters)])
    arguments = ", ".join(parameter.name for parameter in call.parameters)
    lines = [f"    {prefix} {call.name}({signature}) -> {call.answer}:", f'        """{call.summary}"""']
    if body:
        lines.append(f"        return {wait}self._execute(ops.{call.operation}({arguments}))")
    return "\n".join(lines) + "\n"


def _subscribe(kind: str, *, body: bool) -> str:
    lines = [
        f"    def subscribe(self) -> {kind}:",
        '        """Begin to deliver every event appended from now on, through any handle on the same storage."""',
    ]
    if body:
        lines.append("        return self._subscribe()")
    return "\n".join(lines) + "\n"


def _methods(store: str, *, prefix: str, wait: str, subscription: str, body: bool) -> str:
    return "\n".join(
        _subscribe(subscription, body=body)
        if call.operation == "Subscribe"
        else _method(call, prefix=prefix, wait=wait, body=body)
        for call in calls()
        if call.store == store
    )


def _imports() -> str:
    names = {
        name
        for call in calls()
        for text in (call.answer, *(parameter.type for parameter in call.parameters))
        for name in _names(text)
    } - {"Sequence", "datetime"}
    lines = ["from __future__ import annotations", "from collections.abc import Callable, Sequence"]
    lines += ["from datetime import datetime", "from typing import Protocol", "from uuid import UUID"]
    for module in (_json, _time, values):
        own = sorted(name for name in names if hasattr(module, name))
        names.difference_update(own)
        lines.append(f"from {module.__name__} import {', '.join(own)}")
    lines.append("from mobstore.model import operations as ops")
    lines.append("from mobstore.backends._base import AsyncExecute, AsyncSubscription, Execute, Subscription")
    return "\n".join(lines) + "\n"


def _names(text: str) -> Iterator[str]:
    return (node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name))


def ports() -> str:
    """Return the source of the five ports, for callers that wait and for callers that await."""
    parts = [
        _NOTICE.format("The five store protocols (contract, sections 4 to 7), and their asyncio twins."),
        _imports(),
    ]
    for store in STORES:
        title, _, section = _TITLES[store]
        parts.append(f'class {title}(Protocol):\n    """The {store} store (contract, section {section})."""\n\n')
        parts.append(_methods(store, prefix="def", wait="", subscription="Subscription", body=False))
    for store in STORES:
        title, _, section = _TITLES[store]
        doc = f'"""The {store} store, for asyncio (contract, section {section})."""'
        parts.append(f"class Async{title}(Protocol):\n    {doc}\n\n")
        parts.append(_methods(store, prefix="async def", wait="", subscription="AsyncSubscription", body=False))
    return "\n".join(parts)


def faces() -> str:
    """Return the source of the faces: the ports' methods, each of which executes its operation."""
    parts = [
        _NOTICE.format("The ports' methods, each of which makes its operation and executes it."),
        '# mypy: disable-error-code="arg-type"\n',
        _imports(),
    ]
    for kind, execute, subscription, prefix, wait in (
        ("", "Execute", "Subscription", "def", ""),
        ("Async", "AsyncExecute", "AsyncSubscription", "async def", "await "),
    ):
        for store in STORES:
            title, _, section = _TITLES[store]
            parts.append(_face_header(f"{kind}{title}Face", store, section, execute, subscription))
            parts.append(_methods(store, prefix=prefix, wait=wait, subscription=subscription, body=True))
    return "\n".join(parts)


def _face_header(name: str, store: str, section: str, execute: str, subscription: str) -> str:
    subscribes = store == "event"
    slots = '("_execute", "_subscribe")' if subscribes else '("_execute",)'
    extra = f", subscribe: Callable[[], {subscription}]" if subscribes else ""
    assign = "        self._subscribe = subscribe\n" if subscribes else ""
    return (
        f'class {name}:\n    """The {store} store (contract, section {section})."""\n\n'
        f"    __slots__ = {slots}\n\n"
        f"    def __init__(self, execute: {execute}{extra}) -> None:\n"
        f"        self._execute = execute\n{assign}"
    )


def wrapper_table() -> str:
    """Return the wrapper table as a page."""
    lines = [
        "# The wrapper table",
        "",
        "Made from `model/wrappers.py` by `mobstore.properties.generate`: do not edit.",
        "",
        "Each changing call of the run store is one row. If every comparison holds, all writes happen at once;",
        "if one does not, nothing does. [The contract](contract.md), section 4, says how to read it.",
        "",
        "| call | unknown run | compares | writes | answers |",
        "|---|---|---|---|---|",
    ]
    for row in ROWS:
        compares = "; ".join(map(_comparison_text, row.comparisons)) or "nothing"
        writes = "; ".join(map(_write_text, row.writes))
        answers = "`true`, or `false` when a comparison fails" if row.answers else "nothing"
        unknown = "`false`" if row.unknown is Unknown.FALSE else f"`{row.unknown.value}`"
        lines.append(f"| `{row.name}` | {unknown} | {compares} | {writes} | {answers} |")
    return "\n".join(lines) + "\n"


def _comparison_text(comparison: Comparison) -> str:
    if isinstance(comparison, Equals):
        return f"{comparison.cell.value} = `{comparison.argument}`"
    if isinstance(comparison, NotTerminal):
        return "present status not terminal"
    if isinstance(comparison, Absent):
        return f"{comparison.cell.value} absent" + (
            f" (key of `{comparison.argument}`)" if comparison.argument else ""
        )
    return f"{comparison.cell.value} present (else `Internal`)"


def _write_text(write: Write) -> str:
    if isinstance(write, Put):
        return f"{write.cell.value} := `{write.argument}`"
    once = ", once" if write.once else ""
    return f"{write.cell.value} + `{write.argument}`{once}"


def commit_table() -> str:
    """Return the table of commits as a page, with what its module says about their order."""
    lines = [
        "# What callers commit",
        "",
        "Made from `model/callers/commits.py` by `mobstore.properties.generate`: do not edit.",
        "",
        "A workflow changes its run by these commits, each one call of a store. A commit takes what the call",
        "compares, applies its machine inputs to a copy, in this order, and hands the call both, with the inputs",
        "for the authority log. What is not compared, but looked at, has a reason beside it why that is safe.",
        "",
        "| commit | what it does | call | when | machine inputs | relies on |",
        "|---|---|---|---|---|---|",
    ]
    for commit in COMMITS.values():
        when = "; ".join(guard.name for guard in commit.requires)
        inputs = ", ".join(map(_apply_text, commit.inputs))
        call = f"`{commit.operation.call}`"
        lines.append(f"| {commit.name} | {commit.sentence} | {call} | {when} | {inputs} | {commit.relies} |")
    _, _, order = inspect.cleandoc(commits.__doc__ or "").partition(_ORDER)
    return "\n".join([*lines, "", "## Why not in the original's order", "", f"{_ORDER}{order}"]) + "\n"


_ORDER: Final = "Where the original's order of commits"


def _apply_text(apply: Apply) -> str:
    repeated = " of each node" if apply.each is not None else ""
    due = " where due" if apply.when is not None else ""
    return f"`{apply.input.__name__}`{repeated}{due}"


def tla_page() -> str:
    """Return the page that lists the TLA+ modules."""
    lines = [
        "# The machines and the commit protocols as TLA+",
        "",
        "Made from `properties/tla/scopes.py` by `mobstore.properties.generate`: do not edit.",
        "",
        "Each module is a machine of `model/machines/`, or a protocol of `properties/protocols/`, in a small",
        "scope: the inputs that it gets are listed in it. `mobstore explore --tlc` lets TLC visit every state of",
        "each, and check the laws there; it does the same with the Python functions, and both must count the same",
        "states.",
        "",
        "| module | what it is | laws |",
        "|---|---|---|",
    ]
    for scope in SCOPES.values():
        laws = ", ".join(f"`{law.operator}`" for law in scope.laws) or "none: it is one function, and counted"
        lines.append(f"| [`{scope.name}`]({scope.name}.tla) | {scope.sentence} | {laws} |")
    return "\n".join(lines) + "\n"


def _tla_files() -> Mapping[str, Callable[[], str]]:
    files: dict[str, Callable[[], str]] = {"README.md": tla_page}
    for scope in SCOPES.values():
        files[f"{scope.name}.tla"] = functools.partial(getattr, scope, "module")
        files[f"{scope.name}.cfg"] = functools.partial(getattr, scope, "configuration")
    return {f"specs/tla/{name}": make for name, make in files.items()}


@functools.cache
def _claims() -> str:
    from mobstore.properties.proofs import claims  # noqa: PLC0415 - the faces are made without a solver, too

    return claims.page()


@functools.cache
def _obligations() -> str:
    from mobstore.properties.proofs import claims, registry  # noqa: PLC0415 - as above

    return claims.index(registry.obligations())


def chapters_page() -> str:
    """Return the chapters of the suite as a page."""
    lines = [
        "# The chapters of the suite",
        "",
        "Made from `properties/chapters.py` by `mobstore.properties.generate`: do not edit.",
        "[How a backend is plugged in](writing-a-backend.md) is another page.",
        "",
        "`mobstore check` runs the chapters, the cheap ones first. Each is passed, failed, unknown or not",
        "applicable; a level is earned when every chapter of it, and of the levels before it, has passed, or does",
        "not apply because the contract lets the backend lack what it is about. The bound is of `--profile ci`.",
        "The last column names a broken backend that the chapter must reject, and the step at which it does,",
        "where chance does not decide; and counts those that the zoo has for the chapter (`mobstore zoo`).",
    ]
    for level in Level:
        lines += ["", f"## {level}", "", "| chapter | promise | tried | must reject |", "|---|---|---|---|"]
        for chapter in CHAPTERS:
            if level_of(chapter.name) is level:
                bound = chapter.bound(PROFILES["ci"])
                lines.append(f"| `{chapter.name}` | {chapter.promise} | {bound} | {_twin(chapter.name)} |")
    return "\n".join(lines) + "\n"


def _twin(chapter: str) -> str:
    """Return the broken twin of a chapter, where it is rejected, and how many more are there for the chapter."""
    twin = TWINS[chapter]
    more = sum(backend.chapter == chapter and backend is not twin.backend for backend in ZOO.values())
    where = f" (at {twin.step})" if twin.step else ""
    return f"{twin.backend.mistake}{where}" + (f", and {more} more" if more else "")


FILES: Final[Mapping[str, Callable[[], str]]] = {
    "backends/ports.py": ports,
    "backends/_faces.py": faces,
    "specs/wrapper-table.md": wrapper_table,
    "specs/claims.md": _claims,
    "specs/obligations.md": _obligations,
    "specs/chapters.md": chapters_page,
    "specs/commits.md": commit_table,
    "specs/wire.schema.json": schema_text,
    **_tla_files(),
}
"""Every generated file, by its path in the checkout, with the function that makes its text."""


@functools.cache
def formatted(path: str, text: str) -> str:
    """Return Python source as the project's formatter lays it out; other text as it is."""
    if not path.endswith(".py"):
        return text
    for arguments in (["check", "--fix-only", "--select", "F401,I", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", path, "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        text = done.stdout
    return text


def main() -> int:
    """Write the generated files, or with ``--check`` name the stale ones; 1 when there is any."""
    parser = argparse.ArgumentParser(description=textwrap.dedent(main.__doc__ or ""))
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = 0
    for path, make in FILES.items():
        text = formatted(path, make())
        target = ROOT / path
        if target.exists() and target.read_text("utf-8") == text:
            continue
        stale += 1
        print(f"{path}: {'stale' if check else 'written'}")
        if not check:
            target.parent.mkdir(exist_ok=True)
            target.write_text(text, "utf-8")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main())
