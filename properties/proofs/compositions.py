"""Obligations about commits: each commit of the table, made in a run that keeps the invariants, keeps them.

- *composed*: an invariant of a whole run (or a companion, which the others rest on) is kept by a commit.
- *created*: it holds of a run that was just created.
- *repeated*: an input that a commit repeats for the nodes of a sequence comes, all in all, to what is said of it at
  once: by induction over the sequence.
- *relied*: what a commit only looks at, and does not compare, stays as it says: every transition keeps it so.

The rules:

1. What is proved is generated from the table (`COMMITS`), the rows of its wrappers, and the machines.  A commit is
   its requirements, the guards of its inputs, and what its row writes of the copies.
2. What a row does not compare may have changed since it was read.  So its state at the time of reading is another
   one than that in the store: any, but for what was relied on (`_STAYS`).
3. An update of the frame machine that filters, or goes on to a fixpoint, is not looked into: of what it leaves only
   that is given which is proved of the transition (`_LEMMAS`, and what is required of it).
4. What callers see to, and no wrapper compares, is `ASSUMED_OF_CALLERS` (`companions`); nothing else is taken for
   granted of them.
5. Here too what is given is the invariant itself and those that `RESTS_ON` names.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import z3  # type: ignore[import-untyped]

from mobstore.model import MobRun, MobRunStatus
from mobstore.model.callers.authority import MACHINE_OF
from mobstore.model.callers.commits import VARIABLE_OF, VARIABLES, Apply, Commit, Parameters
from mobstore.model.callers.planning import STATUS_OF
from mobstore.model.machines import FRAME, RUN, Machine, Transition, run_inputs
from mobstore.model.machines import terms as t
from mobstore.model.machines.machine import INPUT, STATE
from mobstore.model.machines.sorts import MapOf, Natural, Record, SequenceOf
from mobstore.model.values import (
    FlowFrameState,
    FlowNodeId,
    FramePhase,
    LoopIterationLedgerEntry,
)
from mobstore.model.wrappers import Absent, Append, Cell, Equals, NotTerminal, Put
from mobstore.properties._symbols import (
    Expr,
    Structure,
    Symbol,
    Table,
    conj,
    disj,
    implies,
    is_false,
    ite,
    neg,
    remembered,
    same,
    stored,
)
from mobstore.properties.companions import ASSUMED_OF_CALLERS, COMPANIONS, CREATION
from mobstore.properties.invariants import Invariant, Scope, of_scope
from mobstore.properties.proofs import cases
from mobstore.properties.proofs.goals import Goal
from mobstore.properties.proofs.obligation import UNBOUNDED, Obligation, Question, Replay
from mobstore.properties.proofs.registry import Subject
from mobstore.properties.proofs.requirements import AFTER, requirements_of
from mobstore.properties.symbolic import Translation

OF_RUNS: Final = (*of_scope(Scope.COMPOSITION), *COMPANIONS)
"""What is proved of every commit."""

_s: Final = t.fields_of("s", MobRun)
_p: Final = t.Fields(VARIABLES["p"])


RESTS_ON: Final[dict[str, tuple[str, ...]]] = {
    "completed-run-has-completed-steps": (
        *("lost-steps-follow-their-nodes", "one-root-frame"),
        *("only-tracked-steps", "sealed-frame-follows-its-nodes"),
    ),
    "ended-run-has-no-work-out": ("tracked-steps-are-ordered", "only-tracked-steps", "pending-run-has-not-begun"),
    "one-node-a-branch": ("won-branch-is-closed", "winners-are-the-branches-of-completed-nodes"),
    "slots-are-exact": ("outputs-are-noted-of-completed-nodes", "parent-node-waits-for-its-loop"),
    "parent-node-waits-for-its-loop": ("a-node-has-one-loop", "parent-node-has-begun"),
    "a-node-has-one-loop": ("parent-node-has-begun",),
    "parent-node-has-begun": ("parent-node-waits-for-its-loop",),
    "ledger-has-no-gap": ("ledger-follows-the-loops",),
    "keys-are-names": ("queues-hold-what-is-there",),
    "what-is-stored-was-started": ("queues-hold-what-is-there",),
    "one-root-frame": ("queues-hold-what-is-there",),
}
"""The invariants, of the run or of the machines whose states a commit takes, that one needs besides itself."""

FOLLOWS: Final = {"running-steps-have-slots": "slots-are-exact"}
"""What every run fulfils in which another invariant holds: no commit need be looked at."""

_ALWAYS: Final = "what-is-stored-was-started"
"""This tells what is stored by its state, and is given always."""

_LEMMAS: Final = ("nodes-move-on", "one-node-at-a-time", "admission-takes-the-head")
"""What is given of two states of a frame where an update is not looked into."""

_NODES: Final = "only-ordered-nodes"
"""This tells that no node comes or goes, and is given of both."""

_SEALED: Final = (FramePhase.COMPLETED, FramePhase.FAILED, FramePhase.CANCELED)
_then: Final = t.fields_of("then", FlowFrameState)
_now: Final = t.fields_of("now", FlowFrameState)
_STAYS: Final = t.implies(
    _then.phase.one_of(*_SEALED),
    t.every(getattr(_then, name).eq(getattr(_now, name)) for name in ("phase", "frame_scope", "node_status")),
)
"""What may be relied on of a frame that was looked at (``then``): once it is sealed it stays as it is (``now``)."""

_ASSUMED: Final = ("translation", "values", "finite", "callers")


# --- a commit in symbols ----------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Case:
    """A commit in one of the cases that it may be made in: what is so then, and the run afterwards."""

    given: tuple[Expr, ...]
    states: Mapping[str, Structure]
    after: Structure


@attrs.define(eq=False)
class _Making:
    """A commit that is being made: the run, the parameters, the copies of the cells, and what is so."""

    translation: Translation
    commit: Commit
    machines: Mapping[Cell, Machine[Any]]
    run: Structure
    parameters: Structure
    states: dict[str, Structure]
    given: list[Expr]

    def take(self, apply: Apply) -> None:
        """Apply an input to its copy."""
        if apply.each is not None:
            self._repeat(apply)
            return
        when = self._term(apply.when)
        (transition,) = self.machines[apply.cell].transitions_of(apply.input)
        before = self.states[VARIABLE_OF[apply.cell]]
        enabled, after, lemmas = self._step(transition, apply, before)
        self.given += [implies(when, each) for each in (enabled, *lemmas)]
        self.states[VARIABLE_OF[apply.cell]] = ite(when, after, before)

    def _step(
        self, transition: Transition, apply: Apply, before: Structure
    ) -> tuple[Expr, Structure, tuple[Expr, ...]]:
        """Return when a transition is taken, what it leaves, and what is known of that."""
        machine, translation = self.machines[apply.cell], self.translation
        input = self._input(apply)
        plain, hidden = _looked_into(transition)
        step = translation.step(machine, plain, before, input)
        if not hidden:
            return step.enabled, step.next_state, ()
        fields = Record(machine.state).fields
        fresh = {name: translation.fresh(f"after.{apply.input.__name__}.{name}", fields[name]) for name in hidden}
        after = Structure({**step.next_state.fields, **fresh})
        names = {STATE: before, INPUT: input, AFTER: after, "before": before}
        lemmas = [each.term for each in of_scope(Scope.FRAME_STEP) if each.name in _LEMMAS]
        lemmas += [term for _, term in requirements_of(machine, transition)]
        known = [translation.translate(term, names) for term in lemmas]
        for each in of_scope(Scope.FRAME):
            if each.name == _NODES:
                known += [translation.translate(each.term, {"s": state}) for state in (before, after)]
        return step.enabled, after, tuple(known)

    def _input(self, apply: Apply, **also: Symbol) -> Structure:
        arguments = (self._term(argument, **also) for argument in apply.arguments)
        return Structure(dict(zip(Record(apply.input).fields, arguments, strict=True)))

    def _term(self, term: t.Term | None, **also: Symbol) -> Symbol:
        names = {**self.states, "p": self.parameters, **also}
        return z3.BoolVal(True) if term is None else self.translation.translate(term, names)  # noqa: FBT003

    def _repeat(self, apply: Apply) -> None:
        """Apply an input for each item of a sequence, as `repeated` has it: all at once."""
        variable = VARIABLE_OF[apply.cell]
        before, items = self.states[variable], self._term(apply.each)
        applies = functools.partial(self._applies, apply, dict(self.states))
        field, value = _stored(self.machines[apply.cell], apply)
        was_set = remembered(lambda key: conj(self.translation.contains(items, key, _NODE.sort), applies(key)))
        self.states[variable] = _with_stored(self.translation, before, field, value, was_set)

    def _applies(self, apply: Apply, states: Mapping[str, Structure], key: Expr) -> Expr:
        names = {**states, "p": self.parameters, _NODE.name: key}
        return self.translation.translate(apply.when or t.And(()), names)

    def written(self) -> Structure:
        """Return the run after the row's writes."""
        changed = {}
        for write in self.commit.row.writes:
            if isinstance(write, Append) and write.cell is Cell.ITERATION_LEDGER:
                entry = t.Make(LoopIterationLedgerEntry, (_p.loop_instance_id, _p.iteration, _p.body_frame_id))
                ledger = _s.loop_iteration_ledger
                term = t.if_(t.Member(entry, ledger), ledger, t.append(ledger, entry))
                names = {"s": self.run, "p": self.parameters}
                changed["loop_iteration_ledger"] = self.translation.translate(term, names)
            elif isinstance(write, Put) and write.cell is Cell.STATUS:
                changed["status"] = self._status()
            elif isinstance(write, Put) and write.cell is Cell.FLOW_STATE:
                changed["flow_state"] = self.states["flow"]
            elif isinstance(write, Put) and write.cell in _MAPS:
                name, key = _MAPS[write.cell]
                state = Structure({"kernel_state": self.states[VARIABLE_OF[write.cell]]})
                changed[name] = stored(self.run.fields[name], self.parameters.fields[key], state)
        return Structure({**self.run.fields, **changed})

    def _status(self) -> Expr:
        phase, sorts = self.states["flow"].fields["phase"], Record(MobRun).fields
        of_phase = Record(RUN.state).fields["phase"]
        status: Expr = self.run.fields["status"]
        for known, wanted in STATUS_OF.items():
            is_so = same(phase, self.translation.leaf(known, of_phase))
            status = ite(is_so, self.translation.leaf(wanted, sorts["status"]), status)
        return status


