"""The bundle of the five stores over one storage."""

from __future__ import annotations

from typing import Self

from mobstore.backends._base import Engine
from mobstore.backends._faces import (
    EventStoreFace,
    RealmProfileStoreFace,
    RunStoreFace,
    RuntimeMetadataStoreFace,
    SpecStoreFace,
)


class Stores:
    """The five stores over one storage, safe for threads.

    ``runs``, ``events``, ``metadata``, ``specs`` and ``profiles`` are the ports; `execute` takes any call as a
    value.  A context manager: leaving it closes the handles.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.execute = engine.execute
        self.runs = RunStoreFace(engine.execute)
        self.events = EventStoreFace(engine.execute, engine.subscribe)
        self.metadata = RuntimeMetadataStoreFace(engine.execute)
        self.specs = SpecStoreFace(engine.execute)
        self.profiles = RealmProfileStoreFace(engine.execute)

    def another(self) -> Stores:
        """Return another bundle over the same storage and the same handles."""
        return Stores(self.engine)

    def reopen(self) -> None:
        """Drop every handle and open the same storage again; a durable storage has lost nothing."""
        self.engine.reopen()

    def close(self) -> None:
        """Give back every handle."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
