---- MODULE CommitSqlite ----
\* Made from the machine's own data by `mobstore.properties.generate`: do not edit.
\* The commit protocol sqlite: a calls grant 0 to 1, b calls frame 0 to 0, each as often as it likes.
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

Rank == (("a" :> 0) @@ ("b" :> 1) @@ ("flow 0, frame 0" :> 2) @@ ("flow 1, frame 0" :> 3) @@ ("flow 1, frame 1" :> 4) @@ ("frame 0 to 0" :> 5) @@ ("grant 0 to 1" :> 6))

InvokeInputs == {
  [client |-> "a", call |-> "grant 0 to 1"],
  [client |-> "b", call |-> "frame 0 to 0"]}
InvokeEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "idle") \* the client's place: idle
  /\ (~s.is_down) \* the file is open
InvokeNext(s, i) ==
  [s EXCEPT
    !.call = Put(s.call, i.client, i.call),
    !.place = Put(s.place, i.client, "called")]

DeclineInputs == {
  [client |-> "a"],
  [client |-> "b"]}
DeclineEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "called") \/ (Get(s.place, i.client, "idle") = "in a snapshot")) \* the client's place: called or in a snapshot
DeclineNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "failed"),
    !.place = Put(s.place, i.client, "answered")]

BeginInputs == {
  [client |-> "a"],
  [client |-> "b"]}
BeginEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "called") \* the client's place: called
  /\ (~(s.writer # <<>>)) \* nobody has the write lock
BeginNext(s, i) ==
  [s EXCEPT
    !.writer = <<i.client>>,
    !.place = Put(s.place, i.client, "holding the lock")]

SelectInputs == {
  [client |-> "a"],
  [client |-> "b"]}
SelectEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "holding the lock") \* the client's place: holding the lock
SelectNext(s, i) ==
  [s EXCEPT
    !.seen = Put(s.seen, i.client, s.published),
    !.place = Put(s.place, i.client, "has read")]

SelectMoreInputs == {
  [client |-> "a"],
  [client |-> "b"]}
SelectMoreEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "has read") \/ (Get(s.place, i.client, "idle") = "writing") \/ (Get(s.place, i.client, "idle") = "has written") \/ (Get(s.place, i.client, "idle") = "has looked")) \* the client's place: has read or writing or has written or has looked
SelectMoreNext(s, i) ==
  s

LookInputs == {
  [client |-> "a"],
  [client |-> "b"]}
LookEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "called") \* the client's place: called
  /\ ((~((s.published \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) /\ (~(Get(s.call, i.client, "") \in s.calls.refused)))) \/ (Get(Get(s.calls.applied, Get(s.call, i.client, ""), [x \in {} |-> 0]), s.published, s.published) = s.published)) \* the call changes nothing
LookNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, (IF (s.published \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) THEN (IF (Get(s.call, i.client, "") \in s.calls.refused) THEN "refused" ELSE "done") ELSE "mismatch")),
    !.place = Put(s.place, i.client, "answered")]

OpenSnapshotInputs == {
  [client |-> "a"],
  [client |-> "b"]}
OpenSnapshotEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "called") \* the client's place: called
OpenSnapshotNext(s, i) ==
  [s EXCEPT
    !.place = Put(s.place, i.client, "in a snapshot")]

LookInsideInputs == {
  [client |-> "a"],
  [client |-> "b"]}
LookInsideEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "in a snapshot") \* the client's place: in a snapshot
  /\ ((~((s.published \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) /\ (~(Get(s.call, i.client, "") \in s.calls.refused)))) \/ (Get(Get(s.calls.applied, Get(s.call, i.client, ""), [x \in {} |-> 0]), s.published, s.published) = s.published)) \* the call changes nothing
LookInsideNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, (IF (s.published \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) THEN (IF (Get(s.call, i.client, "") \in s.calls.refused) THEN "refused" ELSE "done") ELSE "mismatch")),
    !.place = Put(s.place, i.client, "has looked")]

CloseSnapshotInputs == {
  [client |-> "a"],
  [client |-> "b"]}
CloseSnapshotEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has looked") \* the client's place: has looked
CloseSnapshotNext(s, i) ==
  [s EXCEPT
    !.place = Put(s.place, i.client, "answered")]

LeaveSnapshotInputs == {
  [client |-> "a"],
  [client |-> "b"]}
LeaveSnapshotEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "in a snapshot") \* the client's place: in a snapshot
LeaveSnapshotNext(s, i) ==
  [s EXCEPT
    !.place = Put(s.place, i.client, "called")]

MatchInputs == {
  [client |-> "a"],
  [client |-> "b"]}
MatchEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has read") \* the client's place: has read
  /\ (Get(s.seen, i.client, "") \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) \* the comparisons hold
  /\ (~(Get(s.call, i.client, "") \in s.calls.refused)) \* the arguments are accepted
MatchNext(s, i) ==
  [s EXCEPT
    !.place = Put(s.place, i.client, "writing")]

MatchUnseenInputs == {
  [client |-> "a"],
  [client |-> "b"]}
MatchUnseenEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "holding the lock") \* the client's place: holding the lock
  /\ (s.published \in Get(s.calls.holds, Get(s.call, i.client, ""), {})) \* the comparisons hold
  /\ (~(Get(s.call, i.client, "") \in s.calls.refused)) \* the arguments are accepted
MatchUnseenNext(s, i) ==
  [s EXCEPT
    !.seen = Put(s.seen, i.client, s.published),
    !.place = Put(s.place, i.client, "writing")]

MismatchInputs == {
  [client |-> "a"],
  [client |-> "b"]}
MismatchEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has read") \* the client's place: has read
  /\ (~(Get(s.seen, i.client, "") \in Get(s.calls.holds, Get(s.call, i.client, ""), {}))) \* a comparison does not hold
MismatchNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "mismatch"),
    !.place = Put(s.place, i.client, "answer known")]

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

ChangeNothingInputs == {
  [client |-> "a"],
  [client |-> "b"]}
ChangeNothingEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "writing") \* the client's place: writing
  /\ (Get(Get(s.calls.applied, Get(s.call, i.client, ""), [x \in {} |-> 0]), Get(s.seen, i.client, ""), Get(s.seen, i.client, "")) = Get(s.seen, i.client, "")) \* the writes change nothing
ChangeNothingNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "done"),
    !.place = Put(s.place, i.client, "answer known")]

WriteInputs == {
  [client |-> "a", value |-> "flow 0, frame 0"],
  [client |-> "a", value |-> "flow 1, frame 0"],
  [client |-> "a", value |-> "flow 1, frame 1"],
  [client |-> "b", value |-> "flow 0, frame 0"],
  [client |-> "b", value |-> "flow 1, frame 0"],
  [client |-> "b", value |-> "flow 1, frame 1"]}
WriteEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "writing") \* the client's place: writing
  /\ (i.value \in Get(s.calls.midway, Get(s.call, i.client, ""), {})) \* the call may show this midway
WriteNext(s, i) ==
  [s EXCEPT
    !.buffer = Put(s.buffer, i.client, i.value),
    !.place = Put(s.place, i.client, "writing")]

WriteLastInputs == {
  [client |-> "a"],
  [client |-> "b"]}
WriteLastEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "writing") \* the client's place: writing
WriteLastNext(s, i) ==
  [s EXCEPT
    !.buffer = Put(s.buffer, i.client, Get(Get(s.calls.applied, Get(s.call, i.client, ""), [x \in {} |-> 0]), Get(s.seen, i.client, ""), Get(s.seen, i.client, ""))),
    !.place = Put(s.place, i.client, "has written")]

BreakInputs == {
  [client |-> "a"],
  [client |-> "b"]}
BreakEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "holding the lock") \/ (Get(s.place, i.client, "idle") = "has read") \/ (Get(s.place, i.client, "idle") = "writing") \/ (Get(s.place, i.client, "idle") = "has written")) \* the client's place: holding the lock or has read or writing or has written
BreakNext(s, i) ==
  [s EXCEPT
    !.answer = Put(s.answer, i.client, "failed"),
    !.place = Put(s.place, i.client, "answer known")]

RollBackInputs == {
  [client |-> "a"],
  [client |-> "b"]}
RollBackEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "answer known") \* the client's place: answer known
RollBackNext(s, i) ==
  [s EXCEPT
    !.writer = <<>>,
    !.place = Put(s.place, i.client, "answered")]

GiveUpInputs == {
  [client |-> "a"],
  [client |-> "b"]}
GiveUpEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "has written") \/ (Get(s.place, i.client, "idle") = "commit appended") \/ (Get(s.place, i.client, "idle") = "commit on the disk")) \* the client's place: has written or commit appended or commit on the disk
GiveUpNext(s, i) ==
  [s EXCEPT
    !.writer = <<>>,
    !.place = Put(s.place, i.client, "cut off, pending")]

AppendInputs == {
  [client |-> "a"],
  [client |-> "b"]}
AppendEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "has written") \* the client's place: has written
AppendNext(s, i) ==
  [s EXCEPT
    !.tail = <<[value |-> Get(s.buffer, i.client, ""), client |-> i.client]>>,
    !.place = Put(s.place, i.client, "commit appended")]

SyncInputs == {
  [client |-> "a"],
  [client |-> "b"]}
SyncEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "commit appended") \* the client's place: commit appended
SyncNext(s, i) ==
  [s EXCEPT
    !.disk = s.tail,
    !.place = Put(s.place, i.client, "commit on the disk")]

PublishInputs == {
  [client |-> "a"],
  [client |-> "b"]}
PublishEnabled(s, i) ==
  /\ (Get(s.place, i.client, "idle") = "commit on the disk") \* the client's place: commit on the disk