_NODE: Final = t.var("node", FlowNodeId)
_MAPS: Final = {Cell.FRAME: ("frames", "frame_id"), Cell.LOOP: ("loops", "loop_instance_id")}
_HELD: Final = {"frame": _MAPS[Cell.FRAME], "loop": _MAPS[Cell.LOOP], "body": ("frames", "body_frame_id")}


def _with_stored(
    translation: Translation, before: Structure, field: str, value: t.Const, was_set: Any
) -> Structure:
    held, item = before.fields[field], translation.value(value.value, value.sort)
    table = Table(
        remembered(lambda key: disj(was_set(key), held.has(key))),
        remembered(lambda key: ite(was_set(key), item, held.at(key))),
    )
    return Structure({**before.fields, field: table})


def _stored(machine: Machine[Any], apply: Apply) -> tuple[str, t.Const]:
    """Return the field in which an input that is repeated stores a constant under the node; it does nothing else.

    Raises:
        TypeError: it does something else.
    """
    (transition,) = machine.transitions_of(apply.input)
    ((field, update),) = transition.updates.items()
    arguments = dict(zip(Record(apply.input).fields, apply.arguments, strict=True))
    if isinstance(update, t.Store) and isinstance(update.key, t.Get) and isinstance(update.map.sort, MapOf):
        value = update.value.item if isinstance(update.value, t.Some) else update.value
        if arguments[update.key.field] == _NODE and isinstance(value, t.Const):
            return field, t.Const(value.value, update.map.sort.item)
    msg = f"{transition.id} does more than to store a constant, so it is not known what it comes to repeatedly"
    raise TypeError(msg)


