"""Random histories: of calls that were linearized somewhere in their spans, some of them then told otherwise.

They hold the checker to brute force (`mobstore history --self-check`), and are what it is measured on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, TypeAlias

import attrs

from mobstore.model import Document, FrameSnapshot, MobRunStatus, Operation, State, evolve, step
from mobstore.model import operations as ops
from mobstore.properties import pools, subject
from mobstore.properties.linearizability.history import NEVER, Call, History, Outcome
from mobstore.properties.linearizability.models import CasRegister, CellStore, KeyValue, Model
from mobstore.properties.linearizability.stores import StoreModel

Draw: TypeAlias = Callable[[random.Random, "World"], tuple[str, Hashable, Any]]
"""Draws an operation: its name, key and argument."""


@attrs.define
class World:
    """What a history is drawn in: the model with its present states, and values that were not used yet."""

    model: Model
    states: dict[Hashable, Any] = attrs.field(factory=dict)
    fresh: int = 0

    def state(self, key: Hashable) -> Any:
        """Return the present state of an object."""
        return self.states.setdefault(key, self.model.initial())

    def value(self) -> int:
        """Return a value that was not used yet."""
        self.fresh += 1
        return self.fresh


@attrs.frozen
class Shape:
    """What kind of history to draw.

    Attributes:
        calls: how many.
        clients: how many call at once.
        unknown: the share of calls whose outcome is not known; half of them happen.
        lies: the share of histories in which an answer is told otherwise.
        failed: the share of calls that are told as not having happened.
        lucky: the share of calls that are drawn when they happen, and not when they are invoked: what they compare
            stands there, however many others are in flight.
    """

    calls: int
    clients: int
    unknown: float = 0.0
    lies: float = 0.0
    failed: float = 0.0
    lucky: float = 0.0


def draw_history(rng: random.Random, model: Model, draw: Draw, shape: Shape) -> History:
    """Draw a history: each client makes one call after the other, and each call happens somewhere in its span."""
    world = World(model)
    calls: list[Call] = []
    place = 0
    flying: dict[int, list[Any]] = {}  # client: f, key, value, place of the invocation, answer or None
    next_client = shape.clients
    clients = list(range(shape.clients))
    left = shape.calls
    while left or flying:
        slot = rng.randrange(len(clients))
        client = clients[slot]
        call = flying.get(client)
        if call is None:
            if not left:
                if all(each not in flying for each in clients):
                    break
                continue
            left -= 1
            f, key, value = draw(rng, world)
            flying[client] = [f, key, value, place, None, False]
            place += 1
            continue
        f, key, value, began, answer, happened = call
        if not happened:
            if rng.random() < shape.lucky:
                f, key, value = call[:3] = draw(rng, world)
            lost = rng.random() < shape.unknown
            if lost or rng.random() < shape.failed:
                if lost and rng.random() < 0.5:
                    world.states[key] = model.step(world.state(key), f, value)[0]
                outcome = rng.choice((Outcome.INFO, Outcome.PENDING)) if lost else Outcome.FAIL
                calls.append(Call(0, client, f, key, value, None, outcome, began, NEVER))
                del flying[client]
                clients[slot], next_client = next_client, next_client + 1
                place += 1
                continue
            world.states[key], call[4] = model.step(world.state(key), f, value)
            call[5] = True
            continue
        calls.append(Call(0, client, f, key, value, answer, Outcome.OK, began, place))
        del flying[client]
        place += 1
    history = History.of(calls)
    if rng.random() < shape.lies:
        _lie(rng, history)
    return history


def _lie(rng: random.Random, history: History) -> None:
    """Tell an answer otherwise: that of another call of the same kind, or the opposite."""
    rows = [row for row in range(len(history)) if history.outcome[row] is Outcome.OK]
    rng.shuffle(rows)
    for row in rows:
        answer = history.answer[row]
        others = [
            history.answer[other]
            for other in rows
            if history.f[other] == history.f[row] and history.value[other] == history.value[row]
        ]
        told = _opposite(answer)
        told = rng.choice(others) if told is None else told
        if told != answer:
            history.answer[row] = told
            return


def _opposite(answer: Any) -> Any:
    """The other answer of a comparison; None for other answers."""
    if isinstance(answer, subject.Outcome) and isinstance(answer.value, bool):
        return attrs.evolve(answer, value=not answer.value)
    return not answer if isinstance(answer, bool) else None


# --- kinds of histories -------------------------------------------------------------------------------------------


def register_cas(rng: random.Random, world: World) -> tuple[str, Hashable, Any]:
    """Reads and compare-and-sets with fresh values."""
    state = world.state(None)
    if rng.random() < 0.4:
        return "read", None, None
    expected = state if rng.random() < 0.7 else rng.randint(0, world.fresh + 1)
    return "cas", None, (expected, world.value())


def register_small(rng: random.Random, _world: World) -> tuple[str, Hashable, Any]:
    """Reads, writes and compare-and-sets of three values, as Jepsen draws them."""
    f = rng.choice(("read", "write", "cas"))
    values = {"read": None, "write": rng.randint(0, 2), "cas": (rng.randint(0, 2), rng.randint(0, 2))}
    return f, None, values[f]


def register_writes(rng: random.Random, world: World) -> tuple[str, Hashable, Any]:
    """Reads, blind writes and compare-and-sets of fresh values."""
    if rng.random() < 0.5:
        return "read", None, None
    if rng.random() < 0.7:
        return "write", None, world.value()
    return "cas", None, (world.state(None), world.value())


def cells_common(rng: random.Random, world: World) -> tuple[str, Hashable, Any]:
    """Compare-and-sets that all compare and write cell "a", and some of them others whose values come back."""
    names = ("b", "c")
    if rng.random() < 0.35:
        chosen = tuple(sorted(rng.sample(("a", *names), rng.randint(1, 3))))
        return "read", None, chosen
    held = dict(zip(("a", *names), world.state(None), strict=True))
    others = [name for name in names if rng.random() < 0.5]
    if rng.random() < 0.15 and others:
        return (
            "cas",
            None,
            (tuple((name, rng.randint(0, 1)) for name in others), tuple((name, 7) for name in others)),
        )
    expected = [("a", held["a"] if rng.random() < 0.75 else rng.randint(0, world.fresh + 1))]
    expected += [(name, held[name] if rng.random() < 0.85 else rng.randint(0, 1)) for name in others]
    new = [("a", world.value()), *((name, rng.randint(0, 1)) for name in others)]
    return "cas", None, (tuple(expected), tuple(new))


def cells_apart(rng: random.Random, world: World) -> tuple[str, Hashable, Any]:
    """Reads and compare-and-sets of one or two of three cells, with fresh values."""
    chosen = tuple(sorted(rng.sample(("a", "b", "c"), rng.randint(1, 2))))
    if rng.random() < 0.4:
        return "read", None, chosen
    held = dict(zip(("a", "b", "c"), world.state(None), strict=True))
    expected = tuple((name, held[name] if rng.random() < 0.97 else 0) for name in chosen)
    return "cas", None, (expected, tuple((name, world.value()) for name in chosen))


def kv(rng: random.Random, world: World) -> tuple[str, Hashable, Any]:
    """Gets, puts and appends of fresh texts on two keys."""
    key = rng.choice("kl")
    f = rng.choice(("get", "get", "append", "append", "put"))
    return f, key, None if f == "get" else f"x{world.value()}y"


def kv_small(rng: random.Random, _world: World) -> tuple[str, Hashable, Any]:
    """Gets, puts and appends of two texts."""
    f = rng.choice(("get", "append", "put"))
    return f, "k", None if f == "get" else rng.choice("ab")


def run_store(rng: random.Random, world: World) -> tuple[str, Hashable, Any]:
    """Reads of a run, wrappers with and without authority, ledgers; now and then a record of a mob, or an event.

    What is compared is what stands there, or what stood there once.
    """
    operation = _run_operation(rng, world)
    return operation.call, None, operation


def _run_operation(rng: random.Random, world: World) -> Operation[Any]:
    run_id, state = pools.RUN_IDS[0], world.state(None)
    run = state.run.runs[run_id]
    fresh = world.value()
    flow = run.flow_state if rng.random() < 0.8 else pools.FLOW_STATES[1]
    frame = run.frames.get("root") if rng.random() < 0.8 else pools.FRAMES[0]
    next_flow = evolve(pools.FLOW_STATES[1], {"failure_count": fresh})
    next_frame = FrameSnapshot(evolve(pools.FRAMES[1].kernel_state, {"last_admitted_node": f"n{fresh}"}))
    inputs = pools.ACCEPTED_INPUTS[:1]
    held = state.metadata.authorities.get("mob") or pools.AUTHORITIES[0]
    draws: Sequence[tuple[int, Callable[[], Operation[Any]]]] = (
        (6, lambda: ops.GetRun(run_id)),
        (3, lambda: ops.CasFlowState(run_id, flow, next_flow)),
        (3, lambda: ops.CasFrameStateWithAuthority(run_id, "root", frame, next_frame, inputs)),
        (5, lambda: ops.CasGrantNodeSlot(run_id, flow, next_flow, "root", frame or next_frame, next_frame)),
        (1, lambda: ops.CasRunStatus(run_id, run.status, rng.choice(list(MobRunStatus)))),
        (1, lambda: ops.AppendStepEntryIfAbsent(run_id, rng.choice(pools.STEP_ENTRIES[:2]))),
        (1, lambda: ops.LoadSupervisorAuthority("mob")),
        (1, lambda: ops.CompareAndPutSupervisorAuthority("mob", held, rng.choice(pools.AUTHORITIES))),
        (1, lambda: ops.PutSupervisorAuthorityIfAbsent("mob", rng.choice(pools.AUTHORITIES))),
        (1, lambda: ops.Append(pools.EVENTS[1])),
        (1, ops.LatestCursor),
    )
    weights, drawn = zip(*draws, strict=True)
    make: Callable[[], Operation[Any]] = rng.choices(drawn, weights)[0]
    return make()


def name_store(rng: random.Random, world: World) -> tuple[str, Hashable, Any]:
    """Specs, profiles, events, and the authority of a mob; what is compared stands there, or stood there once."""
    operation = _name_operation(rng, world)
    return operation.call, None, operation


def _name_operation(rng: random.Random, world: World) -> Operation[Any]:
    state = world.state(None)
    document = Document.of({"id": "x", "value": world.value()})
    revision = state.spec.specs["mob"][1] if "mob" in state.spec.specs else 0
    profile = state.profile.profiles.get("base")
    held = state.metadata.authorities.get("mob") or pools.AUTHORITIES[0]
    record = evolve(pools.AUTHORITIES[0], {"epoch": world.fresh})
    stale = rng.random() < 0.2
    event, at = rng.choice(pools.EVENTS[1:3]), rng.choice((0, state.event.next_cursor - 1))
    draws: Sequence[tuple[int, Callable[[], Operation[Any]]]] = (
        (3, lambda: ops.PutSpec("mob", document, rng.choice((None, 0 if stale else revision)))),
        (3, lambda: ops.GetSpec("mob")),
        (2, lambda: ops.CreateProfile("base", document)),
        (3, lambda: ops.UpdateProfile("base", document, 0 if stale or profile is None else profile.revision)),
        (3, lambda: ops.GetProfile("base")),
        (3, lambda: ops.Append(pools.EVENTS[1])),
        (2, lambda: ops.AppendTerminalEventIfAbsent(event)),
        (1, lambda: ops.AppendBatch((pools.EVENTS[1],) * rng.randint(0, 2))),
        (2, lambda: ops.Poll(at, rng.randint(1, 3))),
        (1, ops.ReplayAll),
        (1, ops.LatestCursor),
        (3, lambda: ops.LoadSupervisorAuthority("mob")),
        (3, lambda: ops.CompareAndPutSupervisorAuthority("mob", pools.AUTHORITIES[0] if stale else held, record)),
        (2, lambda: ops.PutSupervisorAuthorityIfAbsent("mob", record)),
        (1, lambda: ops.DeleteSpec("mob", revision) if stale else ops.PutSupervisorAuthority("mob", record)),
    )
    weights, drawn = zip(*draws, strict=True)
    make: Callable[[], Operation[Any]] = rng.choices(drawn, weights)[0]
    return make()


def stores() -> StoreModel:
    """Return the stores with one run, in which the histories of stores begin; the clock stands still."""
    run = evolve(pools.RUNS[0], {"run_id": pools.RUN_IDS[0]})
    return StoreModel(step(State(), ops.CreateRun(run), 0)[0], 0)


def cells() -> CellStore:
    """Return the store of three cells that the histories of cells are about."""
    return CellStore({"a": 0, "b": 0, "c": 0})


KINDS: Final[dict[str, tuple[Callable[[], Model], Draw]]] = {
    "register, cas of fresh values": (CasRegister, register_cas),
    "register, three values": (CasRegister, register_small),
    "register, blind writes of fresh values": (CasRegister, register_writes),
    "cells, one in common": (cells, cells_common),
    "cells, none in common": (cells, cells_apart),
    "map, fresh texts": (KeyValue, kv),
    "map, two texts": (KeyValue, kv_small),
    "stores, one run and more": (stores, run_store),
    "stores, names, events and authorities": (stores, name_store),
}
"""Kinds of histories: the model, and how operations are drawn."""
