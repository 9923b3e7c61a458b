---- MODULE Loop ----
\* Made from the machine's own data by `mobstore.properties.generate`: do not edit.
\* The loop machine: one instance of one or two iterations, two body frames; inputs for another, too.
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

Rank == (("" :> 0) @@ ("f" :> 1) @@ ("g" :> 2) @@ ("l" :> 3) @@ ("loop" :> 4) @@ ("m" :> 5) @@ ("n" :> 6) @@ ("r" :> 7))

StartLoopInputs == {
  [loop_instance_id |-> "l", max_iterations |-> 1, parent_frame_id |-> "r", parent_node_id |-> "n", loop_id |-> "loop", depth |-> 1],
  [loop_instance_id |-> "l", max_iterations |-> 2, parent_frame_id |-> "r", parent_node_id |-> "n", loop_id |-> "loop", depth |-> 1]}
StartLoopEnabled(s, i) ==
  /\ (s.phase = "Absent")
StartLoopNext(s, i) ==
  [s EXCEPT
    !.phase = "Running",
    !.loop_instance_id = i.loop_instance_id,
    !.parent_frame_id = i.parent_frame_id,
    !.parent_node_id = i.parent_node_id,
    !.loop_id = i.loop_id,
    !.depth = i.depth,
    !.max_iterations = i.max_iterations]

BodyFrameStartedInputs == {
  [loop_instance_id |-> "l", frame_id |-> "f", iteration |-> 0],
  [loop_instance_id |-> "l", frame_id |-> "f", iteration |-> 1],
  [loop_instance_id |-> "l", frame_id |-> "f", iteration |-> 2],
  [loop_instance_id |-> "l", frame_id |-> "g", iteration |-> 0],
  [loop_instance_id |-> "l", frame_id |-> "g", iteration |-> 1],
  [loop_instance_id |-> "l", frame_id |-> "g", iteration |-> 2],
  [loop_instance_id |-> "m", frame_id |-> "f", iteration |-> 0],
  [loop_instance_id |-> "m", frame_id |-> "f", iteration |-> 1],
  [loop_instance_id |-> "m", frame_id |-> "f", iteration |-> 2],
  [loop_instance_id |-> "m", frame_id |-> "g", iteration |-> 0],
  [loop_instance_id |-> "m", frame_id |-> "g", iteration |-> 1],
  [loop_instance_id |-> "m", frame_id |-> "g", iteration |-> 2]}
BodyFrameStartedEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (i.loop_instance_id = s.loop_instance_id) \* the input means this instance
  /\ (s.stage = "AwaitingBodyFrame") \* the stage is AwaitingBodyFrame
  /\ (i.iteration = s.current_iteration) \* the input means this iteration
BodyFrameStartedNext(s, i) ==
  [s EXCEPT
    !.stage = "BodyFrameActive",
    !.active_body_frame_id = <<i.frame_id>>]

BodyFrameCompletedInputs == {
  [loop_instance_id |-> "l", iteration |-> 0],
  [loop_instance_id |-> "l", iteration |-> 1],
  [loop_instance_id |-> "l", iteration |-> 2],
  [loop_instance_id |-> "m", iteration |-> 0],
  [loop_instance_id |-> "m", iteration |-> 1],
  [loop_instance_id |-> "m", iteration |-> 2]}
BodyFrameCompletedEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (i.loop_instance_id = s.loop_instance_id) \* the input means this instance
  /\ (s.stage = "BodyFrameActive") \* the stage is BodyFrameActive
  /\ (i.iteration = s.current_iteration) \* the input means this iteration
  /\ (s.current_iteration < 2147483647) \* there is a number for the next iteration
BodyFrameCompletedNext(s, i) ==
  [s EXCEPT
    !.last_completed_iteration = i.iteration,
    !.active_body_frame_id = <<>>,
    !.stage = "AwaitingUntilEvaluation",
    !.current_iteration = Plus(s.current_iteration, 1, 2147483647)]

BodyFrameFailedInputs == {
  [loop_instance_id |-> "l", iteration |-> 0],
  [loop_instance_id |-> "l", iteration |-> 1],
  [loop_instance_id |-> "l", iteration |-> 2],
  [loop_instance_id |-> "m", iteration |-> 0],
  [loop_instance_id |-> "m", iteration |-> 1],
  [loop_instance_id |-> "m", iteration |-> 2]}
BodyFrameFailedEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (i.loop_instance_id = s.loop_instance_id) \* the input means this instance
  /\ (s.stage = "BodyFrameActive") \* the stage is BodyFrameActive
  /\ (i.iteration = s.current_iteration) \* the input means this iteration
BodyFrameFailedNext(s, i) ==
  [s EXCEPT
    !.last_completed_iteration = i.iteration,
    !.active_body_frame_id = <<>>,
    !.phase = "Failed"]

BodyFrameCanceledInputs == {
  [loop_instance_id |-> "l", iteration |-> 0],
  [loop_instance_id |-> "l", iteration |-> 1],
  [loop_instance_id |-> "l", iteration |-> 2],
  [loop_instance_id |-> "m", iteration |-> 0],
  [loop_instance_id |-> "m", iteration |-> 1],
  [loop_instance_id |-> "m", iteration |-> 2]}
BodyFrameCanceledEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (i.loop_instance_id = s.loop_instance_id) \* the input means this instance
  /\ (s.stage = "BodyFrameActive") \* the stage is BodyFrameActive
  /\ (i.iteration = s.current_iteration) \* the input means this iteration
BodyFrameCanceledNext(s, i) ==
  [s EXCEPT
    !.last_completed_iteration = i.iteration,
    !.active_body_frame_id = <<>>,
    !.phase = "Canceled"]

UntilConditionMetInputs == {
  [loop_instance_id |-> "l", iteration |-> 0],
  [loop_instance_id |-> "l", iteration |-> 1],
  [loop_instance_id |-> "l", iteration |-> 2],
  [loop_instance_id |-> "m", iteration |-> 0],
  [loop_instance_id |-> "m", iteration |-> 1],
  [loop_instance_id |-> "m", iteration |-> 2]}
UntilConditionMetEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (i.loop_instance_id = s.loop_instance_id) \* the input means this instance
  /\ (s.stage = "AwaitingUntilEvaluation") \* the stage is AwaitingUntilEvaluation
  /\ (i.iteration = s.last_completed_iteration) \* the input means this iteration
UntilConditionMetNext(s, i) ==
  [s EXCEPT
    !.phase = "Completed"]

UntilConditionFailedInputs == {
  [loop_instance_id |-> "l", iteration |-> 0],
  [loop_instance_id |-> "l", iteration |-> 1],
  [loop_instance_id |-> "l", iteration |-> 2],
  [loop_instance_id |-> "m", iteration |-> 0],
  [loop_instance_id |-> "m", iteration |-> 1],
  [loop_instance_id |-> "m", iteration |-> 2]}
UntilConditionFailedEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (i.loop_instance_id = s.loop_instance_id) \* the input means this instance
  /\ (s.stage = "AwaitingUntilEvaluation") \* the stage is AwaitingUntilEvaluation
  /\ (i.iteration = s.last_completed_iteration) \* the input means this iteration
UntilConditionFailedNext(s, i) ==
  [s EXCEPT
    !.phase = (IF (~(s.current_iteration < s.max_iterations)) THEN "Exhausted" ELSE s.phase),
    !.stage = (IF (~(s.current_iteration < s.max_iterations)) THEN s.stage ELSE "AwaitingBodyFrame")]

CancelLoopInputs == {
  [loop_instance_id |-> "l"],
  [loop_instance_id |-> "m"]}
CancelLoopEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (i.loop_instance_id = s.loop_instance_id) \* the input means this instance
CancelLoopNext(s, i) ==
  [s EXCEPT
    !.phase = "Canceled",
    !.active_body_frame_id = <<>>]

Init == State = [phase |-> "Absent", loop_instance_id |-> "", parent_frame_id |-> "", parent_node_id |-> "", loop_id |-> "", depth |-> 0, stage |-> "AwaitingBodyFrame", current_iteration |-> 0, last_completed_iteration |-> 0, max_iterations |-> 0, active_body_frame_id |-> <<>>]

\* Guards as values: of an action, TLC would look at both sides of every disjunction.
Next ==
  \/ \E i \in StartLoopInputs :
       /\ StartLoopEnabled(State, i) = TRUE
       /\ State' = StartLoopNext(State, i)
  \/ \E i \in BodyFrameStartedInputs :
       /\ BodyFrameStartedEnabled(State, i) = TRUE
       /\ State' = BodyFrameStartedNext(State, i)
  \/ \E i \in BodyFrameCompletedInputs :
       /\ BodyFrameCompletedEnabled(State, i) = TRUE
       /\ State' = BodyFrameCompletedNext(State, i)
  \/ \E i \in BodyFrameFailedInputs :
       /\ BodyFrameFailedEnabled(State, i) = TRUE
       /\ State' = BodyFrameFailedNext(State, i)
  \/ \E i \in BodyFrameCanceledInputs :
       /\ BodyFrameCanceledEnabled(State, i) = TRUE
       /\ State' = BodyFrameCanceledNext(State, i)
  \/ \E i \in UntilConditionMetInputs :
       /\ UntilConditionMetEnabled(State, i) = TRUE
       /\ State' = UntilConditionMetNext(State, i)
  \/ \E i \in UntilConditionFailedInputs :
       /\ UntilConditionFailedEnabled(State, i) = TRUE
       /\ State' = UntilConditionFailedNext(State, i)
  \/ \E i \in CancelLoopInputs :
       /\ CancelLoopEnabled(State, i) = TRUE
       /\ State' = CancelLoopNext(State, i)

Spec == Init /\ [][Next]_State

\* A loop that was not started has nothing in it.
AbsentLoopIsBlank == LET s == State IN ((~(s.phase = "Absent")) \/ ((s.phase = "Absent") /\ (s.loop_instance_id = "") /\ (s.parent_frame_id = "") /\ (s.parent_node_id = "") /\ (s.loop_id = "") /\ (s.depth = 0) /\ (s.stage = "AwaitingBodyFrame") /\ (s.current_iteration = 0) /\ (s.last_completed_iteration = 0) /\ (s.max_iterations = 0) /\ (s.active_body_frame_id = <<>>)))