def _looked_into(transition: Transition) -> tuple[Transition, tuple[str, ...]]:
    """Return the part of a transition that neither filters nor goes on to a fixpoint, and what else it writes."""
    hidden: set[str] = set()

    def is_hidden(term: t.Term) -> bool:
        return bool(t.names_in(term) & hidden) or _is_deep(term)

    for definition in transition.definitions:
        if is_hidden(definition.term):
            hidden.add(definition.var.name)
    plain = attrs.evolve(
        transition,
        definitions=tuple(each for each in transition.definitions if each.var.name not in hidden),
        guards=tuple(each for each in transition.guards if not is_hidden(each.condition)),
        updates={name: term for name, term in transition.updates.items() if not is_hidden(term)},
        effects=(),
    )
    return plain, tuple(name for name in transition.updates if name not in plain.updates)


def _is_deep(term: t.Term) -> bool:
    return isinstance(term, (t.Filter, t.Fixpoint)) or any(map(_is_deep, t.parts_of(term)))


@functools.cache
def _used(commit: Commit) -> frozenset[str]:
    """Return the variables that a commit looks at, or writes."""
    terms = [guard.condition for guard in commit.requires]
    for apply in commit.inputs:
        terms += [*apply.arguments, *(each for each in (apply.when, apply.each) if each is not None)]
    names = set().union(*map(t.names_in, terms)) | {VARIABLE_OF[apply.cell] for apply in commit.inputs}
    return frozenset(names & set(VARIABLES))


