---- MODULE CommitOptimistic ----
\* Made from the machine's own data by `mobstore.properties.generate`: do not edit.
\* The commit protocol optimistic: a calls grant 0 to 1, b calls grant 0 to 2, each as often as it likes.
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

Rank == (("a" :> 0) @@ ("b" :> 1) @@ ("flow 0, frame 0" :> 2) @@ ("flow 1, frame 0" :> 3) @@ ("flow 1, frame 1" :> 4) @@ ("flow 1, frame 2" :> 5) @@ ("flow 2, frame 0" :> 6) @@ ("flow 2, frame 1" :> 7) @@ ("flow 2, frame 2" :> 8) @@ ("grant 0 to 1" :> 9) @@ ("grant 0 to 2" :> 10))

InvokeInputs == {
  [client |-> "a", call |-> "grant 0 to 1"],
  [client |-> "b", call |-> "grant 0 to 2"]}
InvokeEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "idle") \* the client's place: idle
InvokeNext(s, i) ==
  [s EXCEPT
    !.call = Put(s.call, i.client, i.call),
    !.place = Put(s.place, i.client, "called")]

ReadMatchInputs == {
  [client |-> "a"],
  [client |-> "b"]}
ReadMatchEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "called") \* the client's place: called
  /\ (s.value \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) \* the comparisons hold
  /\ (~(Get(s.call, i.client, "") \in s.calls.refused)) \* the arguments are accepted
ReadMatchNext(s, i) ==
  [s EXCEPT
    !.seen = Put(s.seen, i.client, s.value),
    !.seen_version = Put(s.seen_version, i.client, s.version),
    !.place = Put(s.place, i.client, "has read")]

ReadMismatchInputs == {
  [client |-> "a"],
  [client |-> "b"]}
ReadMismatchEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "called") \* the client's place: called
  /\ (~(s.value \in Get(s.calls.holds, Get(s.call, i.client, ""), {}))) \* a comparison does not hold
ReadMismatchNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "mismatch"),
    !.place = Put(s.place, i.client, "answered")]

ReadRefusedInputs == {
  [client |-> "a"],
  [client |-> "b"]}
ReadRefusedEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "called") \* the client's place: called
  /\ (s.value \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) \* the comparisons hold
  /\ (Get(s.call, i.client, "") \in s.calls.refused) \* the arguments are refused
ReadRefusedNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "refused"),
    !.place = Put(s.place, i.client, "answered")]

UpdateInputs == {
  [client |-> "a"],
  [client |-> "b"]}
UpdateEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has read") \* the client's place: has read
  /\ (Get(s.seen_version, i.client, 0) = s.version) \* the version is the one that was read
  /\ (s.version < 2147483647) \* there is a next version
UpdateNext(s, i) ==
  [s EXCEPT
    !.value = Get(Get(s.calls.applied, Get(s.call, i.client, ""), [x \in {} |-> 0]), Get(s.seen, i.client, ""), Get(s.seen, i.client, "")),
    !.version = Plus(s.version, 1, 2147483647),
    !.answer = Put(s.answer, i.client, "done"),
    !.place = Put(s.place, i.client, "answered")]

UpdateNothingInputs == {
  [client |-> "a"],
  [client |-> "b"]}
UpdateNothingEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has read") \* the client's place: has read
  /\ (~(Get(s.seen_version, i.client, 0) = s.version)) \* the version is another
UpdateNothingNext(s, i) ==
  [s EXCEPT
    !.place = Put(s.place, i.client, "called")]

BreakInputs == {
  [client |-> "a"],
  [client |-> "b"]}
BreakEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "called") \/ (Get(s.place, i.client, "idle") = "has read")) \* the client's place: called or has read
BreakNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "failed"),
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
  /\ ((Get(s.place, i.client, "idle") = "called") \/ (Get(s.place, i.client, "idle") = "has read")) \* the client's place: called or has read
CutOffNext(s, i) ==
  [s EXCEPT
    !.place = Put(s.place, i.client, "cut off, pending")]

CutOffLateInputs == {
  [client |-> "a"],
  [client |-> "b"]}
CutOffLateEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "answered") \* the client's place: answered
CutOffLateNext(s, i) ==
  [s EXCEPT
    !.place = Put(s.place, i.client, "cut off, performed")]

Within(s) == (~(2 < s.version))

