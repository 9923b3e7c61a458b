---- MODULE Scheduling ----
\* Made from the machine's own data by `mobstore.properties.generate`: do not edit.
\* The run machine's queues: two frames and two loops, one slot for nodes and one for body frames.
EXTENDS Integers, Sequences, FiniteSets, TLC
VARIABLE State

Get(m, k, else) == IF k \in DOMAIN m THEN m[k] ELSE else
Items(q) == {q[n] : n \in 1..Len(q)}
Put(m, k, v) == [x \in DOMAIN m \cup {k} |-> IF x = k THEN v ELSE m[x]]
PutAll(m, ks, v) == [x \in DOMAIN m \cup ks |-> IF x \in ks THEN v ELSE m[x]]
Plus(a, b, greatest) == IF b > greatest - a THEN greatest ELSE a + b
Minus(a, b) == IF a < b THEN 0 ELSE a - b
RECURSIVE SumOf(_, _)
SumOf(f, ks) == IF ks = {} THEN 0 ELSE LET k == CHOOSE k \in ks : TRUE IN f[k] + SumOf(f, ks \ {k})

Rank == (("" :> 0) @@ ("f" :> 1) @@ ("g" :> 2) @@ ("l" :> 3) @@ ("m" :> 4))

CreateRunInputs == {
  [step_ids |-> <<>>, ordered_steps |-> <<>>, step_has_conditions |-> [x \in {} |-> 0], step_dependencies |-> [x \in {} |-> 0], step_dependency_modes |-> [x \in {} |-> 0], step_branches |-> [x \in {} |-> 0], step_collection_policies |-> [x \in {} |-> 0], step_quorum_thresholds |-> [x \in {} |-> 0], escalation_threshold |-> 1, max_step_retries |-> 1, max_active_nodes |-> 1, max_active_frames |-> 1, max_frame_depth |-> 2]}
CreateRunEnabled(s, i) ==
  /\ (s.phase = "Absent")
CreateRunNext(s, i) ==
  [s EXCEPT
    !.phase = "Pending",
    !.tracked_steps = Items(i.step_ids),
    !.ordered_steps = i.ordered_steps,
    !.step_status = [key \in Items(i.step_ids) |-> <<>>],
    !.output_recorded = [key \in Items(i.step_ids) |-> FALSE],
    !.step_condition_results = [key \in Items(i.step_ids) |-> <<>>],
    !.step_has_conditions = i.step_has_conditions,
    !.step_dependencies = [key \in Items(i.step_ids) |-> Get(i.step_dependencies, key, <<>>)],
    !.step_dependency_modes = [key \in Items(i.step_ids) |-> Get(i.step_dependency_modes, key, "All")],
    !.step_branches = [key \in Items(i.step_ids) |-> Get(i.step_branches, key, <<>>)],
    !.step_collection_policies = [key \in Items(i.step_ids) |-> Get(i.step_collection_policies, key, "All")],
    !.step_quorum_thresholds = [key \in Items(i.step_ids) |-> Get(i.step_quorum_thresholds, key, 0)],
    !.step_target_counts = [key \in Items(i.step_ids) |-> 0],
    !.step_target_success_counts = [key \in Items(i.step_ids) |-> 0],
    !.step_target_terminal_failure_counts = [key \in Items(i.step_ids) |-> 0],
    !.escalation_threshold = i.escalation_threshold,
    !.max_step_retries = i.max_step_retries,
    !.max_active_nodes = i.max_active_nodes,
    !.max_active_frames = i.max_active_frames,
    !.max_frame_depth = i.max_frame_depth]

StartRunInputs == {<<>>}
StartRunEnabled(s, i) ==
  /\ (s.phase = "Pending")
StartRunNext(s, i) ==
  [s EXCEPT
    !.phase = "Running"]

RegisterReadyFrameInputs == {
  [frame_id |-> "f"],
  [frame_id |-> "g"]}
RegisterReadyFrameEnabled(s, i) ==
  /\ (s.phase = "Running")
RegisterReadyFrameNext(s, i) ==
  [s EXCEPT
    !.ready_frames = (IF (i.frame_id \in s.ready_frame_membership) THEN s.ready_frames ELSE Append(s.ready_frames, i.frame_id)),
    !.ready_frame_membership = (s.ready_frame_membership \cup {i.frame_id})]

