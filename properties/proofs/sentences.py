"""What the contract says of each changing call, in its own words, and what those words mean as formulas.

This is the second statement of what the wrapper table and ``step`` say, on purpose: a proof compares two things
that were given independently.  `SENTENCES` follows sections 4, 6 and 7 of the contract line by line; the words
in it are `CONDITIONS` and `WRITES`, each of which has one meaning, whichever call uses it.  Where a call's
arguments stand is read from its signature: of two arguments of one type, the one called "expected" is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import attrs
import z3  # type: ignore[import-untyped]

from mobstore.model import MobRunStatus
from mobstore.model import operations as ops
from mobstore.model.machines.sorts import Optional, Sort
from mobstore.model.operations import OPERATIONS
from mobstore.model.values import (
    FlowRunState,
    FrameSnapshot,
    LoopSnapshot,
    MobRun,
    StepLedgerEntry,
    SupervisorAuthorityRecord,
)
from mobstore.properties._symbols import (
    TRUE,
    Expr,
    Structure,
    Symbol,
    Table,
    below,
    binding,
    conj,
    disj,
    for_all,
    implies,
    ite,
    neg,
    same,
    some_place,
)
from mobstore.properties.proofs._execution import Call, Shape, held, refuses, shape
from mobstore.properties.symbolic import Translation

SENTENCES: Final = """
call | of an unknown run, or first of all | then | writes | answers
cas_run_status | false | status; status not terminal | status | true
cas_flow_state † | false | flow state | flow state | true
cas_run_snapshot † | false | status; flow state; status not terminal | status; flow state | true
append_step_entry | NotFound | | step ledger + entry | nothing
append_step_entry_if_absent | NotFound | no entry of the same key | step ledger + entry | true
put_step_output | NotFound | an entry of the step, else Internal | output of the last entry of the step | nothing
append_failure_entry | NotFound | | failure ledger + entry | nothing
upsert_loop_snapshot | NotFound | | loop; iteration ledger + entry, once | nothing
cas_frame_state † | NotFound | frame | frame | true
cas_grant_node_slot † | NotFound | flow state; frame | flow state; frame | true
cas_complete_step_and_record_output † | NotFound | frame | frame; output | true
cas_start_loop † | NotFound | flow state; frame; no loop | flow state; frame; loop | true
cas_loop_request_body_frame † | NotFound | flow state; loop | flow state; loop | true
cas_grant_body_frame_start † | NotFound | flow state; loop; no frame | flow state;
    loop; frame; iteration ledger + entry, once | true
cas_complete_body_frame † | NotFound | flow state; loop; frame | flow state; loop; frame | true
cas_complete_loop † | NotFound | flow state; loop; frame | flow state; loop; frame | true
create_run | | run absent, else Internal | run, listed last | nothing
put_supervisor_authority | | | authority | nothing
compare_and_put_supervisor_authority | | authority | authority | true
put_supervisor_authority_if_absent | | no authority | authority | true
delete_supervisor_authority | | | authority removed | nothing
put_external_binding_overlay_if_absent | | small generation, else Internal; no overlay | overlay | true
upsert_external_binding_overlay | | small generation, else Internal | overlay | nothing
delete_external_binding_overlay | | small generation, else Internal | overlay removed | nothing
delete_external_binding_overlays | | | every overlay of the mob removed | nothing
put_spec | | present revision if given, else SpecRevisionConflict | spec of the next revision | next revision
delete_spec | | a spec; present revision if given | spec removed | true
create_profile | | no profile, else CasConflict | profile of revision 1 | profile written
update_profile | | a profile, else NotFound; expected revision, else CasConflict |
    profile of the next revision | profile written
