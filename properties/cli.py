"""Hold backends, histories, files and proofs of the mobstore contract to what they claim.

Exit codes: 0 it holds, 1 a violation, 2 it could not tell (or bad arguments).
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import Final

_COMMANDS: Final = {
    "check": ("mobstore.properties.check", "hold a backend to the contract"),
    "replay": ("mobstore.properties.replay", "make recorded calls on a backend and compare the answers"),
    "audit": ("mobstore.properties.audit", "say what a database file holds, and what in it is broken"),
    "convert": ("mobstore.properties.convert", "turn a file of the original into one of ours, or back"),
    "history": ("mobstore.properties.linearizability.command", "say whether a recorded history is linearizable"),
    "zoo": ("mobstore.properties.menagerie", "show that the suite rejects every broken backend"),
    "durability": ("mobstore.properties.durability", "cut the power, and let the disk fail, in every call"),
    "prove": ("mobstore.properties.prove", "settle every obligation in two solvers"),
    "schedules": ("mobstore.properties.schedules.command", "take our backends through every interleaving of calls"),
    "workflows": ("mobstore.properties.workflows.command", "drive workflows by turns, at once, and with deaths"),
    "serve": ("mobstore.properties.serve", "serve one of our backends to a program, in JSON lines"),
    "protocols": ("mobstore.properties.protocols.command", "tell how backends commit, and refute the wrong ways"),
    "explore": ("mobstore.properties.explore", "visit every state of the machines and protocols in small scopes"),
    "bench": ("mobstore.properties.bench", "measure our own backends"),
}
"""Each command with the module that has its ``add_arguments`` and ``run``; imported when it is asked for."""

_EXTRAS: Final = {"prove": "check,prove"}
"""What a command needs besides ``check``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the arguments name, and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="mobstore", description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in _COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        if name in given[:1]:
            try:
                importlib.import_module(module).add_arguments(command)
            except ModuleNotFoundError as error:
                print(
                    f"mobstore {name}: needs {error.name}: pip install 'mobstore[{_EXTRAS.get(name, 'check')}]'",
                    file=sys.stderr,
                )
                return 2
    parsed = parser.parse_args(given)
    code: int = importlib.import_module(_COMMANDS[parsed.command][0]).run(parsed)
    return code


if __name__ == "__main__":
    sys.exit(main())