Init == State = [calls |-> [holds |-> (("grant 0 to 1" :> {"flow 0, frame 0"}) @@ ("grant 0 to 2" :> {"flow 0, frame 0"})), midway |-> (("grant 0 to 1" :> {"flow 1, frame 0", "flow 1, frame 1", "flow 1, frame 2"}) @@ ("grant 0 to 2" :> {"flow 2, frame 0", "flow 2, frame 1", "flow 2, frame 2"})), applied |-> (("grant 0 to 1" :> (("flow 0, frame 0" :> "flow 1, frame 1") @@ ("flow 1, frame 0" :> "flow 1, frame 1") @@ ("flow 1, frame 1" :> "flow 1, frame 1") @@ ("flow 1, frame 2" :> "flow 1, frame 1") @@ ("flow 2, frame 0" :> "flow 1, frame 1") @@ ("flow 2, frame 1" :> "flow 1, frame 1") @@ ("flow 2, frame 2" :> "flow 1, frame 1"))) @@ ("grant 0 to 2" :> (("flow 0, frame 0" :> "flow 2, frame 2") @@ ("flow 1, frame 0" :> "flow 2, frame 2") @@ ("flow 1, frame 1" :> "flow 2, frame 2") @@ ("flow 1, frame 2" :> "flow 2, frame 2") @@ ("flow 2, frame 0" :> "flow 2, frame 2") @@ ("flow 2, frame 1" :> "flow 2, frame 2") @@ ("flow 2, frame 2" :> "flow 2, frame 2")))), refused |-> {}], place |-> [x \in {} |-> 0], call |-> [x \in {} |-> 0], answer |-> [x \in {} |-> 0], seen |-> [x \in {} |-> 0], buffer |-> [x \in {} |-> 0], value |-> "flow 0, frame 0", version |-> 0, seen_version |-> [x \in {} |-> 0]]

\* Guards as values: of an action, TLC would look at both sides of every disjunction.
Next ==
  \/ \E i \in InvokeInputs :
       /\ InvokeEnabled(State, i) = TRUE
       /\ Within(InvokeNext(State, i)) = TRUE
       /\ State' = InvokeNext(State, i)
  \/ \E i \in ReadMatchInputs :
       /\ ReadMatchEnabled(State, i) = TRUE
       /\ Within(ReadMatchNext(State, i)) = TRUE
       /\ State' = ReadMatchNext(State, i)
  \/ \E i \in ReadMismatchInputs :
       /\ ReadMismatchEnabled(State, i) = TRUE
       /\ Within(ReadMismatchNext(State, i)) = TRUE
       /\ State' = ReadMismatchNext(State, i)
  \/ \E i \in ReadRefusedInputs :
       /\ ReadRefusedEnabled(State, i) = TRUE
       /\ Within(ReadRefusedNext(State, i)) = TRUE
       /\ State' = ReadRefusedNext(State, i)
  \/ \E i \in UpdateInputs :
       /\ UpdateEnabled(State, i) = TRUE
       /\ Within(UpdateNext(State, i)) = TRUE
       /\ State' = UpdateNext(State, i)
  \/ \E i \in UpdateNothingInputs :
       /\ UpdateNothingEnabled(State, i) = TRUE
       /\ Within(UpdateNothingNext(State, i)) = TRUE
       /\ State' = UpdateNothingNext(State, i)
  \/ \E i \in BreakInputs :
       /\ BreakEnabled(State, i) = TRUE
       /\ Within(BreakNext(State, i)) = TRUE
       /\ State' = BreakNext(State, i)
  \/ \E i \in RespondInputs :
       /\ RespondEnabled(State, i) = TRUE
       /\ Within(RespondNext(State, i)) = TRUE
       /\ State' = RespondNext(State, i)
  \/ \E i \in CutOffInputs :
       /\ CutOffEnabled(State, i) = TRUE
       /\ Within(CutOffNext(State, i)) = TRUE
       /\ State' = CutOffNext(State, i)
  \/ \E i \in CutOffLateInputs :
       /\ CutOffLateEnabled(State, i) = TRUE
       /\ Within(CutOffLateNext(State, i)) = TRUE
       /\ State' = CutOffLateNext(State, i)

Spec == Init /\ [][Next]_State

\* Who read the present version read the present value.
VersionTellsTheValue == LET s == State IN (\A holder \in DOMAIN s.place : ((~(s.place[holder] = "has read")) \/ ((~(Get(s.seen_version, holder, 0) = s.version)) \/ (Get(s.seen, holder, "") = s.value))))

\* Nobody read a version that is still to come.
VersionsOnlyRise == LET s == State IN (\A holder \in DOMAIN s.place : ((~(s.place[holder] = "has read")) \/ (~(s.version < Get(s.seen_version, holder, 0)))))

\* Who is about to write was allowed to by what it read.
OnlyMatchesWrite == LET s == State IN (\A holder \in DOMAIN s.place : ((~(s.place[holder] = "has read")) \/ ((Get(s.seen, holder, "") \in Get(s.calls.holds, Get(s.call, holder, ""), {})) /\ (~(Get(s.call, holder, "") \in s.calls.refused)))))

====