\* A loop has an active body frame exactly while it runs and is in its body.
BodyFrameWhileActive == LET s == State IN ((~(~(s.phase = "Absent"))) \/ ((s.active_body_frame_id # <<>>) = ((s.phase = "Running") /\ (s.stage = "BodyFrameActive"))))

\* No more iterations than the maximum (but one, where that is 0).
IterationsWithinMaximum == LET s == State IN ((~(1 < s.current_iteration)) \/ (~(s.max_iterations < s.current_iteration)))

\* A loop whose body is awaited or active is in its first iteration, or has not had all that it may have.
IterationsLeftForABody == LET s == State IN ((~((s.phase = "Running") /\ ((s.stage = "AwaitingBodyFrame") \/ (s.stage = "BodyFrameActive")))) \/ ((s.current_iteration = 0) \/ (s.current_iteration < s.max_iterations)))

\* While the until-condition is awaited, the iteration completed last is the one before the present.
LastCompletedIsTheOneBefore == LET s == State IN ((~((s.phase = "Running") /\ (s.stage = "AwaitingUntilEvaluation"))) \/ ((0 < s.current_iteration) /\ (s.last_completed_iteration = Minus(s.current_iteration, 1))))

\* What a loop instance belongs to, and its maximum, never change.
LoopIsCreatedOnceHolds(before, after) == ((~(~(before.phase = "Absent"))) \/ (((before.loop_instance_id = after.loop_instance_id) /\ (before.parent_frame_id = after.parent_frame_id) /\ (before.parent_node_id = after.parent_node_id) /\ (before.loop_id = after.loop_id) /\ (before.depth = after.depth) /\ (before.max_iterations = after.max_iterations)) /\ (~(after.phase = "Absent"))))
LoopIsCreatedOnce == [][LoopIsCreatedOnceHolds(State, State')]_State

\* A loop that ends counts no iteration by that, and one that ended does not change.
EndedLoopStaysHolds(before, after) == ((~((after.phase = "Completed") \/ (after.phase = "Exhausted") \/ (after.phase = "Failed") \/ (after.phase = "Canceled"))) \/ ((before.current_iteration = after.current_iteration) /\ ((before.phase = "Running") \/ ((before.phase = after.phase) /\ (before.loop_instance_id = after.loop_instance_id) /\ (before.parent_frame_id = after.parent_frame_id) /\ (before.parent_node_id = after.parent_node_id) /\ (before.loop_id = after.loop_id) /\ (before.depth = after.depth) /\ (before.stage = after.stage) /\ (before.current_iteration = after.current_iteration) /\ (before.last_completed_iteration = after.last_completed_iteration) /\ (before.max_iterations = after.max_iterations) /\ (before.active_body_frame_id = after.active_body_frame_id)))))
EndedLoopStays == [][EndedLoopStaysHolds(State, State')]_State

\* A loop fails in its body; it completes, or is exhausted, when the until-condition was evaluated.
LoopEndsWhereItMayHolds(before, after) == ((~((before.phase = "Running") /\ ((after.phase = "Failed") \/ (after.phase = "Completed") \/ (after.phase = "Exhausted")))) \/ (IF (after.phase = "Failed") THEN ((before.phase = "Running") /\ (before.stage = "BodyFrameActive")) ELSE (before.stage = "AwaitingUntilEvaluation")))
LoopEndsWhereItMay == [][LoopEndsWhereItMayHolds(State, State')]_State

\* A loop that is exhausted had as many iterations as it may have, and one that goes on had fewer.
ExhaustedMeansExhaustedHolds(before, after) == ((~((before.stage = "AwaitingUntilEvaluation") /\ ((after.phase = "Exhausted") \/ (after.stage = "AwaitingBodyFrame")))) \/ ((after.phase = "Exhausted") = (~(after.current_iteration < after.max_iterations))))
ExhaustedMeansExhausted == [][ExhaustedMeansExhaustedHolds(State, State')]_State

\* The iteration counts 0, 1, 2 without a gap, and only when an active body frame completes.
IterationsCountUpHolds(before, after) == ((~(~(before.current_iteration = after.current_iteration))) \/ (((after.current_iteration = Plus(before.current_iteration, 1, 2147483647)) /\ ((before.phase = "Running") /\ (before.stage = "BodyFrameActive"))) /\ (after.stage = "AwaitingUntilEvaluation")))
IterationsCountUp == [][IterationsCountUpHolds(State, State')]_State

\* A body frame begins only where none is active, and is awaited.
BodyFrameIsNotReplacedHolds(before, after) == ((~((after.active_body_frame_id # <<>>) /\ (~(before.active_body_frame_id = after.active_body_frame_id)))) \/ ((~(before.active_body_frame_id # <<>>)) /\ (before.stage = "AwaitingBodyFrame")))
BodyFrameIsNotReplaced == [][BodyFrameIsNotReplacedHolds(State, State')]_State

====