PublishNext(s, i) ==
  [s EXCEPT
    !.tail = <<>>,
    !.disk = <<>>,
    !.log = (IF (s.disk # <<>>) THEN <<s.disk[1].value>> ELSE s.log),
    !.published = Get(s.buffer, i.client, ""),
    !.answer = Put(s.answer, i.client, "done"),
    !.writer = <<>>,
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
  /\ ((Get(s.place, i.client, "idle") = "called") \/ (Get(s.place, i.client, "idle") = "in a snapshot") \/ (Get(s.place, i.client, "idle") = "holding the lock") \/ (Get(s.place, i.client, "idle") = "has read") \/ (Get(s.place, i.client, "idle") = "writing") \/ (Get(s.place, i.client, "idle") = "has written") \/ (Get(s.place, i.client, "idle") = "commit appended") \/ (Get(s.place, i.client, "idle") = "commit on the disk")) \* the client's place: called or in a snapshot or holding the lock or has read or writing or has written or commit appended or commit on the disk
CutOffNext(s, i) ==
  [s EXCEPT
    !.writer = (IF (s.writer = <<i.client>>) THEN <<>> ELSE s.writer),
    !.place = Put(s.place, i.client, "cut off, pending")]

CutOffLateInputs == {
  [client |-> "a"],
  [client |-> "b"]}
CutOffLateEnabled(s, i) ==
  /\ ((Get(s.place, i.client, "idle") = "answer known") \/ (Get(s.place, i.client, "idle") = "has looked") \/ (Get(s.place, i.client, "idle") = "answered")) \* the client's place: answer known or has looked or answered
CutOffLateNext(s, i) ==
  [s EXCEPT
    !.writer = (IF (s.writer = <<i.client>>) THEN <<>> ELSE s.writer),
    !.place = Put(s.place, i.client, "cut off, performed")]

CrashInputs == {
  [keeps_cache |-> FALSE],
  [keeps_cache |-> TRUE]}
CrashEnabled(s, i) ==
  TRUE
CrashNext(s, i) ==
  [s EXCEPT
    !.place = [key \in DOMAIN s.place |-> (IF (s.place[key] = "idle") THEN "idle" ELSE (IF ((s.place[key] = "answer known") \/ (s.place[key] = "has looked") \/ (s.place[key] = "answered") \/ (s.place[key] = "cut off, performed")) THEN "cut off, performed" ELSE "cut off, pending"))],
    !.disk = (IF (i.keeps_cache /\ (s.tail # <<>>)) THEN s.tail ELSE s.disk),
    !.tail = <<>>,
    !.writer = <<>>,
    !.is_down = TRUE]

RecoverInputs == {<<>>}
RecoverEnabled(s, i) ==
  /\ s.is_down \* the file is not open
RecoverNext(s, i) ==
  [s EXCEPT
    !.log = (IF (s.disk # <<>>) THEN <<s.disk[1].value>> ELSE s.log),
    !.published = (IF ((IF (s.disk # <<>>) THEN <<s.disk[1].value>> ELSE s.log) # <<>>) THEN (IF (s.disk # <<>>) THEN <<s.disk[1].value>> ELSE s.log)[1] ELSE s.main),
    !.disk = <<>>,
    !.place = (IF (s.disk # <<>>) THEN Put(s.place, s.disk[1].client, "cut off, performed") ELSE s.place),
    !.answer = (IF (s.disk # <<>>) THEN Put(s.answer, s.disk[1].client, "done") ELSE s.answer),
    !.is_down = FALSE]

CheckpointInputs == {<<>>}
CheckpointEnabled(s, i) ==
  /\ (~s.is_down) \* the file is open
  /\ (s.log # <<>>) \* there is something in the log
CheckpointNext(s, i) ==
  [s EXCEPT
    !.main = s.log[1]]

RestartLogInputs == {<<>>}
RestartLogEnabled(s, i) ==
  /\ (~s.is_down) \* the file is open
  /\ (~(s.writer # <<>>)) \* nobody has the write lock
  /\ (s.log = <<s.main>>) \* there is a log, and all of it is in the main file
RestartLogNext(s, i) ==
  [s EXCEPT
    !.log = <<>>,
    !.tail = <<>>,
    !.disk = <<>>]

Init == State = [calls |-> [holds |-> (("frame 0 to 0" :> {"flow 0, frame 0", "flow 1, frame 0"}) @@ ("grant 0 to 1" :> {"flow 0, frame 0"})), midway |-> (("frame 0 to 0" :> {}) @@ ("grant 0 to 1" :> {"flow 1, frame 0", "flow 1, frame 1"})), applied |-> (("frame 0 to 0" :> (("flow 0, frame 0" :> "flow 0, frame 0") @@ ("flow 1, frame 0" :> "flow 1, frame 0") @@ ("flow 1, frame 1" :> "flow 1, frame 0"))) @@ ("grant 0 to 1" :> (("flow 0, frame 0" :> "flow 1, frame 1") @@ ("flow 1, frame 0" :> "flow 1, frame 1") @@ ("flow 1, frame 1" :> "flow 1, frame 1")))), refused |-> {}], place |-> [x \in {} |-> 0], call |-> [x \in {} |-> 0], answer |-> [x \in {} |-> 0], seen |-> [x \in {} |-> 0], buffer |-> [x \in {} |-> 0], main |-> "flow 0, frame 0", published |-> "flow 0, frame 0", log |-> <<>>, tail |-> <<>>, disk |-> <<>>, writer |-> <<>>, is_down |-> FALSE]

\* Guards as values: of an action, TLC would look at both sides of every disjunction.
Next ==
  \/ \E i \in InvokeInputs :
       /\ InvokeEnabled(State, i) = TRUE
       /\ State' = InvokeNext(State, i)
  \/ \E i \in DeclineInputs :
       /\ DeclineEnabled(State, i) = TRUE
       /\ State' = DeclineNext(State, i)
  \/ \E i \in BeginInputs :
       /\ BeginEnabled(State, i) = TRUE
       /\ State' = BeginNext(State, i)
  \/ \E i \in SelectInputs :
       /\ SelectEnabled(State, i) = TRUE
       /\ State' = SelectNext(State, i)
  \/ \E i \in SelectMoreInputs :
       /\ SelectMoreEnabled(State, i) = TRUE
       /\ State' = SelectMoreNext(State, i)
  \/ \E i \in LookInputs :
       /\ LookEnabled(State, i) = TRUE
       /\ State' = LookNext(State, i)
  \/ \E i \in OpenSnapshotInputs :
       /\ OpenSnapshotEnabled(State, i) = TRUE
       /\ State' = OpenSnapshotNext(State, i)
  \/ \E i \in LookInsideInputs :
       /\ LookInsideEnabled(State, i) = TRUE
       /\ State' = LookInsideNext(State, i)
  \/ \E i \in CloseSnapshotInputs :
       /\ CloseSnapshotEnabled(State, i) = TRUE
       /\ State' = CloseSnapshotNext(State, i)
  \/ \E i \in LeaveSnapshotInputs :
       /\ LeaveSnapshotEnabled(State, i) = TRUE
       /\ State' = LeaveSnapshotNext(State, i)
  \/ \E i \in MatchInputs :
       /\ MatchEnabled(State, i) = TRUE
       /\ State' = MatchNext(State, i)
  \/ \E i \in MatchUnseenInputs :
       /\ MatchUnseenEnabled(State, i) = TRUE
       /\ State' = MatchUnseenNext(State, i)
  \/ \E i \in MismatchInputs :
       /\ MismatchEnabled(State, i) = TRUE
       /\ State' = MismatchNext(State, i)
  \/ \E i \in RefuseInputs :
       /\ RefuseEnabled(State, i) = TRUE
       /\ State' = RefuseNext(State, i)
  \/ \E i \in ChangeNothingInputs :
       /\ ChangeNothingEnabled(State, i) = TRUE
       /\ State' = ChangeNothingNext(State, i)
  \/ \E i \in WriteInputs :
       /\ WriteEnabled(State, i) = TRUE
       /\ State' = WriteNext(State, i)
  \/ \E i \in WriteLastInputs :
       /\ WriteLastEnabled(State, i) = TRUE
       /\ State' = WriteLastNext(State, i)
  \/ \E i \in BreakInputs :
       /\ BreakEnabled(State, i) = TRUE
       /\ State' = BreakNext(State, i)
  \/ \E i \in RollBackInputs :
       /\ RollBackEnabled(State, i) = TRUE
       /\ State' = RollBackNext(State, i)
  \/ \E i \in GiveUpInputs :
       /\ GiveUpEnabled(State, i) = TRUE
       /\ State' = GiveUpNext(State, i)
  \/ \E i \in AppendInputs :
       /\ AppendEnabled(State, i) = TRUE
       /\ State' = AppendNext(State, i)
  \/ \E i \in SyncInputs :
       /\ SyncEnabled(State, i) = TRUE
       /\ State' = SyncNext(State, i)
  \/ \E i \in PublishInputs :
       /\ PublishEnabled(State, i) = TRUE
       /\ State' = PublishNext(State, i)
  \/ \E i \in RespondInputs :
       /\ RespondEnabled(State, i) = TRUE
       /\ State' = RespondNext(State, i)
  \/ \E i \in CutOffInputs :
       /\ CutOffEnabled(State, i) = TRUE
       /\ State' = CutOffNext(State, i)
  \/ \E i \in CutOffLateInputs :
       /\ CutOffLateEnabled(State, i) = TRUE
       /\ State' = CutOffLateNext(State, i)
  \/ \E i \in CrashInputs :
       /\ CrashEnabled(State, i) = TRUE
       /\ State' = CrashNext(State, i)
  \/ \E i \in RecoverInputs :
       /\ RecoverEnabled(State, i) = TRUE
       /\ State' = RecoverNext(State, i)
  \/ \E i \in CheckpointInputs :
       /\ CheckpointEnabled(State, i) = TRUE
       /\ State' = CheckpointNext(State, i)
  \/ \E i \in RestartLogInputs :
       /\ RestartLogEnabled(State, i) = TRUE
       /\ State' = RestartLogNext(State, i)

Spec == Init /\ [][Next]_State

\* Only who has the write lock is inside a transaction.
WhoWorksHasTheLock == LET s == State IN (\A holder \in DOMAIN s.place : ((~((s.place[holder] = "holding the lock") \/ (s.place[holder] = "has read") \/ (s.place[holder] = "writing") \/ (s.place[holder] = "has written") \/ (s.place[holder] = "commit appended") \/ (s.place[holder] = "commit on the disk") \/ (s.place[holder] = "answer known"))) \/ (s.writer = <<holder>>)))

\* After a crash nobody works, and nothing is cached, until the file was recovered.
NobodyWorksWhileDown == LET s == State IN ((~s.is_down) \/ (((~(s.writer # <<>>)) /\ (~(s.tail # <<>>))) /\ (\A holder \in DOMAIN s.place : ((s.place[holder] = "idle") \/ (s.place[holder] = "cut off, pending") \/ (s.place[holder] = "cut off, performed")))))

\* What a transaction read is what is published.
SnapshotIsTheNewest == LET s == State IN (\A holder \in DOMAIN s.place : ((~((s.place[holder] = "has read") \/ (s.place[holder] = "writing") \/ (s.place[holder] = "has written") \/ (s.place[holder] = "commit appended") \/ (s.place[holder] = "commit on the disk"))) \/ (Get(s.seen, holder, "") = s.published)))

\* Who writes was allowed to by what is published.
OnlyMatchesWrite == LET s == State IN (\A holder \in DOMAIN s.place : ((~((s.place[holder] = "writing") \/ (s.place[holder] = "has written") \/ (s.place[holder] = "commit appended") \/ (s.place[holder] = "commit on the disk"))) \/ ((s.published \in Get(s.calls.holds, Get(s.call, holder, ""), {})) /\ (~(Get(s.call, holder, "") \in s.calls.refused)))))

\* What is about to be committed is what the call makes of what is published.
CommitsTheResult == LET s == State IN (\A holder \in DOMAIN s.place : ((~((s.place[holder] = "has written") \/ (s.place[holder] = "commit appended") \/ (s.place[holder] = "commit on the disk"))) \/ (Get(s.buffer, holder, "") = Get(Get(s.calls.applied, Get(s.call, holder, ""), [x \in {} |-> 0]), s.published, s.published))))

\* Who has appended its commit finds it behind the end of the log.
AppendedIsInTheLog == LET s == State IN (\A holder \in DOMAIN s.place : ((~((s.place[holder] = "commit appended") \/ (s.place[holder] = "commit on the disk"))) \/ (s.tail = <<[value |-> Get(s.buffer, holder, ""), client |-> holder]>>)))

\* Who has synced its commit finds it on the disk.
SyncedIsOnTheDisk == LET s == State IN (\A holder \in DOMAIN s.place : ((~(s.place[holder] = "commit on the disk")) \/ (s.disk = <<[value |-> Get(s.buffer, holder, ""), client |-> holder]>>)))

\* A commit behind the end of the log is a whole call, of what is published.
TailIsAWholeCall == LET s == State IN ((~(s.tail # <<>>)) \/ ((((s.tail[1].client \in DOMAIN s.place) /\ ((Get(s.place, s.tail[1].client, "idle") = "commit appended") \/ (Get(s.place, s.tail[1].client, "idle") = "commit on the disk") \/ (Get(s.place, s.tail[1].client, "idle") = "cut off, pending"))) /\ ((s.published \in Get(s.calls.holds, Get(s.call, s.tail[1].client, ""), {})) /\ (~(Get(s.call, s.tail[1].client, "") \in s.calls.refused)))) /\ (s.tail[1].value = Get(Get(s.calls.applied, Get(s.call, s.tail[1].client, ""), [x \in {} |-> 0]), s.published, s.published))))

\* So is one that the disk has there.
DiskIsAWholeCall == LET s == State IN ((~(s.disk # <<>>)) \/ ((((s.disk[1].client \in DOMAIN s.place) /\ ((Get(s.place, s.disk[1].client, "idle") = "commit on the disk") \/ (Get(s.place, s.disk[1].client, "idle") = "cut off, pending"))) /\ ((s.published \in Get(s.calls.holds, Get(s.call, s.disk[1].client, ""), {})) /\ (~(Get(s.call, s.disk[1].client, "") \in s.calls.refused)))) /\ (s.disk[1].value = Get(Get(s.calls.applied, Get(s.call, s.disk[1].client, ""), [x \in {} |-> 0]), s.published, s.published))))

\* What is published is what the disk has: the last commit of the log, or the main file.
PublishedIsDurable == LET s == State IN (s.published = (IF (s.log # <<>>) THEN s.log[1] ELSE s.main))

====
