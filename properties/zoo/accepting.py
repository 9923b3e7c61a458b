"""A program over the wire that answers what it cannot read as if it had done it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

from mobstore.backends.wire.server import Server
from mobstore.model import Serialization
from mobstore.properties.serve import Made
from mobstore.properties.subject import MemoryFactory


def accepting(write: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """Return what writes an answer of nothing in place of a refusal."""

    def writing(line: bytes) -> None:
        answer = json.loads(line)
        refused = answer.get("err", {}).get("kind") == Serialization.kind
        write(b'{"id":%d,"ok":null}\n' % answer["id"] if refused else line)

    return writing


if __name__ == "__main__":
    answers = open(1, "wb", buffering=0, closefd=False)  # noqa: SIM115 - as long as the program lives
    Server(Made(MemoryFactory()), accepting(answers.write)).serve(sys.stdin.buffer)