delete_profile | | a profile, else NotFound; expected revision, else CasConflict | profile removed | profile removed
"""
"""A line a call.  † has a twin with authority inputs, which also appends them to the authority log, unless one of
them may not be appended: then, if all else holds, it fails with Internal."""

TWIN: Final = "_with_authority"


@attrs.frozen
class Sentence:
    """A line of `SENTENCES`: what is compared in order (each with what the call does otherwise), and written."""

    call: str
    unknown: str
    conditions: tuple[tuple[str, str], ...]
    writes: tuple[str, ...]
    answers: str

    @property
    def operation(self) -> type[ops.Operation[Any]]:
        """The operation of the call."""
        return _BY_CALL[self.call]

    @property
    def is_twin(self) -> bool:
        """Whether the call has authority inputs."""
        return self.call.endswith(TWIN)

    @property
    def compares(self) -> str:
        """What is compared, in words."""
        return " and ".join(condition for condition, _ in self.conditions) or "nothing"


_BY_CALL: Final = {
    f"{call}_profile" if store == "profile" else call: operation for (store, call), operation in OPERATIONS.items()
}


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _sentences() -> Iterator[Sentence]:
    for line in SENTENCES.strip().replace("\n    ", " ").splitlines()[1:]:
        call, unknown, conditions, writes, answers = (part.strip() for part in line.split("|"))
        checked = []
        for part in _parts(conditions):
            condition, _, otherwise = part.partition(", else ")
            checked.append((condition, otherwise or "false"))
        sentence = Sentence(call.removesuffix(" †"), unknown, tuple(checked), tuple(_parts(writes)), answers)
        yield sentence
        if call.endswith("†"):
            checked.append((_INPUTS_FIT, "Internal"))
            yield attrs.evolve(
                sentence,
                call=sentence.call + TWIN,
                conditions=tuple(checked),
                writes=(*sentence.writes, "authority log + inputs"),
            )


_INPUTS_FIT: Final = "inputs that may be appended"


# --- what the words mean ----------------------------------------------------------------------------------------


@attrs.frozen(eq=False)
class Case:
    """A call in symbols, and what its words are about."""

    translation: Translation
    call: Call

    def argument(self, name: str) -> Symbol:
        """Return an argument by its name."""
        return self.call.arguments.fields[name]

    def of_type(self, kind: Any, *, expected: bool) -> tuple[Symbol, Sort]:
        """Return the argument of a type (or of that type or none) that is expected, or that is not."""
        found = [
            (self.call.arguments.fields[name], of)
            for name, of in Shape(self.call.operation).fields.items()
            if (of.item if isinstance(of, Optional) else of) == shape(kind)
            and name.startswith("expected") == expected
        ]
        assert len(found) == 1, (self.call.operation, kind, found)
        return found[0]

    @property
    def before(self) -> Structure:
        """The run, or the state of another store, before."""
        return self.part(self.call.before)

    def part(self, state: Structure) -> Structure:
        """Return what the call is about: of the run store, the run."""
        if "run_id" not in self.call.arguments.fields:
            return state
        run: Structure = state.fields["runs"].at(self.argument("run_id"))
        return run

    @property
    def known(self) -> Expr:
        """That the run exists."""
        if "run_id" not in self.call.arguments.fields:
            return TRUE
        return self.call.before.fields["runs"].has(self.argument("run_id"))

    def equal(self, left: Symbol, right: Symbol, sort: Sort) -> Expr:
        """Return that two symbols are the same value."""
        return self.translation.equal(left, right, sort)


def stands(case: Case, state: Structure) -> Expr:
    """Return what is true of every state that a store comes to: a stored spec has a revision of at least 1."""
    if "specs" not in state.fields:
        return TRUE
    specs = state.fields["specs"]
    return case.translation.for_all(
        shape(str), lambda mob: implies(specs.has(mob), specs.at(mob).fields["second"] >= 1)
    )


def is_terminal(case: Case, status: Expr) -> Expr:
    """Return that a status is one of the contract's three."""
    ended = (MobRunStatus.COMPLETED, MobRunStatus.FAILED, MobRunStatus.CANCELED)
    return disj(*(same(status, case.translation.leaf(each, shape(MobRunStatus))) for each in ended))


def _status(case: Case) -> Expr:
    return same(case.before.fields["status"], case.of_type(MobRunStatus, expected=True)[0])


def _flow_state(case: Case) -> Expr:
    return same(case.before.fields["flow_state"], case.of_type(FlowRunState, expected=True)[0])