PumpNodeSchedulerInputs == {
  [frame_id |-> "f"],
  [frame_id |-> "g"]}
PumpNodeSchedulerEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (~(Len(s.ready_frames) = 0)) \* something waits
  /\ ((s.max_active_nodes = 0) \/ (s.active_node_count < s.max_active_nodes)) \* there is room (0: no maximum)
PumpNodeSchedulerNext(s, i) ==
  [s EXCEPT
    !.ready_frames = SubSeq(s.ready_frames, 2, Len(s.ready_frames)),
    !.ready_frame_membership = (s.ready_frame_membership \ {Head(s.ready_frames)}),
    !.active_node_count = Plus(s.active_node_count, 1, 2147483647),
    !.last_granted_frame = Head(s.ready_frames)]

RegisterPendingBodyFrameInputs == {
  [loop_instance_id |-> "l", depth |-> 1],
  [loop_instance_id |-> "m", depth |-> 1]}
RegisterPendingBodyFrameEnabled(s, i) ==
  /\ (s.phase = "Running")
RegisterPendingBodyFrameNext(s, i) ==
  [s EXCEPT
    !.pending_body_frame_loops = (IF (i.loop_instance_id \in s.pending_body_frame_loop_membership) THEN s.pending_body_frame_loops ELSE Append(s.pending_body_frame_loops, i.loop_instance_id)),
    !.pending_body_frame_loop_membership = (s.pending_body_frame_loop_membership \cup {i.loop_instance_id})]

PumpFrameSchedulerInputs == {
  [loop_instance_id |-> "l"]}
PumpFrameSchedulerEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (~(Len(s.pending_body_frame_loops) = 0)) \* something waits
  /\ ((s.max_active_frames = 0) \/ (s.active_frame_count < s.max_active_frames)) \* there is room (0: no maximum)
PumpFrameSchedulerNext(s, i) ==
  [s EXCEPT
    !.pending_body_frame_loops = SubSeq(s.pending_body_frame_loops, 2, Len(s.pending_body_frame_loops)),
    !.pending_body_frame_loop_membership = (s.pending_body_frame_loop_membership \ {Head(s.pending_body_frame_loops)}),
    !.active_frame_count = Plus(s.active_frame_count, 1, 2147483647),
    !.last_granted_loop = Head(s.pending_body_frame_loops)]

NodeExecutionReleasedInputs == {
  [frame_id |-> "f"],
  [frame_id |-> "g"]}
NodeExecutionReleasedEnabled(s, i) ==
  /\ (s.phase = "Running")
NodeExecutionReleasedNext(s, i) ==
  [s EXCEPT
    !.active_node_count = Minus(s.active_node_count, 1)]

FrameTerminatedInputs == {
  [frame_id |-> "f"],
  [frame_id |-> "g"]}
FrameTerminatedEnabled(s, i) ==
  /\ (s.phase = "Running")
FrameTerminatedNext(s, i) ==
  [s EXCEPT
    !.active_frame_count = Minus(s.active_frame_count, 1)]

TerminalizeCompletedInputs == {<<>>}
TerminalizeCompletedEnabled(s, i) ==
  /\ (s.phase = "Running")
TerminalizeCompletedNext(s, i) ==
  [s EXCEPT
    !.phase = "Completed"]

TerminalizeFailedInputs == {<<>>}
TerminalizeFailedEnabled(s, i) ==
  /\ (s.phase = "Running")
TerminalizeFailedNext(s, i) ==
  [s EXCEPT
    !.phase = "Failed"]

TerminalizeCanceledInputs == {<<>>}
TerminalizeCanceledEnabled(s, i) ==
  /\ ((s.phase = "Absent") \/ (s.phase = "Failed") \/ (s.phase = "Pending") \/ (s.phase = "Running"))
TerminalizeCanceledNext(s, i) ==
  [s EXCEPT
    !.phase = "Canceled"]