def _cases(
    translation: Translation, commit: Commit, machines: Mapping[Cell, Machine[Any]]
) -> Iterator[tuple[_Making, tuple[Expr, ...]]]:
    """Iterate over the cases: what of it all is stored; those that the commit's requirements rule out left out."""
    run, parameters = translation.fresh("s", Record(MobRun)), translation.fresh("p", Record(Parameters))
    compared = {each.cell for each in commit.row.comparisons if isinstance(each, (Equals, Absent))}
    absent = {VARIABLE_OF[each.cell] for each in commit.row.comparisons if isinstance(each, Absent)}
    fixed = {VARIABLE_OF[cell] for cell in compared if cell in VARIABLE_OF}
    open_ones: list[str] = [name for name in ("frame", "loop") if name in _used(commit) & fixed]
    for there in itertools.product((True, False), repeat=len(open_ones)):
        stored = dict(zip(open_ones, there, strict=True))
        if any(stored.get(name) for name in absent):
            continue
        given: list[Expr] = []
        states: dict[str, Structure] = {}
        for name in VARIABLES:
            if name == "p" or name not in _used(commit):
                continue
            kind = VARIABLES[name].sort
            assert isinstance(kind, Record)
            if name not in fixed:
                states[name] = translation.fresh(f"then.{name}", kind)
                given += _relied(translation, name, states[name], run, parameters)
            elif name == "flow":
                states[name] = run.fields["flow_state"]
            else:
                held, key = run.fields[_HELD[name][0]], parameters.fields[_HELD[name][1]]
                given.append(held.has(key) if stored[name] else neg(held.has(key)))
                kernel = held.at(key).fields["kernel_state"]
                states[name] = kernel if stored[name] else translation.value(kind.kind(), kind)
            given += _numbers(states[name], kind)
        given += _numbers(parameters, Record(Parameters))
        making = _Making(translation, commit, machines, run, parameters, dict(states), given)
        requires = [making._term(guard.condition) for guard in commit.requires]  # noqa: SLF001 - its own
        if not is_false(conj(*requires)):
            given += requires
            given += _not_terminal(translation, commit, run)
            yield making, tuple(states.items())


