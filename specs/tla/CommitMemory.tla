---- MODULE CommitMemory ----
\* Made from the machine's own data by `mobstore.properties.generate`: do not edit.
\* The commit protocol memory: a calls grant 0 to 1, b calls refused 0 to 2, each as often as it likes.
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

Rank == (("a" :> 0) @@ ("b" :> 1) @@ ("flow 0, frame 0" :> 2) @@ ("flow 1, frame 0" :> 3) @@ ("flow 1, frame 1" :> 4) @@ ("flow 1, frame 2" :> 5) @@ ("flow 2, frame 0" :> 6) @@ ("flow 2, frame 1" :> 7) @@ ("flow 2, frame 2" :> 8) @@ ("grant 0 to 1" :> 9) @@ ("refused 0 to 2" :> 10))

InvokeInputs == {
  [client |-> "a", call |-> "grant 0 to 1"],
  [client |-> "b", call |-> "refused 0 to 2"]}
InvokeEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "idle") \* the client's place: idle
InvokeNext(s, i) ==
  [s EXCEPT
    !.call = Put(s.call, i.client, i.call),
    !.place = Put(s.place, i.client, "called")]

LookInputs == {
  [client |-> "a"],
  [client |-> "b"]}
LookEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "called") \* the client's place: called
  /\ ((~((s.value \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) /\ (~(Get(s.call, i.client, "") \in s.calls.refused)))) \/ (Get(Get(s.calls.applied, Get(s.call, i.client, ""), [x \in {} |-> 0]), s.value, s.value) = s.value)) \* the call changes nothing
LookNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, (IF (s.value \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) THEN (IF (Get(s.call, i.client, "") \in s.calls.refused) THEN "refused" ELSE "done") ELSE "mismatch")),
    !.place = Put(s.place, i.client, "answered")]

AcquireInputs == {
  [client |-> "a"],
  [client |-> "b"]}
AcquireEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "called") \* the client's place: called
  /\ (~(s.lock # <<>>)) \* nobody has the lock
AcquireNext(s, i) ==
  [s EXCEPT
    !.lock = <<i.client>>,
    !.place = Put(s.place, i.client, "holding the lock")]

ReadInputs == {
  [client |-> "a"],
  [client |-> "b"]}
ReadEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "holding the lock") \* the client's place: holding the lock
ReadNext(s, i) ==
  [s EXCEPT
    !.seen = Put(s.seen, i.client, s.value),
    !.place = Put(s.place, i.client, "has read")]

MatchInputs == {
  [client |-> "a"],
  [client |-> "b"]}
MatchEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has read") \* the client's place: has read
  /\ (Get(s.seen, i.client, "") \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) \* the comparisons hold
  /\ (~(Get(s.call, i.client, "") \in s.calls.refused)) \* the arguments are accepted
MatchNext(s, i) ==
  [s EXCEPT
    !.buffer = Put(s.buffer, i.client, Get(Get(s.calls.applied, Get(s.call, i.client, ""), [x \in {} |-> 0]), Get(s.seen, i.client, ""), Get(s.seen, i.client, ""))),
    !.place = Put(s.place, i.client, "has written")]

MismatchInputs == {
  [client |-> "a"],
  [client |-> "b"]}
MismatchEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has read") \* the client's place: has read
  /\ (~(Get(s.seen, i.client, "") \in Get(s.calls.holds, Get(s.call, i.client, ""), {}))) \* a comparison does not hold
MismatchNext(s, i) ==
  [s EXCEPT
    !.buffer = Put(s.buffer, i.client, Get(s.seen, i.client, "")),
    !.place = Put(s.place, i.client, "has written")]

RefuseInputs == {
  [client |-> "a"],
  [client |-> "b"]}
RefuseEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has read") \* the client's place: has read
  /\ (Get(s.seen, i.client, "") \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) \* the comparisons hold
  /\ (Get(s.call, i.client, "") \in s.calls.refused) \* the arguments are refused
RefuseNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "refused"),
    !.place = Put(s.place, i.client, "answer known")]

BreakInputs == {
  [client |-> "a"],
  [client |-> "b"]}
BreakEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "holding the lock") \/ (Get(s.place, i.client, "idle") = "has read") \/ (Get(s.place, i.client, "idle") = "has written")) \* the client's place: holding the lock or has read or has written
BreakNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "failed"),
    !.place = Put(s.place, i.client, "answer known")]

SwapInputs == {
  [client |-> "a"],
  [client |-> "b"]}
SwapEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has written") \* the client's place: has written
SwapNext(s, i) ==
  [s EXCEPT
    !.value = Get(s.buffer, i.client, ""),
    !.answer = Put(s.answer, i.client, (IF (Get(s.seen, i.client, "") \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) THEN (IF (Get(s.call, i.client, "") \in s.calls.refused) THEN "refused" ELSE "done") ELSE "mismatch")),
    !.place = Put(s.place, i.client, "answer known")]

ReleaseInputs == {
  [client |-> "a"],
  [client |-> "b"]}
ReleaseEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "answer known") \* the client's place: answer known
ReleaseNext(s, i) ==
  [s EXCEPT
    !.lock = <<>>,
    !.place = Put(s.place, i.client, "answered")]

TellInputs == {
  [client |-> "a"],
  [client |-> "b"]}
TellEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "answered") \* the client's place: answered
  /\ (~(s.lock # <<>>)) \* nobody has the lock
TellNext(s, i) ==
  [s EXCEPT
    !.lock = <<i.client>>,
    !.place = Put(s.place, i.client, "telling who waits")]

ToldInputs == {
  [client |-> "a"],
  [client |-> "b"]}
ToldEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "telling who waits") \* the client's place: telling who waits
ToldNext(s, i) ==
  [s EXCEPT
    !.lock = <<>>,
    !.place = Put(s.place, i.client, "answered")]

RespondInputs == {
  [client |-> "a"],
  [client |-> "b"]}
RespondEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "answered") \* the client's place: answered
RespondNext(s, i) ==
  [s EXCEPT
    !.seen = Put(s.seen, i.client, ""),
    !.buffer = Put(s.buffer, i.client, ""),
    !.place = Put(s.place, i.client, "idle")]

CutOffInputs == {
  [client |-> "a"],
  [client |-> "b"]}
CutOffEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "called") \/ (Get(s.place, i.client, "idle") = "holding the lock") \/ (Get(s.place, i.client, "idle") = "has read") \/ (Get(s.place, i.client, "idle") = "has written")) \* the client's place: called or holding the lock or has read or has written
CutOffNext(s, i) ==
  [s EXCEPT
    !.lock = (IF (s.lock = <<i.client>>) THEN <<>> ELSE s.lock),
    !.place = Put(s.place, i.client, "cut off, pending")]

CutOffLateInputs == {
  [client |-> "a"],
  [client |-> "b"]}
CutOffLateEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "answer known") \/ (Get(s.place, i.client, "idle") = "answered") \/ (Get(s.place, i.client, "idle") = "telling who waits")) \* the client's place: answer known or answered or telling who waits
CutOffLateNext(s, i) ==
  [s EXCEPT
    !.lock = (IF (s.lock = <<i.client>>) THEN <<>> ELSE s.lock),
    !.place = Put(s.place, i.client, "cut off, performed")]

Init == State = [calls |-> [holds |-> (("grant 0 to 1" :> {"flow 0, frame 0"}) @@ ("refused 0 to 2" :> {"flow 0, frame 0"})), midway |-> (("grant 0 to 1" :> {"flow 1, frame 0", "flow 1, frame 1", "flow 1, frame 2"}) @@ ("refused 0 to 2" :> {"flow 2, frame 0", "flow 2, frame 1", "flow 2, frame 2"})), applied |-> (("grant 0 to 1" :> (("flow 0, frame 0" :> "flow 1, frame 1") @@ ("flow 1, frame 0" :> "flow 1, frame 1") @@ ("flow 1, frame 1" :> "flow 1, frame 1") @@ ("flow 1, frame 2" :> "flow 1, frame 1") @@ ("flow 2, frame 0" :> "flow 1, frame 1") @@ ("flow 2, frame 1" :> "flow 1, frame 1") @@ ("flow 2, frame 2" :> "flow 1, frame 1"))) @@ ("refused 0 to 2" :> [x \in {} |-> 0])), refused |-> {"refused 0 to 2"}], place |-> [x \in {} |-> 0], call |-> [x \in {} |-> 0], answer |-> [x \in {} |-> 0], seen |-> [x \in {} |-> 0], buffer |-> [x \in {} |-> 0], value |-> "flow 0, frame 0", lock |-> <<>>]