Init == State = [phase |-> "Absent", tracked_steps |-> {}, ordered_steps |-> <<>>, step_status |-> [x \in {} |-> 0], output_recorded |-> [x \in {} |-> 0], step_condition_results |-> [x \in {} |-> 0], step_has_conditions |-> [x \in {} |-> 0], step_dependencies |-> [x \in {} |-> 0], step_dependency_modes |-> [x \in {} |-> 0], step_branches |-> [x \in {} |-> 0], step_collection_policies |-> [x \in {} |-> 0], step_quorum_thresholds |-> [x \in {} |-> 0], step_target_counts |-> [x \in {} |-> 0], step_target_success_counts |-> [x \in {} |-> 0], step_target_terminal_failure_counts |-> [x \in {} |-> 0], target_retry_counts |-> [x \in {} |-> 0], failure_count |-> 0, consecutive_failure_count |-> 0, escalation_threshold |-> 0, max_step_retries |-> 0, ready_frames |-> <<>>, ready_frame_membership |-> {}, pending_body_frame_loops |-> <<>>, pending_body_frame_loop_membership |-> {}, active_node_count |-> 0, active_frame_count |-> 0, max_active_nodes |-> 0, max_active_frames |-> 0, max_frame_depth |-> 0, last_granted_frame |-> "", last_granted_loop |-> ""]

\* Guards as values: of an action, TLC would look at both sides of every disjunction.
Next ==
  \/ \E i \in CreateRunInputs :
       /\ CreateRunEnabled(State, i) = TRUE
       /\ State' = CreateRunNext(State, i)
  \/ \E i \in StartRunInputs :
       /\ StartRunEnabled(State, i) = TRUE
       /\ State' = StartRunNext(State, i)
  \/ \E i \in RegisterReadyFrameInputs :
       /\ RegisterReadyFrameEnabled(State, i) = TRUE
       /\ State' = RegisterReadyFrameNext(State, i)
  \/ \E i \in PumpNodeSchedulerInputs :
       /\ PumpNodeSchedulerEnabled(State, i) = TRUE
       /\ State' = PumpNodeSchedulerNext(State, i)
  \/ \E i \in RegisterPendingBodyFrameInputs :
       /\ RegisterPendingBodyFrameEnabled(State, i) = TRUE
       /\ State' = RegisterPendingBodyFrameNext(State, i)
  \/ \E i \in PumpFrameSchedulerInputs :
       /\ PumpFrameSchedulerEnabled(State, i) = TRUE
       /\ State' = PumpFrameSchedulerNext(State, i)
  \/ \E i \in NodeExecutionReleasedInputs :
       /\ NodeExecutionReleasedEnabled(State, i) = TRUE
       /\ State' = NodeExecutionReleasedNext(State, i)
  \/ \E i \in FrameTerminatedInputs :
       /\ FrameTerminatedEnabled(State, i) = TRUE
       /\ State' = FrameTerminatedNext(State, i)
  \/ \E i \in TerminalizeCompletedInputs :
       /\ TerminalizeCompletedEnabled(State, i) = TRUE
       /\ State' = TerminalizeCompletedNext(State, i)
  \/ \E i \in TerminalizeFailedInputs :
       /\ TerminalizeFailedEnabled(State, i) = TRUE
       /\ State' = TerminalizeFailedNext(State, i)
  \/ \E i \in TerminalizeCanceledInputs :
       /\ TerminalizeCanceledEnabled(State, i) = TRUE
       /\ State' = TerminalizeCanceledNext(State, i)

Spec == Init /\ [][Next]_State

\* A run that was not created has nothing in it.
AbsentRunIsBlank == LET s == State IN ((~(s.phase = "Absent")) \/ ((s.phase = "Absent") /\ (s.tracked_steps = {}) /\ (s.ordered_steps = <<>>) /\ (s.step_status = [x \in {} |-> 0]) /\ (s.output_recorded = [x \in {} |-> 0]) /\ (s.step_condition_results = [x \in {} |-> 0]) /\ (s.step_has_conditions = [x \in {} |-> 0]) /\ (s.step_dependencies = [x \in {} |-> 0]) /\ (s.step_dependency_modes = [x \in {} |-> 0]) /\ (s.step_branches = [x \in {} |-> 0]) /\ (s.step_collection_policies = [x \in {} |-> 0]) /\ (s.step_quorum_thresholds = [x \in {} |-> 0]) /\ (s.step_target_counts = [x \in {} |-> 0]) /\ (s.step_target_success_counts = [x \in {} |-> 0]) /\ (s.step_target_terminal_failure_counts = [x \in {} |-> 0]) /\ (s.target_retry_counts = [x \in {} |-> 0]) /\ (s.failure_count = 0) /\ (s.consecutive_failure_count = 0) /\ (s.escalation_threshold = 0) /\ (s.max_step_retries = 0) /\ (s.ready_frames = <<>>) /\ (s.ready_frame_membership = {}) /\ (s.pending_body_frame_loops = <<>>) /\ (s.pending_body_frame_loop_membership = {}) /\ (s.active_node_count = 0) /\ (s.active_frame_count = 0) /\ (s.max_active_nodes = 0) /\ (s.max_active_frames = 0) /\ (s.max_frame_depth = 0) /\ (s.last_granted_frame = "") /\ (s.last_granted_loop = "")))