def _numbers(symbol: Structure, sort: Record) -> Iterator[Expr]:
    """Iterate over the sizes that the numbers and the sequences of a record have; of those in its maps, nothing."""
    for name, of in sort.fields.items():
        if isinstance(of, Natural):
            yield conj(symbol.fields[name] >= 0, symbol.fields[name] <= of.maximum)
        elif isinstance(of, SequenceOf):
            yield symbol.fields[name].length() >= 0


def _relied(
    translation: Translation, name: str, then: Structure, run: Structure, parameters: Structure
) -> Iterator[Expr]:
    if name not in ("frame", "body"):
        return
    held, key = run.fields["frames"], parameters.fields[_HELD[name][1]]
    now = held.at(key).fields["kernel_state"]
    stays = conj(held.has(key), translation.translate(_STAYS, {"then": then, "now": now}))
    absent = translation.leaf(FramePhase.ABSENT, Record(FlowFrameState).fields["phase"])
    yield disj(same(then.fields["phase"], absent), stays)


def _not_terminal(translation: Translation, commit: Commit, run: Structure) -> Iterator[Expr]:
    if any(isinstance(each, NotTerminal) for each in commit.row.comparisons):
        sort = Record(MobRun).fields["status"]
        for status in MobRunStatus:
            if status.is_terminal:
                yield neg(same(run.fields["status"], translation.leaf(status, sort)))


# --- the questions ----------------------------------------------------------------------------------------------


def composed(
    commit: Commit, machines: Mapping[Cell, Machine[Any]], invariant: Invariant, translation: Translation
) -> Question:
    """Return the question whether a commit keeps an invariant of a whole run."""
    claims = []
    common: list[Expr] = []
    for making, states in _cases(translation, commit, machines):
        if not common:
            common += _before(making, invariant)
        making.given += _of_states(translation, invariant, dict(states))
        translation.name(making.parameters.fields["node_id"], "node_status")
        for apply in commit.inputs:
            making.take(apply)
        after = making.written()
        claims.append(implies(conj(*making.given), _claim(translation, invariant, making.run, after)))
    return Question(tuple(common), conj(*claims))


def _before(making: _Making, invariant: Invariant) -> Iterator[Expr]:
    """Iterate over what is known of the run before, and of the caller."""
    names = {"s": making.run, "p": making.parameters}
    for each in OF_RUNS:
        if each.name in (invariant.name, _ALWAYS, *RESTS_ON.get(invariant.name, ())) and not _is_deep(each.term):
            yield making.translation.translate(each.term, names)
    for assumed in ASSUMED_OF_CALLERS:
        if assumed.commit in (None, making.commit.name):
            yield making.translation.translate(assumed.term, names)


def _of_states(translation: Translation, invariant: Invariant, states: Mapping[str, Structure]) -> Iterator[Expr]:
    """Iterate over what is known of the states of the machines that the commit takes."""
    wanted = RESTS_ON.get(invariant.name, ())
    for name, state in states.items():
        scope = {"flow": Scope.RUN, "loop": Scope.LOOP}.get(name, Scope.FRAME)
        for each in of_scope(scope):
            if each.name in wanted:
                yield translation.translate(each.term, {"s": state})


def _claim(translation: Translation, invariant: Invariant, before: Structure, after: Structure) -> Expr:
    if not _is_deep(invariant.term):
        return Goal(translation, {"s": after}, guarded=False).of(invariant.term)
    # A fixpoint over what does not change is the same: that nothing changes of what it looks at is proved.
    fields = sorted(_read_of(invariant.term, t.Var("s", Record(MobRun))))
    terms = [(t.Get(t.Get(t.Var(name, Record(MobRun)), "flow_state"), field)) for field in fields for name in "sr"]
    pairs = zip(terms[::2], terms[1::2], strict=True)
    goal = Goal(translation, {"s": after, "r": before}, guarded=False)
    return conj(*(goal.of(one.eq(other)) for one, other in pairs))