def _holds_expected(field: str, key: str, kind: type) -> Condition:
    """The entry of a map is the one expected: of an optional argument, none may be expected."""

    def holds(case: Case) -> Expr:
        table, at = case.before.fields[field], case.argument(key)
        wanted, sort = case.of_type(kind, expected=True)
        if isinstance(sort, Optional):
            there = conj(wanted.present, table.has(at), same(table.at(at), wanted.item))
            return disj(there, conj(neg(wanted.present), neg(table.has(at))))
        return conj(table.has(at), same(table.at(at), wanted))

    return holds


def _absent(field: str, key: str) -> Condition:
    return lambda case: neg(case.before.fields[field].has(case.argument(key)))


def _same_step_key(case: Case, entry: Structure) -> Expr:
    own = case.argument("entry")
    return conj(*(same(own.fields[name], entry.fields[name]) for name in ("step_id", "agent_identity", "status")))


def _no_entry_of_the_key(case: Case) -> Expr:
    return neg(case.before.fields["step_ledger"].some(lambda entry: _same_step_key(case, entry)))


def _an_entry_of_the_step(case: Case) -> Expr:
    step = case.argument("step_id")
    found: Expr = case.before.fields["step_ledger"].some(lambda entry: same(entry.fields["step_id"], step))
    return found


def _revision(case: Case) -> Expr:
    """The present revision of a spec: 0 where there is none."""
    specs, mob = case.before.fields["specs"], case.argument("mob_id")
    return ite(specs.has(mob), specs.at(mob).fields["second"], z3.IntVal(0))


def _present_revision(case: Case) -> Expr:
    given = case.argument("revision")
    return implies(given.present, same(given.item, _revision(case)))


def _expected_revision(case: Case) -> Expr:
    held_there = case.before.fields["profiles"].at(case.argument("name"))
    return same(held_there.fields["revision"], case.argument("expected_revision"))


def _generation(case: Case) -> tuple[Expr, Expr]:
    """The agent and the generation of an overlay call."""
    fields = case.call.arguments.fields
    source = fields["record"].fields if "record" in fields else fields
    return source["agent_identity"], source["generation"]


def _overlays(case: Case, state: Structure) -> tuple[Expr, Table, Expr]:
    """That a mob has overlays, them, and the key of the one meant."""
    of_mob, mob = state.fields["overlays"], case.argument("mob_id")
    agent, generation = _generation(case)
    pair = z3.Function("OverlayKey", agent.sort(), generation.sort(), z3.DeclareSort("OverlayKey"))
    return of_mob.has(mob), of_mob.at(mob), pair(agent, generation)


def _no_overlay(case: Case) -> Expr:
    there, overlays, key = _overlays(case, case.before)
    return neg(conj(there, overlays.has(key)))


Condition: TypeAlias = Callable[[Case], Expr]

CONDITIONS: Final[dict[str, Condition]] = {
    "status": _status,
    "status not terminal": lambda case: neg(is_terminal(case, case.before.fields["status"])),
    "flow state": _flow_state,
    "frame": _holds_expected("frames", "frame_id", FrameSnapshot),
    "no frame": _absent("frames", "frame_id"),
    "loop": _holds_expected("loops", "loop_instance_id", LoopSnapshot),
    "no loop": _absent("loops", "loop_instance_id"),
    "no entry of the same key": _no_entry_of_the_key,
    "an entry of the step": _an_entry_of_the_step,
    _INPUTS_FIT: lambda case: neg(refuses(case.argument("authority_inputs"))),
    "run absent": lambda case: neg(case.before.fields["runs"].has(case.argument("run").fields["run_id"])),
    "authority": _holds_expected("authorities", "mob_id", SupervisorAuthorityRecord),
    "no authority": _absent("authorities", "mob_id"),
    "small generation": lambda case: _generation(case)[1] <= z3.IntVal(ops.MAX_I64),
    "no overlay": _no_overlay,
    "a spec": lambda case: case.before.fields["specs"].has(case.argument("mob_id")),
    "present revision if given": _present_revision,
    "a profile": lambda case: case.before.fields["profiles"].has(case.argument("name")),
    "no profile": _absent("profiles", "name"),
    "expected revision": _expected_revision,
}
"""What the words between the second and the third bar mean."""


def small_iteration(case: Case) -> Expr:
    """Return that no output has an iteration above 1,000,000 (section 9)."""
    context = case.call.arguments.fields.get("loop_context")
    if context is None:
        return TRUE
    return implies(context.present, context.item.fields["second"] <= z3.IntVal(1_000_000))