\* Before the start no step has a status, nothing waits and no slot is taken.
PendingRunHasNotBegun == LET s == State IN ((~(s.phase = "Pending")) \/ ((((\A step \in DOMAIN s.step_status : (s.step_status[step] = <<>>)) /\ (Len(s.ready_frames) = 0)) /\ (Len(s.pending_body_frame_loops) = 0)) /\ (Plus(Plus(s.active_node_count, s.active_frame_count, 2147483647), s.failure_count, 2147483647) = 0)))

\* Exactly the tracked steps have a status, outputs, conditions, dependencies and counts.
OnlyTrackedSteps == LET s == State IN ((~(~(s.phase = "Absent"))) \/ ((DOMAIN s.step_status = s.tracked_steps) /\ (DOMAIN s.output_recorded = s.tracked_steps) /\ (DOMAIN s.step_condition_results = s.tracked_steps) /\ (DOMAIN s.step_dependencies = s.tracked_steps) /\ (DOMAIN s.step_target_counts = s.tracked_steps) /\ (DOMAIN s.step_target_success_counts = s.tracked_steps) /\ (DOMAIN s.step_target_terminal_failure_counts = s.tracked_steps)))

\* The queue of ready frames and its membership hold the same ids, each once.
ReadyQueueAndMembership == LET s == State IN ((~((~(Len(s.ready_frames) = 0)) \/ (~(Cardinality(s.ready_frame_membership) = 0)))) \/ ((Items(s.ready_frames) = s.ready_frame_membership) /\ (Cardinality(Items(s.ready_frames)) = Len(s.ready_frames))))

\* The queue of loops that want a body frame and its membership hold the same ids, each once.
PendingLoopsAndMembership == LET s == State IN ((~((~(Len(s.pending_body_frame_loops) = 0)) \/ (~(Cardinality(s.pending_body_frame_loop_membership) = 0)))) \/ ((Items(s.pending_body_frame_loops) = s.pending_body_frame_loop_membership) /\ (Cardinality(Items(s.pending_body_frame_loops)) = Len(s.pending_body_frame_loops))))

\* The number of active nodes never passes its maximum.
NodeCountWithinMaximum == LET s == State IN ((~(0 < s.max_active_nodes)) \/ (~(s.max_active_nodes < s.active_node_count)))

\* The number of active body frames never passes its maximum.
FrameCountWithinMaximum == LET s == State IN ((~(0 < s.max_active_frames)) \/ (~(s.max_active_frames < s.active_frame_count)))

\* As many failures were counted as steps failed.
FailuresAreCounted == LET s == State IN ((~((0 < s.failure_count) \/ (0 < SumOf([item \in DOMAIN s.step_status |-> (IF (Get(s.step_status, item, <<>>) = <<"Failed">>) THEN 1 ELSE 0)], DOMAIN s.step_status)))) \/ (s.failure_count = SumOf([item \in DOMAIN s.step_status |-> (IF (Get(s.step_status, item, <<>>) = <<"Failed">>) THEN 1 ELSE 0)], DOMAIN s.step_status)))

