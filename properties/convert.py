"""``mobstore convert``: a database file of the original implementation becomes one of ours, or the reverse."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mobstore.backends.sqlite.original import convert
from mobstore.model import MobStoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``mobstore convert``."""
    parser.add_argument("source", type=Path, help="a file of ours or of the original; it is only read")
    parser.add_argument("target", type=Path, help="the file of the other kind to make; it must not exist")


def run(arguments: argparse.Namespace) -> int:
    """Convert and return the exit code: 2 when nothing was made."""
    try:
        content = convert(arguments.source, arguments.target)
    except MobStoreError as error:
        print(f"mobstore convert: {error}", file=sys.stderr)
        return 2
    held = ", ".join(f"{count} {kind}" for kind, count in content.counts().items())
    print(f"{arguments.target}: {held}")
    return 0