def _read_of(term: t.Term, run: t.Var) -> set[str]:
    """Return the fields of the flow state that a term reads.

    Raises:
        TypeError: it reads something else of the run.
    """
    if isinstance(term, t.Get) and term.record == t.Get(run, "flow_state"):
        return {term.field}
    if term == run:
        msg = "a fixpoint that looks at more than the flow state"
        raise TypeError(msg)
    return set().union(*(_read_of(part, run) for part in t.parts_of(term)))


def repeated(
    commit: Commit, machines: Mapping[Cell, Machine[Any]], place: int, translation: Translation
) -> Question:
    """Return the question whether one application more is what the repeated input comes to for one item more."""
    apply = commit.inputs[place]
    assert apply.each is not None
    states = {name: translation.fresh(name, VARIABLES[name].sort) for name in VARIABLES if name != "p"}
    making = _Making(
        translation, commit, machines, states["flow"], translation.fresh("p", Record(Parameters)), states, []
    )
    items, variable = making._term(apply.each), VARIABLE_OF[apply.cell]  # noqa: SLF001 - its own
    applies = functools.partial(making._applies, apply, dict(states))  # noqa: SLF001 - its own
    field, value = _stored(machines[apply.cell], apply)

    def after(number: Expr) -> Structure:
        def was_set(key: Expr) -> Expr:
            place = z3.Int("place")
            stands = z3.Exists([place], conj(place >= 0, place < number, items.at(place) == key))
            return conj(stands, applies(key))

        return _with_stored(translation, states[variable], field, value, remembered(was_set))

    number = z3.Int("number")
    here, item = after(number), items.at(number)
    (transition,) = machines[apply.cell].transitions_of(apply.input)
    making.states[variable] = here
    step = translation.step(machines[apply.cell], transition, here, making._input(apply, node=item))  # noqa: SLF001
    when = making._applies(apply, making.states, item)  # noqa: SLF001 - its own
    left, wanted = ite(when, step.next_state, here), after(number + 1)
    sorts = Record(machines[apply.cell].state).fields
    key = translation.fresh("any", sorts[field].key)  # type: ignore[attr-defined]
    one, other = left.fields[field], wanted.fields[field]
    item_sort = sorts[field].item  # type: ignore[attr-defined]
    same_item = translation.equal(one.at(key), other.at(key), item_sort)
    claim = conj(same(one.has(key), other.has(key)), implies(one.has(key), same_item))
    return Question((number >= 0, number < items.length()), claim)


def relied(transition: Transition, translation: Translation) -> Question:
    """Return the question whether a transition keeps what is relied on of a frame."""
    sort = Record(FlowFrameState)
    then, now = translation.fresh("then", sort), translation.fresh("s", sort)
    step = translation.step(
        FRAME, _looked_into(transition)[0], now, translation.fresh("i", Record(transition.input))
    )
    hidden = {name: translation.fresh(f"after.{name}", sort.fields[name]) for name in _looked_into(transition)[1]}
    after = Structure({**step.next_state.fields, **hidden})
    stands = translation.translate(_STAYS, {"then": then, "now": now})
    # Once it was started: what was read was stored.
    started = neg(same(now.fields["phase"], translation.leaf(FramePhase.ABSENT, sort.fields["phase"])))
    claim = Goal(translation, {"then": then, "now": after}, guarded=False).of(_STAYS)
    return Question((started, stands, step.enabled), claim)