Effect: TypeAlias = Callable[[Case, Structure], Expr]


@attrs.frozen
class Write:
    """What a word for a write means: the fields it is about, and what they hold afterwards (all of it)."""

    fields: tuple[str, ...]
    effect: Effect


def _status_written(case: Case, after: Structure) -> Expr:
    status, _ = case.of_type(MobRunStatus, expected=False)
    old, new = case.before.fields["completed_at"], after.fields["completed_at"]
    sets = conj(is_terminal(case, status), neg(old.present))
    is_now = conj(new.present, same(new.item, case.call.now))
    kept = case.equal(new, old, Shape(MobRun).fields["completed_at"])
    return conj(same(after.fields["status"], status), ite(sets, is_now, kept))


def _flow_state_written(case: Case, after: Structure) -> Expr:
    return same(after.fields["flow_state"], case.of_type(FlowRunState, expected=False)[0])


def _only_key(case: Case, before: Table, after: Table, key: Expr, sort: Sort, new: Symbol | None) -> Expr:
    """Return that a map has something else at a key (nothing, if None), and the same everywhere else."""
    with binding(key.sort()) as (other,):
        item_stays = implies(before.has(other), case.equal(after.at(other), before.at(other), sort))
        stays = conj(same(after.has(other), before.has(other)), item_stays)
        elsewhere = for_all([other], disj(same(other, key), stays))
    if new is None:
        return conj(neg(after.has(key)), elsewhere)
    return conj(after.has(key), case.equal(after.at(key), new, sort), elsewhere)


def _entry_written(field: str, key: str, kind: type) -> Effect:
    def effect(case: Case, after: Structure) -> Expr:
        new, _ = case.of_type(kind, expected=False)
        return _only_key(case, case.before.fields[field], after.fields[field], case.argument(key), shape(kind), new)

    return effect


def _removed(field: str, key: str) -> Effect:
    def effect(case: Case, after: Structure) -> Expr:
        sort = Shape(case.call.store).fields[field].item  # type: ignore[attr-defined]
        return _only_key(case, case.before.fields[field], after.fields[field], case.argument(key), sort, None)

    return effect


def _appended(field: str, argument: str, *, once: bool = False) -> Effect:
    """The ledger is the old one and the entry; ``once``: if one is given, and none like it stands there."""

    def effect(case: Case, after: Structure) -> Expr:
        sort = Shape(MobRun).fields[field].item  # type: ignore[attr-defined]
        old, new, entry = case.before.fields[field], after.fields[field], case.argument(argument)
        longer = conj(
            same(new.length(), old.length() + 1),
            case.equal(new.at(old.length()), _given(case, argument, entry), sort),
        )
        adds = TRUE
        if once:
            optional = isinstance(Shape(case.call.operation).fields[argument], Optional)
            there = old.some(lambda each: case.equal(each, _given(case, argument, entry), sort))
            adds = conj(entry.present if optional else TRUE, neg(there))
        return conj(_begins_with(case, new, old, sort), ite(adds, longer, same(new.length(), old.length())))

    return effect


def _given(case: Case, argument: str, entry: Symbol) -> Symbol:
    return entry.item if isinstance(Shape(case.call.operation).fields[argument], Optional) else entry


def _begins_with(case: Case, new: Any, old: Any, sort: Sort) -> Expr:
    differs = some_place(old.length(), old.bound, lambda at: neg(case.equal(new.at(at), old.at(at), sort)))
    return neg(differs)


def _inputs_appended(case: Case, after: Structure) -> Expr:
    field = "flow_authority_inputs"
    sort = Shape(MobRun).fields[field].item  # type: ignore[attr-defined]
    old, new, inputs = case.before.fields[field], after.fields[field], case.argument("authority_inputs")
    differs = some_place(
        inputs.length(), inputs.bound, lambda at: neg(case.equal(new.at(old.length() + at), inputs.at(at), sort))
    )
    return conj(
        same(new.length(), old.length() + inputs.length()), _begins_with(case, new, old, sort), neg(differs)
    )