\* Guards as values: of an action, TLC would look at both sides of every disjunction.
Next ==
  \/ \E i \in InvokeInputs :
       /\ InvokeEnabled(State, i) = TRUE
       /\ State' = InvokeNext(State, i)
  \/ \E i \in LookInputs :
       /\ LookEnabled(State, i) = TRUE
       /\ State' = LookNext(State, i)
  \/ \E i \in AcquireInputs :
       /\ AcquireEnabled(State, i) = TRUE
       /\ State' = AcquireNext(State, i)
  \/ \E i \in ReadInputs :
       /\ ReadEnabled(State, i) = TRUE
       /\ State' = ReadNext(State, i)
  \/ \E i \in MatchInputs :
       /\ MatchEnabled(State, i) = TRUE
       /\ State' = MatchNext(State, i)
  \/ \E i \in MismatchInputs :
       /\ MismatchEnabled(State, i) = TRUE
       /\ State' = MismatchNext(State, i)
  \/ \E i \in RefuseInputs :
       /\ RefuseEnabled(State, i) = TRUE
       /\ State' = RefuseNext(State, i)
  \/ \E i \in BreakInputs :
       /\ BreakEnabled(State, i) = TRUE
       /\ State' = BreakNext(State, i)
  \/ \E i \in SwapInputs :
       /\ SwapEnabled(State, i) = TRUE
       /\ State' = SwapNext(State, i)
  \/ \E i \in ReleaseInputs :
       /\ ReleaseEnabled(State, i) = TRUE
       /\ State' = ReleaseNext(State, i)
  \/ \E i \in TellInputs :
       /\ TellEnabled(State, i) = TRUE
       /\ State' = TellNext(State, i)
  \/ \E i \in ToldInputs :
       /\ ToldEnabled(State, i) = TRUE
       /\ State' = ToldNext(State, i)
  \/ \E i \in RespondInputs :
       /\ RespondEnabled(State, i) = TRUE
       /\ State' = RespondNext(State, i)
  \/ \E i \in CutOffInputs :
       /\ CutOffEnabled(State, i) = TRUE
       /\ State' = CutOffNext(State, i)
  \/ \E i \in CutOffLateInputs :
       /\ CutOffLateEnabled(State, i) = TRUE
       /\ State' = CutOffLateNext(State, i)

Spec == Init /\ [][Next]_State

\* Only who has the lock is between lock and unlock.
WhoWorksHasTheLock == LET s == State IN (\A holder \in DOMAIN s.place : ((~((s.place[holder] = "holding the lock") \/ (s.place[holder] = "has read") \/ (s.place[holder] = "has written") \/ (s.place[holder] = "answer known") \/ (s.place[holder] = "telling who waits"))) \/ (s.lock = <<holder>>)))

\* What the holder of the lock read is what the pointer shows.
WhatWasReadIsStillThere == LET s == State IN (\A holder \in DOMAIN s.place : ((~((s.place[holder] = "has read") \/ (s.place[holder] = "has written"))) \/ (Get(s.seen, holder, "") = s.value)))

\* What is about to be swapped in is what the call makes of what the pointer shows.
SwappedInIsTheResult == LET s == State IN (\A holder \in DOMAIN s.place : ((~(s.place[holder] = "has written")) \/ ((Get(s.buffer, holder, "") = (IF ((s.value \in Get(s.calls.holds, Get(s.call, holder, ""), {})) /\ (~(Get(s.call, holder, "") \in s.calls.refused))) THEN Get(Get(s.calls.applied, Get(s.call, holder, ""), [x \in {} |-> 0]), s.value, s.value) ELSE s.value)) /\ (~((IF (s.value \in Get(s.calls.holds, Get(s.call, holder, ""), {})) THEN (IF (Get(s.call, holder, "") \in s.calls.refused) THEN "refused" ELSE "done") ELSE "mismatch") = "refused")))))

====