\* The number of failures rises by one when a step fails, and not otherwise; one step fails at a time.
EveryFailureIsCountedHolds(before, after) == ((~((\E step \in DOMAIN after.step_status : ((Get(after.step_status, step, <<>>) = <<"Failed">>) /\ (~(Get(before.step_status, step, <<>>) = <<"Failed">>)))) \/ (~(before.failure_count = after.failure_count)))) \/ ((after.failure_count = Plus(before.failure_count, 1, 2147483647)) /\ (\E step \in DOMAIN after.step_status : ((Get(after.step_status, step, <<>>) = <<"Failed">>) /\ (\A other \in DOMAIN after.step_status : ((other = step) \/ (Get(after.step_status, other, <<>>) = Get(before.step_status, other, <<>>))))))))
EveryFailureIsCounted == [][EveryFailureIsCountedHolds(State, State')]_State

\* No more failures in a row than failures.
FailuresInARowAreFailures == LET s == State IN ((~(0 < s.consecutive_failure_count)) \/ (~(s.failure_count < s.consecutive_failure_count)))

\* An ended run does not change, but that a failed one may be canceled.
EndedRunStaysHolds(before, after) == ((~((before.phase = "Completed") \/ (before.phase = "Failed") \/ (before.phase = "Canceled"))) \/ (((before.tracked_steps = after.tracked_steps) /\ (before.ordered_steps = after.ordered_steps) /\ (before.step_status = after.step_status) /\ (before.output_recorded = after.output_recorded) /\ (before.step_condition_results = after.step_condition_results) /\ (before.step_has_conditions = after.step_has_conditions) /\ (before.step_dependencies = after.step_dependencies) /\ (before.step_dependency_modes = after.step_dependency_modes) /\ (before.step_branches = after.step_branches) /\ (before.step_collection_policies = after.step_collection_policies) /\ (before.step_quorum_thresholds = after.step_quorum_thresholds) /\ (before.step_target_counts = after.step_target_counts) /\ (before.step_target_success_counts = after.step_target_success_counts) /\ (before.step_target_terminal_failure_counts = after.step_target_terminal_failure_counts) /\ (before.target_retry_counts = after.target_retry_counts) /\ (before.failure_count = after.failure_count) /\ (before.consecutive_failure_count = after.consecutive_failure_count) /\ (before.escalation_threshold = after.escalation_threshold) /\ (before.max_step_retries = after.max_step_retries) /\ (before.ready_frames = after.ready_frames) /\ (before.ready_frame_membership = after.ready_frame_membership) /\ (before.pending_body_frame_loops = after.pending_body_frame_loops) /\ (before.pending_body_frame_loop_membership = after.pending_body_frame_loop_membership) /\ (before.active_node_count = after.active_node_count) /\ (before.active_frame_count = after.active_frame_count) /\ (before.max_active_nodes = after.max_active_nodes) /\ (before.max_active_frames = after.max_active_frames) /\ (before.max_frame_depth = after.max_frame_depth) /\ (before.last_granted_frame = after.last_granted_frame) /\ (before.last_granted_loop = after.last_granted_loop)) /\ ((before.phase = after.phase) \/ ((before.phase = "Failed") /\ (after.phase = "Canceled")))))
EndedRunStays == [][EndedRunStaysHolds(State, State')]_State

\* The definition of a run never changes.
RunIsCreatedOnceHolds(before, after) == ((~(~(before.phase = "Absent"))) \/ (((before.tracked_steps = after.tracked_steps) /\ (before.ordered_steps = after.ordered_steps) /\ (before.step_has_conditions = after.step_has_conditions) /\ (before.step_dependencies = after.step_dependencies) /\ (before.step_dependency_modes = after.step_dependency_modes) /\ (before.step_branches = after.step_branches) /\ (before.step_collection_policies = after.step_collection_policies) /\ (before.step_quorum_thresholds = after.step_quorum_thresholds) /\ (before.escalation_threshold = after.escalation_threshold) /\ (before.max_step_retries = after.max_step_retries) /\ (before.max_active_nodes = after.max_active_nodes) /\ (before.max_active_frames = after.max_active_frames) /\ (before.max_frame_depth = after.max_frame_depth)) /\ (~(after.phase = "Absent"))))
RunIsCreatedOnce == [][RunIsCreatedOnceHolds(State, State')]_State

\* What is running was never pending again.
RunDoesNotGoBackHolds(before, after) == ((~(before.phase = "Running")) \/ (~(after.phase = "Pending")))
RunDoesNotGoBack == [][RunDoesNotGoBackHolds(State, State')]_State

\* A step that ended keeps its status, and none that was dispatched goes back.
StepsMoveOnHolds(before, after) == ((~((~(before.step_status = after.step_status)) /\ (~(before.phase = "Absent")))) \/ (\A step \in DOMAIN before.step_status : (((Get(before.step_status, step, <<>>) = Get(after.step_status, step, <<>>)) \/ (Get(before.step_status, step, <<>>) = <<>>)) \/ ((Get(before.step_status, step, <<>>) = <<"Dispatched">>) /\ ((Get(after.step_status, step, <<>>) = <<"Completed">>) \/ (Get(after.step_status, step, <<>>) = <<"Failed">>) \/ (Get(after.step_status, step, <<>>) = <<"Skipped">>) \/ (Get(after.step_status, step, <<>>) = <<"Canceled">>))))))
StepsMoveOn == [][StepsMoveOnHolds(State, State')]_State

\* A step that completes sets the failures in a row to 0; one that fails adds one.
FailuresInARowEndWithSuccessHolds(before, after) == ((~((\E step \in DOMAIN after.step_status : ((Get(after.step_status, step, <<>>) = <<"Completed">>) /\ (~(Get(before.step_status, step, <<>>) = <<"Completed">>)))) \/ (\E step \in DOMAIN after.step_status : ((Get(after.step_status, step, <<>>) = <<"Failed">>) /\ (~(Get(before.step_status, step, <<>>) = <<"Failed">>)))))) \/ (after.consecutive_failure_count = (IF (\E step \in DOMAIN after.step_status : ((Get(after.step_status, step, <<>>) = <<"Failed">>) /\ (~(Get(before.step_status, step, <<>>) = <<"Failed">>)))) THEN Plus(before.consecutive_failure_count, 1, 2147483647) ELSE 0)))
FailuresInARowEndWithSuccess == [][FailuresInARowEndWithSuccessHolds(State, State')]_State

\* An output that was recorded stays recorded.
OutputsAreNotForgottenHolds(before, after) == ((~(\E step \in DOMAIN before.output_recorded : before.output_recorded[step])) \/ (\A key \in DOMAIN before.output_recorded : ((~before.output_recorded[key]) \/ Get(after.output_recorded, key, FALSE))))
OutputsAreNotForgotten == [][OutputsAreNotForgottenHolds(State, State')]_State

\* What leaves the queue of ready frames is its head; it is noted as the last granted, and counted.
NodeGrantTakesTheHeadHolds(before, after) == ((~(Len(after.ready_frames) < Len(before.ready_frames))) \/ (((after.ready_frames = SubSeq(before.ready_frames, 2, Len(before.ready_frames))) /\ (after.last_granted_frame = Head(before.ready_frames))) /\ (after.active_node_count = Plus(before.active_node_count, 1, 2147483647))))
NodeGrantTakesTheHead == [][NodeGrantTakesTheHeadHolds(State, State')]_State

\* What leaves the queue of loops is its head; it is noted as the last granted, and counted.
FrameGrantTakesTheHeadHolds(before, after) == ((~(Len(after.pending_body_frame_loops) < Len(before.pending_body_frame_loops))) \/ (((after.pending_body_frame_loops = SubSeq(before.pending_body_frame_loops, 2, Len(before.pending_body_frame_loops))) /\ (after.last_granted_loop = Head(before.pending_body_frame_loops))) /\ (after.active_frame_count = Plus(before.active_frame_count, 1, 2147483647))))
FrameGrantTakesTheHead == [][FrameGrantTakesTheHeadHolds(State, State')]_State

\* What joins the queue of ready frames was not in it, and joins at its end.
ReadyQueueGrowsAtItsEndHolds(before, after) == ((~(Len(before.ready_frames) < Len(after.ready_frames))) \/ (\E item \in Items(after.ready_frames) : ((after.ready_frames = Append(before.ready_frames, item)) /\ (~(item \in Items(before.ready_frames))))))
ReadyQueueGrowsAtItsEnd == [][ReadyQueueGrowsAtItsEndHolds(State, State')]_State

\* The number of active nodes rises only by one, and only when a frame leaves the queue.
NodeCountRisesByAGrantHolds(before, after) == ((~(before.active_node_count < after.active_node_count)) \/ ((after.active_node_count = Plus(before.active_node_count, 1, 2147483647)) /\ (Len(after.ready_frames) < Len(before.ready_frames))))
NodeCountRisesByAGrant == [][NodeCountRisesByAGrantHolds(State, State')]_State

\* The number of active body frames rises only by one, and only when a loop leaves the queue.
FrameCountRisesByAGrantHolds(before, after) == ((~(before.active_frame_count < after.active_frame_count)) \/ ((after.active_frame_count = Plus(before.active_frame_count, 1, 2147483647)) /\ (Len(after.pending_body_frame_loops) < Len(before.pending_body_frame_loops))))
FrameCountRisesByAGrant == [][FrameCountRisesByAGrantHolds(State, State')]_State

====