def created(machines: Mapping[Cell, Machine[Any]], invariant: Invariant, translation: Translation) -> Question:
    """Return the question whether an invariant holds of a run that was just created."""
    machine = machines[Cell.FLOW_STATE]
    (transition,) = machine.transitions_of(run_inputs.CreateRun)
    input = translation.fresh("i", Record(transition.input))
    step = translation.step(machine, transition, translation.value(machine.state(), Record(machine.state)), input)
    sorts = Record(MobRun).fields
    empty = {name: translation.value({}, sorts[name]) for name in ("frames", "loops")}
    ledger = translation.value((), sorts["loop_iteration_ledger"])
    status = translation.leaf(MobRunStatus.PENDING, sorts["status"])
    run = translation.fresh("s", Record(MobRun)).fields
    changed = {"flow_state": step.next_state, **empty, "loop_iteration_ledger": ledger, "status": status}
    names = {"s": Structure({**run, **changed})}
    given = [translation.well_formed(input, Record(transition.input))]
    given += [
        translation.translate(each.term, {"i": input}) for each in ASSUMED_OF_CALLERS if each.commit == CREATION
    ]
    return Question((step.enabled, *given), Goal(translation, names, guarded=False).of(invariant.term))


# --- the obligations --------------------------------------------------------------------------------------------


def of_commit(commit: Commit, machines: Mapping[Cell, Machine[Any]] = MACHINE_OF) -> Iterator[Obligation]:
    """Iterate over the obligations about a commit."""
    for invariant in OF_RUNS:
        if invariant.name in FOLLOWS:
            continue
        yield Obligation(
            f"composed/{invariant.name}/{commit.name}",
            f"{invariant.sentence} {commit.name} keeps that so.",
            UNBOUNDED,
            functools.partial(composed, commit, machines, invariant),
            assumptions=_ASSUMED,
            about=frozenset({f"commit:{commit.name}"}),
            search=functools.partial(_case, commit, invariant),
        )
    for place, apply in enumerate(commit.inputs):
        if apply.each is not None:
            yield Obligation(
                f"repeated/{apply.input.__name__}/{commit.name}",
                f"An input that is repeated comes to what is said of it at once. {commit.name} repeats "
                f"{apply.input.__name__}.",
                UNBOUNDED,
                functools.partial(repeated, commit, machines, place),
                assumptions=_ASSUMED,
                about=frozenset({f"commit:{commit.name}"}),
            )


def follows(invariant: Invariant, other: str, translation: Translation) -> Question:
    """Return the question whether an invariant holds in every run in which another does."""
    names = {"s": translation.fresh("s", Record(MobRun))}
    given = tuple(translation.translate(each.term, names) for each in OF_RUNS if each.name == other)
    return Question(given, Goal(translation, names, guarded=False).of(invariant.term))


def _case(commit: Commit, invariant: Invariant) -> Replay | None:
    found = cases.broken_by(commit, [invariant])
    return None if found is None else found[1]


def obligations(subject: Subject) -> Iterator[Obligation]:
    """Iterate over the obligations about commits."""
    for invariant in OF_RUNS:
        if other := FOLLOWS.get(invariant.name):
            yield Obligation(
                f"composed/{invariant.name}",
                f"{invariant.sentence} That follows from {other}.",
                UNBOUNDED,
                functools.partial(follows, invariant, other),
                assumptions=_ASSUMED,
            )
    for commit in subject.commits:
        yield from of_commit(commit)
    for invariant in OF_RUNS:
        if not _is_deep(invariant.term):
            yield Obligation(
                f"created/{invariant.name}",
                f"{invariant.sentence} It is so of a run that was just created.",
                UNBOUNDED,
                functools.partial(created, MACHINE_OF, invariant),
                assumptions=_ASSUMED,
            )
    for transition in FRAME.transitions:
        yield Obligation(
            f"relied/frame/{transition.id}",
            f"A sealed frame stays as it is. {transition.id} keeps that so.",
            UNBOUNDED,
            functools.partial(relied, transition),
            assumptions=_ASSUMED,
        )