def _last_output(case: Case, after: Structure) -> Expr:
    """Only the last entry of the step changed, and only its output."""
    old, new, step = case.before.fields["step_ledger"], after.fields["step_ledger"], case.argument("step_id")
    sort = Shape(StepLedgerEntry)

    def of_step(at: Expr) -> Expr:
        return same(old.at(at).fields["step_id"], step)

    def differs(at: Expr) -> Expr:
        later = some_place(old.length(), old.bound, lambda other: conj(below(at, other), of_step(other)))
        output = ite(conj(of_step(at), neg(later)), case.argument("output"), old.at(at).fields["output"])
        wanted = Structure({**old.at(at).fields, "output": output})
        return neg(case.equal(new.at(at), wanted, sort))

    return conj(same(new.length(), old.length()), neg(some_place(old.length(), old.bound, differs)))


def _output(case: Case, after: Structure) -> Expr:
    """The output stands at the root, or in the iteration of the loop; all other outputs are as they were."""
    context, key, output = (case.argument(name) for name in ("loop_context", "step_output_key", "step_output"))
    payload = Shape(MobRun).fields["root_step_outputs"].item  # type: ignore[attr-defined]
    root = _only_key(
        case, case.before.fields["root_step_outputs"], after.fields["root_step_outputs"], key, payload, output
    )
    sort = Shape(MobRun).fields["loop_iteration_outputs"]
    old, new = case.before.fields["loop_iteration_outputs"], after.fields["loop_iteration_outputs"]
    kept = case.equal(new, old, sort)
    root_kept = case.equal(
        after.fields["root_step_outputs"],
        case.before.fields["root_step_outputs"],
        Shape(MobRun).fields["root_step_outputs"],
    )
    loop, iteration = context.item.fields["first"], context.item.fields["second"]

    def outputs(table: Table, of: Expr, number: Expr) -> tuple[Callable[[Expr], Expr], Callable[[Expr], Expr]]:
        """That an iteration of a loop has an output of a key, and which."""
        place = held(case.translation, table.at(of), number)
        return (lambda each: conj(table.has(of), place.has(each))), place.at

    with binding(loop.sort(), z3.IntSort(), key.sort()) as (of, number, each):
        has_new, new_at = outputs(new, of, number)
        has_old, old_at = outputs(old, of, number)
        meant = conj(same(of, loop), number == iteration, same(each, key))
        stays = conj(same(has_new(each), has_old(each)), implies(has_old(each), same(new_at(each), old_at(each))))
        elsewhere = for_all([of, number, each], disj(number < 0, meant, stays))
    has_there, there = outputs(new, loop, iteration)
    with binding(loop.sort()) as (of,):
        listed = for_all([of], disj(same(of, loop), same(new.has(of), old.has(of))))
    in_loop = conj(root_kept, has_there(key), same(there(key), output), elsewhere, listed)
    return ite(context.present, in_loop, conj(root, kept))


def _run_listed(case: Case, after: Structure) -> Expr:
    run = case.argument("run")
    runs = case.before.fields["runs"], after.fields["runs"]
    listed, now_listed = case.before.fields["of_mob"], after.fields["of_mob"]
    mob, sort = run.fields["mob_id"], Shape(case.call.store).fields["of_mob"]
    item = sort.item.item  # type: ignore[attr-defined]
    old, new = listed.at(mob), now_listed.at(mob)
    size = ite(listed.has(mob), old.length(), z3.IntVal(0))
    begins = implies(listed.has(mob), _begins_with(case, new, old, item))
    last = conj(same(new.length(), size + 1), same(new.at(size), run.fields["run_id"]))
    with binding(mob.sort()) as (other,):
        same_list = case.equal(now_listed.at(other), listed.at(other), sort.item)  # type: ignore[attr-defined]
        stays = conj(same(now_listed.has(other), listed.has(other)), implies(listed.has(other), same_list))
        elsewhere = for_all([other], disj(same(other, mob), stays))
    written = _only_key(case, *runs, run.fields["run_id"], Shape(MobRun), run)
    return conj(written, now_listed.has(mob), last, begins, elsewhere)


