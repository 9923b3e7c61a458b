---- MODULE Frame ----
\* Made from the machine's own data by `mobstore.properties.generate`: do not edit.
\* The frame machine: a graph of four nodes with a branch of two, one dependency of all, one of any.
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

Rank == (("" :> 0) @@ ("a" :> 1) @@ ("b" :> 2) @@ ("c" :> 3) @@ ("d" :> 4) @@ ("f" :> 5) @@ ("l" :> 6) @@ ("left-or-right" :> 7) @@ ("r" :> 8) @@ ("x" :> 9))

StartRootFrameInputs == {
  [frame_id |-> "r", tracked_nodes |-> <<"a", "b", "c", "d">>, ordered_nodes |-> <<"a", "b", "c", "d">>, node_kind |-> (("a" :> "Step") @@ ("b" :> "Step") @@ ("c" :> "Step") @@ ("d" :> "Loop")), node_dependencies |-> (("c" :> <<"a">>) @@ ("d" :> <<"a", "b">>)), node_dependency_modes |-> (("c" :> "All") @@ ("d" :> "Any")), node_branches |-> (("a" :> <<"left-or-right">>) @@ ("b" :> <<"left-or-right">>))]}
StartRootFrameEnabled(s, i) ==
  LET DefFresh == [key \in Items(i.ordered_nodes) |-> "Pending"] IN
  LET DefStatus == [key \in DOMAIN DefFresh |-> (IF ((Get(DefFresh, key, "Pending") = "Pending") \/ (Get(DefFresh, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(i.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(i.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(i.node_dependencies, key, <<>>)) : (Get(DefFresh, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(i.node_dependencies, key, <<>>)) : (Get(DefFresh, dependency, "Pending") = "Completed"))) /\ (~((Get(i.node_branches, key, <<>>) # <<>>) /\ (Get(i.node_branches, key, <<>>)[1] \in {})))) THEN "Ready" ELSE "Pending") ELSE Get(DefFresh, key, "Pending"))] IN
  /\ (s.phase = "Absent")
StartRootFrameNext(s, i) ==
  LET DefFresh == [key \in Items(i.ordered_nodes) |-> "Pending"] IN
  LET DefStatus == [key \in DOMAIN DefFresh |-> (IF ((Get(DefFresh, key, "Pending") = "Pending") \/ (Get(DefFresh, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(i.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(i.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(i.node_dependencies, key, <<>>)) : (Get(DefFresh, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(i.node_dependencies, key, <<>>)) : (Get(DefFresh, dependency, "Pending") = "Completed"))) /\ (~((Get(i.node_branches, key, <<>>) # <<>>) /\ (Get(i.node_branches, key, <<>>)[1] \in {})))) THEN "Ready" ELSE "Pending") ELSE Get(DefFresh, key, "Pending"))] IN
  [s EXCEPT
    !.phase = "Running",
    !.frame_id = i.frame_id,
    !.tracked_nodes = Items(i.tracked_nodes),
    !.ordered_nodes = i.ordered_nodes,
    !.node_kind = i.node_kind,
    !.node_dependencies = i.node_dependencies,
    !.node_dependency_modes = i.node_dependency_modes,
    !.node_branches = i.node_branches,
    !.node_status = DefStatus,
    !.ready_queue = SelectSeq(i.ordered_nodes, LAMBDA node : (Get(DefStatus, node, "Pending") = "Ready")),
    !.output_recorded = [key \in Items(i.ordered_nodes) |-> FALSE],
    !.node_condition_results = [key \in Items(i.ordered_nodes) |-> <<>>]]

StartBodyFrameInputs == {
  [frame_id |-> "f", loop_instance_id |-> "l", iteration |-> 1, tracked_nodes |-> <<"a", "b", "c", "d">>, ordered_nodes |-> <<"a", "b", "c", "d">>, node_kind |-> (("a" :> "Step") @@ ("b" :> "Step") @@ ("c" :> "Step") @@ ("d" :> "Loop")), node_dependencies |-> (("c" :> <<"a">>) @@ ("d" :> <<"a", "b">>)), node_dependency_modes |-> (("c" :> "All") @@ ("d" :> "Any")), node_branches |-> (("a" :> <<"left-or-right">>) @@ ("b" :> <<"left-or-right">>))]}
StartBodyFrameEnabled(s, i) ==
  LET DefFresh == [key \in Items(i.ordered_nodes) |-> "Pending"] IN
  LET DefStatus == [key \in DOMAIN DefFresh |-> (IF ((Get(DefFresh, key, "Pending") = "Pending") \/ (Get(DefFresh, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(i.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(i.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(i.node_dependencies, key, <<>>)) : (Get(DefFresh, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(i.node_dependencies, key, <<>>)) : (Get(DefFresh, dependency, "Pending") = "Completed"))) /\ (~((Get(i.node_branches, key, <<>>) # <<>>) /\ (Get(i.node_branches, key, <<>>)[1] \in {})))) THEN "Ready" ELSE "Pending") ELSE Get(DefFresh, key, "Pending"))] IN
  /\ (s.phase = "Absent")
StartBodyFrameNext(s, i) ==
  LET DefFresh == [key \in Items(i.ordered_nodes) |-> "Pending"] IN
  LET DefStatus == [key \in DOMAIN DefFresh |-> (IF ((Get(DefFresh, key, "Pending") = "Pending") \/ (Get(DefFresh, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(i.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(i.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(i.node_dependencies, key, <<>>)) : (Get(DefFresh, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(i.node_dependencies, key, <<>>)) : (Get(DefFresh, dependency, "Pending") = "Completed"))) /\ (~((Get(i.node_branches, key, <<>>) # <<>>) /\ (Get(i.node_branches, key, <<>>)[1] \in {})))) THEN "Ready" ELSE "Pending") ELSE Get(DefFresh, key, "Pending"))] IN
  [s EXCEPT
    !.phase = "Running",
    !.frame_id = i.frame_id,
    !.tracked_nodes = Items(i.tracked_nodes),
    !.ordered_nodes = i.ordered_nodes,
    !.node_kind = i.node_kind,
    !.node_dependencies = i.node_dependencies,
    !.node_dependency_modes = i.node_dependency_modes,
    !.node_branches = i.node_branches,
    !.node_status = DefStatus,
    !.ready_queue = SelectSeq(i.ordered_nodes, LAMBDA node : (Get(DefStatus, node, "Pending") = "Ready")),
    !.output_recorded = [key \in Items(i.ordered_nodes) |-> FALSE],
    !.node_condition_results = [key \in Items(i.ordered_nodes) |-> <<>>],
    !.frame_scope = "Body",
    !.loop_instance_id = i.loop_instance_id,
    !.iteration = i.iteration]

AdmitNextReadyNodeInputs == {
  [node_id |-> "", ready_queue |-> <<>>]}
AdmitNextReadyNodeEnabled(s, i) ==
  LET DefStatus == [key \in DOMAIN s.node_status |-> (IF ((Get(s.node_status, key, "Pending") = "Pending") \/ (Get(s.node_status, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(s.node_status, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(s.node_status, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in s.branch_winners)))) THEN "Ready" ELSE "Pending") ELSE Get(s.node_status, key, "Pending"))] IN
  LET DefQueue == SelectSeq(s.ordered_nodes, LAMBDA node : (Get(DefStatus, node, "Pending") = "Ready")) IN
  /\ (s.phase = "Running")
  /\ (~(Len(DefQueue) = 0)) \* a node is ready
  /\ (Head(DefQueue) \in DOMAIN s.node_kind) \* the node's kind is known
AdmitNextReadyNodeNext(s, i) ==
  LET DefStatus == [key \in DOMAIN s.node_status |-> (IF ((Get(s.node_status, key, "Pending") = "Pending") \/ (Get(s.node_status, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(s.node_status, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(s.node_status, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in s.branch_winners)))) THEN "Ready" ELSE "Pending") ELSE Get(s.node_status, key, "Pending"))] IN
  LET DefQueue == SelectSeq(s.ordered_nodes, LAMBDA node : (Get(DefStatus, node, "Pending") = "Ready")) IN
  [s EXCEPT
    !.last_admitted_node = Head(DefQueue),
    !.node_status = Put(DefStatus, Head(DefQueue), "Running"),
    !.ready_queue = SelectSeq(DefQueue, LAMBDA node : (~(node = Head(DefQueue))))]

CompleteNodeInputs == {
  [node_id |-> "a"],
  [node_id |-> "b"],
  [node_id |-> "c"],
  [node_id |-> "d"],
  [node_id |-> "x"]}
CompleteNodeEnabled(s, i) ==
  LET DefEnded == Put(s.node_status, i.node_id, "Completed") IN
  LET DefRaced == [key \in DOMAIN DefEnded |-> (IF (((Get(s.node_branches, i.node_id, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>) = Get(s.node_branches, i.node_id, <<>>))) /\ ((Get(DefEnded, key, "Pending") = "Pending") \/ (Get(DefEnded, key, "Pending") = "Ready"))) THEN "Skipped" ELSE Get(DefEnded, key, "Pending"))] IN
  LET DefSettled == (LET RECURSIVE Fix1(_, _) Fix1(now, Left1) == LET Set1 == {key \in Left1 : (((Get(now, key, "Pending") = "Pending") \/ (Get(now, key, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled")))))} IN IF Set1 = {} THEN now ELSE Fix1(PutAll(now, Set1, "Skipped"), Left1 \ Set1) IN Fix1(DefRaced, Items(s.ordered_nodes))) IN
  LET DefWinners == (IF (Get(s.node_branches, i.node_id, <<>>) # <<>>) THEN (s.branch_winners \cup {Get(s.node_branches, i.node_id, <<>>)[1]}) ELSE s.branch_winners) IN
  LET DefStatus == [key \in DOMAIN DefSettled |-> (IF ((Get(DefSettled, key, "Pending") = "Pending") \/ (Get(DefSettled, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in DefWinners)))) THEN "Ready" ELSE "Pending") ELSE Get(DefSettled, key, "Pending"))] IN
  /\ (s.phase = "Running")
  /\ (i.node_id \in DOMAIN s.node_status) \* the node has a status
  /\ (Get(s.node_status, i.node_id, "Pending") = "Running") \* the node runs
CompleteNodeNext(s, i) ==
  LET DefEnded == Put(s.node_status, i.node_id, "Completed") IN
  LET DefRaced == [key \in DOMAIN DefEnded |-> (IF (((Get(s.node_branches, i.node_id, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>) = Get(s.node_branches, i.node_id, <<>>))) /\ ((Get(DefEnded, key, "Pending") = "Pending") \/ (Get(DefEnded, key, "Pending") = "Ready"))) THEN "Skipped" ELSE Get(DefEnded, key, "Pending"))] IN
  LET DefSettled == (LET RECURSIVE Fix2(_, _) Fix2(now, Left2) == LET Set2 == {key \in Left2 : (((Get(now, key, "Pending") = "Pending") \/ (Get(now, key, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled")))))} IN IF Set2 = {} THEN now ELSE Fix2(PutAll(now, Set2, "Skipped"), Left2 \ Set2) IN Fix2(DefRaced, Items(s.ordered_nodes))) IN
  LET DefWinners == (IF (Get(s.node_branches, i.node_id, <<>>) # <<>>) THEN (s.branch_winners \cup {Get(s.node_branches, i.node_id, <<>>)[1]}) ELSE s.branch_winners) IN
  LET DefStatus == [key \in DOMAIN DefSettled |-> (IF ((Get(DefSettled, key, "Pending") = "Pending") \/ (Get(DefSettled, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in DefWinners)))) THEN "Ready" ELSE "Pending") ELSE Get(DefSettled, key, "Pending"))] IN
  [s EXCEPT
    !.node_status = DefStatus,
    !.ready_queue = SelectSeq(s.ordered_nodes, LAMBDA node : (Get(DefStatus, node, "Pending") = "Ready")),
    !.branch_winners = DefWinners]

RecordNodeOutputInputs == {
  [node_id |-> "a"],
  [node_id |-> "x"]}
RecordNodeOutputEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (i.node_id \in DOMAIN s.node_status) \* the node has a status
RecordNodeOutputNext(s, i) ==
  [s EXCEPT
    !.output_recorded = Put(s.output_recorded, i.node_id, TRUE)]

FailNodeInputs == {
  [node_id |-> "a"],
  [node_id |-> "b"],
  [node_id |-> "c"],
  [node_id |-> "d"],
  [node_id |-> "x"]}
FailNodeEnabled(s, i) ==
  LET DefEnded == Put(s.node_status, i.node_id, "Failed") IN
  LET DefRaced == DefEnded IN
  LET DefSettled == (LET RECURSIVE Fix3(_, _) Fix3(now, Left3) == LET Set3 == {key \in Left3 : (((Get(now, key, "Pending") = "Pending") \/ (Get(now, key, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled")))))} IN IF Set3 = {} THEN now ELSE Fix3(PutAll(now, Set3, "Skipped"), Left3 \ Set3) IN Fix3(DefRaced, Items(s.ordered_nodes))) IN
  LET DefWinners == s.branch_winners IN
  LET DefStatus == [key \in DOMAIN DefSettled |-> (IF ((Get(DefSettled, key, "Pending") = "Pending") \/ (Get(DefSettled, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in DefWinners)))) THEN "Ready" ELSE "Pending") ELSE Get(DefSettled, key, "Pending"))] IN
  /\ (s.phase = "Running")
  /\ (i.node_id \in DOMAIN s.node_status) \* the node has a status
  /\ (Get(s.node_status, i.node_id, "Pending") = "Running") \* the node runs
FailNodeNext(s, i) ==
  LET DefEnded == Put(s.node_status, i.node_id, "Failed") IN
  LET DefRaced == DefEnded IN
  LET DefSettled == (LET RECURSIVE Fix4(_, _) Fix4(now, Left4) == LET Set4 == {key \in Left4 : (((Get(now, key, "Pending") = "Pending") \/ (Get(now, key, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled")))))} IN IF Set4 = {} THEN now ELSE Fix4(PutAll(now, Set4, "Skipped"), Left4 \ Set4) IN Fix4(DefRaced, Items(s.ordered_nodes))) IN
  LET DefWinners == s.branch_winners IN
  LET DefStatus == [key \in DOMAIN DefSettled |-> (IF ((Get(DefSettled, key, "Pending") = "Pending") \/ (Get(DefSettled, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in DefWinners)))) THEN "Ready" ELSE "Pending") ELSE Get(DefSettled, key, "Pending"))] IN
  [s EXCEPT
    !.node_status = DefStatus,
    !.ready_queue = SelectSeq(s.ordered_nodes, LAMBDA node : (Get(DefStatus, node, "Pending") = "Ready"))]

SkipNodeInputs == {
  [node_id |-> "a"],
  [node_id |-> "b"],
  [node_id |-> "c"],
  [node_id |-> "d"],
  [node_id |-> "x"]}
SkipNodeEnabled(s, i) ==
  LET DefEnded == Put(s.node_status, i.node_id, "Skipped") IN
  LET DefRaced == DefEnded IN
  LET DefSettled == (LET RECURSIVE Fix5(_, _) Fix5(now, Left5) == LET Set5 == {key \in Left5 : (((Get(now, key, "Pending") = "Pending") \/ (Get(now, key, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled")))))} IN IF Set5 = {} THEN now ELSE Fix5(PutAll(now, Set5, "Skipped"), Left5 \ Set5) IN Fix5(DefRaced, Items(s.ordered_nodes))) IN
  LET DefWinners == s.branch_winners IN
  LET DefStatus == [key \in DOMAIN DefSettled |-> (IF ((Get(DefSettled, key, "Pending") = "Pending") \/ (Get(DefSettled, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in DefWinners)))) THEN "Ready" ELSE "Pending") ELSE Get(DefSettled, key, "Pending"))] IN
  /\ (s.phase = "Running")
  /\ (i.node_id \in DOMAIN s.node_status) \* the node has a status
  /\ (Get(s.node_status, i.node_id, "Pending") = "Running") \* the node runs
SkipNodeNext(s, i) ==
  LET DefEnded == Put(s.node_status, i.node_id, "Skipped") IN
  LET DefRaced == DefEnded IN
  LET DefSettled == (LET RECURSIVE Fix6(_, _) Fix6(now, Left6) == LET Set6 == {key \in Left6 : (((Get(now, key, "Pending") = "Pending") \/ (Get(now, key, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled")))))} IN IF Set6 = {} THEN now ELSE Fix6(PutAll(now, Set6, "Skipped"), Left6 \ Set6) IN Fix6(DefRaced, Items(s.ordered_nodes))) IN
  LET DefWinners == s.branch_winners IN
  LET DefStatus == [key \in DOMAIN DefSettled |-> (IF ((Get(DefSettled, key, "Pending") = "Pending") \/ (Get(DefSettled, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in DefWinners)))) THEN "Ready" ELSE "Pending") ELSE Get(DefSettled, key, "Pending"))] IN
  [s EXCEPT
    !.node_status = DefStatus,
    !.ready_queue = SelectSeq(s.ordered_nodes, LAMBDA node : (Get(DefStatus, node, "Pending") = "Ready"))]

CancelNodeInputs == {
  [node_id |-> "a"],
  [node_id |-> "b"],
  [node_id |-> "c"],
  [node_id |-> "d"],
  [node_id |-> "x"]}
CancelNodeEnabled(s, i) ==
  LET DefEnded == Put(s.node_status, i.node_id, "Canceled") IN
  LET DefRaced == DefEnded IN
  LET DefSettled == (LET RECURSIVE Fix7(_, _) Fix7(now, Left7) == LET Set7 == {key \in Left7 : (((Get(now, key, "Pending") = "Pending") \/ (Get(now, key, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled")))))} IN IF Set7 = {} THEN now ELSE Fix7(PutAll(now, Set7, "Skipped"), Left7 \ Set7) IN Fix7(DefRaced, Items(s.ordered_nodes))) IN
  LET DefWinners == s.branch_winners IN
  LET DefStatus == [key \in DOMAIN DefSettled |-> (IF ((Get(DefSettled, key, "Pending") = "Pending") \/ (Get(DefSettled, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in DefWinners)))) THEN "Ready" ELSE "Pending") ELSE Get(DefSettled, key, "Pending"))] IN
  /\ (s.phase = "Running")
  /\ (i.node_id \in DOMAIN s.node_status) \* the node has a status
  /\ (Get(s.node_status, i.node_id, "Pending") = "Running") \* the node runs
CancelNodeNext(s, i) ==
  LET DefEnded == Put(s.node_status, i.node_id, "Canceled") IN
  LET DefRaced == DefEnded IN
  LET DefSettled == (LET RECURSIVE Fix8(_, _) Fix8(now, Left8) == LET Set8 == {key \in Left8 : (((Get(now, key, "Pending") = "Pending") \/ (Get(now, key, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : ((Get(now, dependency, "Pending") = "Failed") \/ (Get(now, dependency, "Pending") = "Skipped") \/ (Get(now, dependency, "Pending") = "Canceled")))))} IN IF Set8 = {} THEN now ELSE Fix8(PutAll(now, Set8, "Skipped"), Left8 \ Set8) IN Fix8(DefRaced, Items(s.ordered_nodes))) IN
  LET DefWinners == s.branch_winners IN
  LET DefStatus == [key \in DOMAIN DefSettled |-> (IF ((Get(DefSettled, key, "Pending") = "Pending") \/ (Get(DefSettled, key, "Pending") = "Ready")) THEN (IF ((IF ((Get(s.node_dependency_modes, key, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, key, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, key, <<>>)) : (Get(DefSettled, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, key, <<>>) # <<>>) /\ (Get(s.node_branches, key, <<>>)[1] \in DefWinners)))) THEN "Ready" ELSE "Pending") ELSE Get(DefSettled, key, "Pending"))] IN
  [s EXCEPT
    !.node_status = DefStatus,
    !.ready_queue = SelectSeq(s.ordered_nodes, LAMBDA node : (Get(DefStatus, node, "Pending") = "Ready"))]

SealFrameInputs == {
  [terminal_status |-> "Completed"],
  [terminal_status |-> "Failed"],
  [terminal_status |-> "Canceled"]}
SealFrameEnabled(s, i) ==
  /\ (s.phase = "Running")
  /\ (\A node \in DOMAIN s.node_status : ((Get(s.node_status, node, "Pending") = "Completed") \/ (Get(s.node_status, node, "Pending") = "Failed") \/ (Get(s.node_status, node, "Pending") = "Skipped") \/ (Get(s.node_status, node, "Pending") = "Canceled"))) \* every node has ended
  /\ (i.terminal_status = (IF (\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Failed")) THEN "Failed" ELSE (IF (\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Canceled")) THEN "Canceled" ELSE "Completed"))) \* the status follows the nodes
SealFrameNext(s, i) ==
  [s EXCEPT
    !.phase = (IF (i.terminal_status = "Canceled") THEN "Canceled" ELSE (IF (i.terminal_status = "Failed") THEN "Failed" ELSE (IF (i.terminal_status = "Completed") THEN "Completed" ELSE s.phase)))]

Init == State = [phase |-> "Absent", frame_id |-> "", frame_scope |-> "Root", loop_instance_id |-> "", iteration |-> 0, last_admitted_node |-> "", tracked_nodes |-> {}, ordered_nodes |-> <<>>, node_kind |-> [x \in {} |-> 0], node_dependencies |-> [x \in {} |-> 0], node_dependency_modes |-> [x \in {} |-> 0], node_branches |-> [x \in {} |-> 0], branch_winners |-> {}, node_status |-> [x \in {} |-> 0], ready_queue |-> <<>>, output_recorded |-> [x \in {} |-> 0], node_condition_results |-> [x \in {} |-> 0]]

\* Guards as values: of an action, TLC would look at both sides of every disjunction.
Next ==
  \/ \E i \in StartRootFrameInputs :
       /\ StartRootFrameEnabled(State, i) = TRUE
       /\ State' = StartRootFrameNext(State, i)
  \/ \E i \in StartBodyFrameInputs :
       /\ StartBodyFrameEnabled(State, i) = TRUE
       /\ State' = StartBodyFrameNext(State, i)
  \/ \E i \in AdmitNextReadyNodeInputs :
       /\ AdmitNextReadyNodeEnabled(State, i) = TRUE
       /\ State' = AdmitNextReadyNodeNext(State, i)
  \/ \E i \in CompleteNodeInputs :
       /\ CompleteNodeEnabled(State, i) = TRUE
       /\ State' = CompleteNodeNext(State, i)
  \/ \E i \in RecordNodeOutputInputs :
       /\ RecordNodeOutputEnabled(State, i) = TRUE
       /\ State' = RecordNodeOutputNext(State, i)
  \/ \E i \in FailNodeInputs :
       /\ FailNodeEnabled(State, i) = TRUE
       /\ State' = FailNodeNext(State, i)
  \/ \E i \in SkipNodeInputs :
       /\ SkipNodeEnabled(State, i) = TRUE
       /\ State' = SkipNodeNext(State, i)
  \/ \E i \in CancelNodeInputs :
       /\ CancelNodeEnabled(State, i) = TRUE
       /\ State' = CancelNodeNext(State, i)
  \/ \E i \in SealFrameInputs :
       /\ SealFrameEnabled(State, i) = TRUE
       /\ State' = SealFrameNext(State, i)

Spec == Init /\ [][Next]_State

\* A frame that was not started has nothing in it.
AbsentFrameIsBlank == LET s == State IN ((~(s.phase = "Absent")) \/ ((s.phase = "Absent") /\ (s.frame_id = "") /\ (s.frame_scope = "Root") /\ (s.loop_instance_id = "") /\ (s.iteration = 0) /\ (s.last_admitted_node = "") /\ (s.tracked_nodes = {}) /\ (s.ordered_nodes = <<>>) /\ (s.node_kind = [x \in {} |-> 0]) /\ (s.node_dependencies = [x \in {} |-> 0]) /\ (s.node_dependency_modes = [x \in {} |-> 0]) /\ (s.node_branches = [x \in {} |-> 0]) /\ (s.branch_winners = {}) /\ (s.node_status = [x \in {} |-> 0]) /\ (s.ready_queue = <<>>) /\ (s.output_recorded = [x \in {} |-> 0]) /\ (s.node_condition_results = [x \in {} |-> 0])))

\* Exactly the nodes of the frame have a status, an output and a condition.
OnlyOrderedNodes == LET s == State IN ((~(~(s.phase = "Absent"))) \/ ((DOMAIN s.node_status = Items(s.ordered_nodes)) /\ (DOMAIN s.output_recorded = Items(s.ordered_nodes)) /\ (DOMAIN s.node_condition_results = Items(s.ordered_nodes))))

\* The ready queue holds the nodes that are Ready, in the frame's order.
ReadyQueueIsWhatIsReady == LET s == State IN ((~(s.phase = "Running")) \/ (s.ready_queue = SelectSeq(s.ordered_nodes, LAMBDA node : (Get(s.node_status, node, "Pending") = "Ready"))))

\* An open node is Ready exactly when its dependencies are completed and its branch has no winner.
ReadyMeansReady == LET s == State IN ((~((s.phase = "Running") /\ (\E node \in DOMAIN s.node_status : ((Get(s.node_status, node, "Pending") = "Pending") \/ (Get(s.node_status, node, "Pending") = "Ready"))))) \/ (\A node \in DOMAIN s.node_status : ((~((Get(s.node_status, node, "Pending") = "Pending") \/ (Get(s.node_status, node, "Pending") = "Ready"))) \/ ((Get(s.node_status, node, "Pending") = "Ready") = ((IF ((Get(s.node_dependency_modes, node, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, node, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, node, <<>>)) : (Get(s.node_status, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, node, <<>>)) : (Get(s.node_status, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, node, <<>>) # <<>>) /\ (Get(s.node_branches, node, <<>>)[1] \in s.branch_winners))))))))

\* No node waits for dependencies that can no longer be satisfied.
NothingBlockedWaits == LET s == State IN ((~((s.phase = "Running") /\ (\E node \in DOMAIN s.node_status : ((Get(s.node_status, node, "Pending") = "Failed") \/ (Get(s.node_status, node, "Pending") = "Skipped") \/ (Get(s.node_status, node, "Pending") = "Canceled"))))) \/ (\A node \in DOMAIN s.node_status : (~(((Get(s.node_status, node, "Pending") = "Pending") \/ (Get(s.node_status, node, "Pending") = "Ready")) /\ (IF ((Get(s.node_dependency_modes, node, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, node, <<>>)) = 0))) THEN (\A dependency \in Items(Get(s.node_dependencies, node, <<>>)) : ((Get(s.node_status, dependency, "Pending") = "Failed") \/ (Get(s.node_status, dependency, "Pending") = "Skipped") \/ (Get(s.node_status, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(s.node_dependencies, node, <<>>)) : ((Get(s.node_status, dependency, "Pending") = "Failed") \/ (Get(s.node_status, dependency, "Pending") = "Skipped") \/ (Get(s.node_status, dependency, "Pending") = "Canceled"))))))))

\* What runs, or ran, had its dependencies completed.
BegunNodesWereReady == LET s == State IN ((~(\E node \in DOMAIN s.node_status : ((Get(s.node_status, node, "Pending") = "Running") \/ (Get(s.node_status, node, "Pending") = "Completed") \/ (Get(s.node_status, node, "Pending") = "Failed") \/ (Get(s.node_status, node, "Pending") = "Canceled")))) \/ (\A node \in DOMAIN s.node_status : ((~((Get(s.node_status, node, "Pending") = "Running") \/ (Get(s.node_status, node, "Pending") = "Completed") \/ (Get(s.node_status, node, "Pending") = "Failed") \/ (Get(s.node_status, node, "Pending") = "Canceled"))) \/ ((IF ((Get(s.node_dependency_modes, node, "All") = "Any") /\ (~(Len(Get(s.node_dependencies, node, <<>>)) = 0))) THEN (\E dependency \in Items(Get(s.node_dependencies, node, <<>>)) : (Get(s.node_status, dependency, "Pending") = "Completed")) ELSE (\A dependency \in Items(Get(s.node_dependencies, node, <<>>)) : (Get(s.node_status, dependency, "Pending") = "Completed"))) /\ (~((Get(s.node_branches, node, <<>>) # <<>>) /\ (Get(s.node_branches, node, <<>>)[1] \in {})))))))

\* A branch has won exactly when one of its nodes completed.
WinnersAreTheBranchesOfCompletedNodes == LET s == State IN ((~((\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Completed")) \/ (~(Cardinality(s.branch_winners) = 0)))) \/ ((\A branch \in s.branch_winners : (\E node \in DOMAIN s.node_status : ((Get(s.node_status, node, "Pending") = "Completed") /\ (Get(s.node_branches, node, <<>>) = <<branch>>)))) /\ (\A node \in DOMAIN s.node_status : (((~(Get(s.node_status, node, "Pending") = "Completed")) \/ (~(Get(s.node_branches, node, <<>>) # <<>>))) \/ ((Get(s.node_branches, node, <<>>) # <<>>) /\ (Get(s.node_branches, node, <<>>)[1] \in s.branch_winners))))))

\* In a branch that was won no node waits.
WonBranchIsClosed == LET s == State IN ((~(~(Cardinality(s.branch_winners) = 0))) \/ (\A node \in DOMAIN s.node_status : ((~((Get(s.node_branches, node, <<>>) # <<>>) /\ (Get(s.node_branches, node, <<>>)[1] \in s.branch_winners))) \/ (~((Get(s.node_status, node, "Pending") = "Pending") \/ (Get(s.node_status, node, "Pending") = "Ready"))))))

\* In a sealed frame every node has ended, and its class follows from them.
SealedFrameFollowsItsNodes == LET s == State IN ((~((s.phase = "Completed") \/ (s.phase = "Failed") \/ (s.phase = "Canceled"))) \/ ((\A node \in DOMAIN s.node_status : ((Get(s.node_status, node, "Pending") = "Completed") \/ (Get(s.node_status, node, "Pending") = "Failed") \/ (Get(s.node_status, node, "Pending") = "Skipped") \/ (Get(s.node_status, node, "Pending") = "Canceled"))) /\ ((((s.phase = "Completed") /\ ((IF (\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Failed")) THEN "Failed" ELSE (IF (\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Canceled")) THEN "Canceled" ELSE "Completed")) = "Completed")) \/ ((s.phase = "Failed") /\ ((IF (\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Failed")) THEN "Failed" ELSE (IF (\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Canceled")) THEN "Canceled" ELSE "Completed")) = "Failed"))) \/ ((s.phase = "Canceled") /\ ((IF (\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Failed")) THEN "Failed" ELSE (IF (\E node \in DOMAIN s.node_status : (Get(s.node_status, node, "Pending") = "Canceled")) THEN "Canceled" ELSE "Completed")) = "Canceled")))))

\* A root frame belongs to no loop.
OnlyBodiesHaveLoops == LET s == State IN ((~(s.frame_scope = "Root")) \/ ((s.loop_instance_id = "") /\ (s.iteration = 0)))

\* What a frame is made of, and the iteration it belongs to, never changes.
FrameIsCreatedOnceHolds(before, after) == ((~(~(before.phase = "Absent"))) \/ (((before.frame_id = after.frame_id) /\ (before.frame_scope = after.frame_scope) /\ (before.loop_instance_id = after.loop_instance_id) /\ (before.iteration = after.iteration) /\ (before.tracked_nodes = after.tracked_nodes) /\ (before.ordered_nodes = after.ordered_nodes) /\ (before.node_kind = after.node_kind) /\ (before.node_dependencies = after.node_dependencies) /\ (before.node_dependency_modes = after.node_dependency_modes) /\ (before.node_branches = after.node_branches)) /\ (~(after.phase = "Absent"))))
FrameIsCreatedOnce == [][FrameIsCreatedOnceHolds(State, State')]_State

\* A running frame that ends as sealed leaves its nodes as they are, and a sealed frame does not change.
SealedFrameStaysHolds(before, after) == ((~((~(before.phase = "Absent")) /\ (~(after.phase = "Running")))) \/ (((before.frame_id = after.frame_id) /\ (before.frame_scope = after.frame_scope) /\ (before.loop_instance_id = after.loop_instance_id) /\ (before.iteration = after.iteration) /\ (before.last_admitted_node = after.last_admitted_node) /\ (before.tracked_nodes = after.tracked_nodes) /\ (before.ordered_nodes = after.ordered_nodes) /\ (before.node_kind = after.node_kind) /\ (before.node_dependencies = after.node_dependencies) /\ (before.node_dependency_modes = after.node_dependency_modes) /\ (before.node_branches = after.node_branches) /\ (before.branch_winners = after.branch_winners) /\ (before.node_status = after.node_status) /\ (before.ready_queue = after.ready_queue) /\ (before.output_recorded = after.output_recorded) /\ (before.node_condition_results = after.node_condition_results)) /\ ((before.phase = "Running") \/ (before.phase = after.phase))))
SealedFrameStays == [][SealedFrameStaysHolds(State, State')]_State

\* A node runs at most once, and one that ended keeps its status.
NodesMoveOnHolds(before, after) == ((~((~(before.phase = "Absent")) /\ (~(before.node_status = after.node_status)))) \/ (\A node \in DOMAIN before.node_status : (((((Get(before.node_status, node, "Pending") = "Pending") \/ (Get(before.node_status, node, "Pending") = "Ready")) /\ ((Get(after.node_status, node, "Pending") = "Running") \/ (Get(after.node_status, node, "Pending") = "Skipped"))) \/ ((Get(before.node_status, node, "Pending") = "Running") /\ ((Get(after.node_status, node, "Pending") = "Completed") \/ (Get(after.node_status, node, "Pending") = "Failed") \/ (Get(after.node_status, node, "Pending") = "Skipped") \/ (Get(after.node_status, node, "Pending") = "Canceled")))) \/ ((Get(before.node_status, node, "Pending") = Get(after.node_status, node, "Pending")) \/ (((Get(before.node_status, node, "Pending") = "Pending") \/ (Get(before.node_status, node, "Pending") = "Ready")) /\ ((Get(after.node_status, node, "Pending") = "Pending") \/ (Get(after.node_status, node, "Pending") = "Ready")))))))
NodesMoveOn == [][NodesMoveOnHolds(State, State')]_State

\* A node that begins to run is the head of the ready queue, and noted as the last admitted.
AdmissionTakesTheHeadHolds(before, after) == ((~((~(before.phase = "Absent")) /\ (\E node \in DOMAIN after.node_status : ((Get(after.node_status, node, "Pending") = "Running") /\ (~(Get(before.node_status, node, "Pending") = "Running")))))) \/ (\A node \in DOMAIN after.node_status : ((~((Get(after.node_status, node, "Pending") = "Running") /\ (~(Get(before.node_status, node, "Pending") = "Running")))) \/ ((node = Head(before.ready_queue)) /\ (node = after.last_admitted_node)))))
AdmissionTakesTheHead == [][AdmissionTakesTheHeadHolds(State, State')]_State

\* In one step at most one node begins to run, or ends.
OneNodeAtATimeHolds(before, after) == ((~((~(before.phase = "Absent")) /\ (\E node \in DOMAIN after.node_status : (~((Get(before.node_status, node, "Pending") = "Running") = (Get(after.node_status, node, "Pending") = "Running")))))) \/ (\A node \in DOMAIN after.node_status : ((~(~((Get(before.node_status, node, "Pending") = "Running") = (Get(after.node_status, node, "Pending") = "Running")))) \/ (\A other \in DOMAIN after.node_status : ((other = node) \/ (~(~((Get(before.node_status, other, "Pending") = "Running") = (Get(after.node_status, other, "Pending") = "Running")))))))))
OneNodeAtATime == [][OneNodeAtATimeHolds(State, State')]_State

\* A node is skipped before it runs only where its dependencies are lost, or its branch.
WhatIsPassedOverCouldNotRunHolds(before, after) == ((~((~(before.phase = "Absent")) /\ (\E node \in DOMAIN after.node_status : (((Get(before.node_status, node, "Pending") = "Pending") \/ (Get(before.node_status, node, "Pending") = "Ready")) /\ (Get(after.node_status, node, "Pending") = "Skipped"))))) \/ (\A node \in DOMAIN after.node_status : ((~(((Get(before.node_status, node, "Pending") = "Pending") \/ (Get(before.node_status, node, "Pending") = "Ready")) /\ (Get(after.node_status, node, "Pending") = "Skipped"))) \/ ((IF ((Get(after.node_dependency_modes, node, "All") = "Any") /\ (~(Len(Get(after.node_dependencies, node, <<>>)) = 0))) THEN (\A dependency \in Items(Get(after.node_dependencies, node, <<>>)) : ((Get(after.node_status, dependency, "Pending") = "Failed") \/ (Get(after.node_status, dependency, "Pending") = "Skipped") \/ (Get(after.node_status, dependency, "Pending") = "Canceled"))) ELSE (\E dependency \in Items(Get(after.node_dependencies, node, <<>>)) : ((Get(after.node_status, dependency, "Pending") = "Failed") \/ (Get(after.node_status, dependency, "Pending") = "Skipped") \/ (Get(after.node_status, dependency, "Pending") = "Canceled")))) \/ ((Get(after.node_branches, node, <<>>) # <<>>) /\ (Get(after.node_branches, node, <<>>)[1] \in after.branch_winners))))))
WhatIsPassedOverCouldNotRun == [][WhatIsPassedOverCouldNotRunHolds(State, State')]_State

\* An output that was recorded stays recorded.
NodeOutputsAreNotForgottenHolds(before, after) == ((~(\E node \in DOMAIN before.output_recorded : before.output_recorded[node])) \/ (\A key \in DOMAIN before.output_recorded : ((~before.output_recorded[key]) \/ Get(after.output_recorded, key, FALSE))))
NodeOutputsAreNotForgotten == [][NodeOutputsAreNotForgottenHolds(State, State')]_State

====