def _overlay(*, put: bool) -> Effect:
    def effect(case: Case, after: Structure) -> Expr:
        there, old, key = _overlays(case, case.before)
        now_there, new, _ = _overlays(case, after)
        sort = Shape(case.call.store).fields["overlays"].item  # type: ignore[attr-defined]
        mob = case.argument("mob_id")
        of_mob, now_of_mob = case.before.fields["overlays"], after.fields["overlays"]
        record = case.call.arguments.fields.get("record")
        with binding(key.sort()) as (other,):
            item_stays = implies(old.has(other), case.equal(new.at(other), old.at(other), sort.item))
            same_keys = same(conj(now_there, new.has(other)), conj(there, old.has(other)))
            stays = conj(same_keys, implies(there, item_stays))
            elsewhere = for_all([other], disj(same(other, key), stays))
        with binding(mob.sort()) as (who,):
            others = case.equal(now_of_mob.at(who), of_mob.at(who), sort)
            mob_stays = conj(same(now_of_mob.has(who), of_mob.has(who)), implies(of_mob.has(who), others))
            other_mobs = for_all([who], disj(same(who, mob), mob_stays))
        meant = conj(now_there, new.has(key))
        if not put:
            return conj(neg(meant), elsewhere, other_mobs)
        return conj(meant, case.equal(new.at(key), record, sort.item), elsewhere, other_mobs)

    return effect


def _spec_written(case: Case, after: Structure) -> Expr:
    sort = Shape(case.call.store).fields["specs"].item  # type: ignore[attr-defined]
    new = Structure({"first": case.argument("definition"), "second": _revision(case) + 1})
    return _only_key(case, case.before.fields["specs"], after.fields["specs"], case.argument("mob_id"), sort, new)


def _profile_written(*, new: bool) -> Effect:
    def effect(case: Case, after: Structure) -> Expr:
        sort = Shape(case.call.store).fields["profiles"].item  # type: ignore[attr-defined]
        name, profiles = case.argument("name"), case.before.fields["profiles"]
        old = profiles.at(name).fields
        fields = {
            "name": name,
            "profile": case.argument("profile"),
            "revision": z3.IntVal(1) if new else old["revision"] + 1,
            "created_at": case.call.now if new else old["created_at"],
            "updated_at": case.call.now,
        }
        return _only_key(case, profiles, after.fields["profiles"], name, sort, Structure(fields))

    return effect


_ITERATIONS: Final = "loop_iteration_ledger"

WRITES: Final[dict[str, Write]] = {
    "status": Write(("status", "completed_at"), _status_written),
    "flow state": Write(("flow_state",), _flow_state_written),
    "frame": Write(("frames",), _entry_written("frames", "frame_id", FrameSnapshot)),
    "loop": Write(("loops",), _entry_written("loops", "loop_instance_id", LoopSnapshot)),
    "step ledger + entry": Write(("step_ledger",), _appended("step_ledger", "entry")),
    "failure ledger + entry": Write(("failure_ledger",), _appended("failure_ledger", "entry")),
    "iteration ledger + entry, once": Write((_ITERATIONS,), _appended(_ITERATIONS, "ledger_entry", once=True)),
    "output of the last entry of the step": Write(("step_ledger",), _last_output),
    "output": Write(("root_step_outputs", "loop_iteration_outputs"), _output),
    "authority log + inputs": Write(("flow_authority_inputs",), _inputs_appended),
    "run, listed last": Write(("runs", "of_mob"), _run_listed),
    "authority": Write(("authorities",), _entry_written("authorities", "mob_id", SupervisorAuthorityRecord)),
    "authority removed": Write(("authorities",), _removed("authorities", "mob_id")),
    "overlay": Write(("overlays",), _overlay(put=True)),
    "overlay removed": Write(("overlays",), _overlay(put=False)),
    "every overlay of the mob removed": Write(("overlays",), _removed("overlays", "mob_id")),
    "spec of the next revision": Write(("specs",), _spec_written),
    "spec removed": Write(("specs",), _removed("specs", "mob_id")),
    "profile of revision 1": Write(("profiles",), _profile_written(new=True)),
    "profile of the next revision": Write(("profiles",), _profile_written(new=False)),
    "profile removed": Write(("profiles",), _removed("profiles", "name")),
}
"""What the words between the third and the fourth bar mean."""

SENTENCE_OF: Final = {sentence.call: sentence for sentence in _sentences()}
"""The sentence of each call."""
