---- MODULE Rotation ----
\* Made from the machine's own data by `mobstore.properties.generate`: do not edit.
\* What a process lays over the record: two keys, epochs up to three, up to two peers that accepted.
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

Rank == (("SecretKey(<hidden>)" :> 0) @@ ("peer-1" :> 1) @@ ("peer-2" :> 2) @@ ("x" :> 3) @@ ("y" :> 4))

StoreOvertakenInputs == {
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]]}
StoreOvertakenEnabled(s, i) ==
  /\ (~(Len(i.pending.accepted_peer_ids) = 0)) \* a peer accepted it
  /\ (~(s.epoch < i.pending.epoch)) \* its epoch is not above the record's
  /\ (~(i.pending.public_peer_id = s.public_peer_id)) \* it is not the record's own
  /\ ((~(s.pending_rotation # <<>>)) \/ ((s.pending_rotation # <<>>) /\ ((s.pending_rotation[1].secret_key = i.pending.secret_key) /\ (s.pending_rotation[1].public_peer_id = i.pending.public_peer_id) /\ (s.pending_rotation[1].epoch = i.pending.epoch) /\ (s.pending_rotation[1].protocol_version = i.pending.protocol_version)))) \* no other attempt stands
StoreOvertakenNext(s, i) ==
  [s EXCEPT
    !.pending_rotation = <<i.pending>>]

ClearInputs == {
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]]}
ClearEnabled(s, i) ==
  /\ ((s.epoch < i.pending.epoch) /\ (Minus(i.pending.epoch, 1) = s.epoch)) \* its epoch is the record's and one more
  /\ (~(~(Len(i.pending.accepted_peer_ids) = 0))) \* no peer accepted it
  /\ ((s.pending_rotation # <<>>) /\ ((s.pending_rotation[1].secret_key = i.pending.secret_key) /\ (s.pending_rotation[1].public_peer_id = i.pending.public_peer_id) /\ (s.pending_rotation[1].epoch = i.pending.epoch) /\ (s.pending_rotation[1].protocol_version = i.pending.protocol_version))) \* the same attempt stands
ClearNext(s, i) ==
  [s EXCEPT
    !.pending_rotation = <<>>]

StoreNextInputs == {
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [pending |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]]}
StoreNextEnabled(s, i) ==
  /\ ((s.epoch < i.pending.epoch) /\ (Minus(i.pending.epoch, 1) = s.epoch)) \* its epoch is the record's and one more
  /\ (~(Len(i.pending.accepted_peer_ids) = 0)) \* a peer accepted it
  /\ ((~(s.pending_rotation # <<>>)) \/ ((s.pending_rotation # <<>>) /\ ((s.pending_rotation[1].secret_key = i.pending.secret_key) /\ (s.pending_rotation[1].public_peer_id = i.pending.public_peer_id) /\ (s.pending_rotation[1].epoch = i.pending.epoch) /\ (s.pending_rotation[1].protocol_version = i.pending.protocol_version)))) \* no other attempt stands
StoreNextNext(s, i) ==
  [s EXCEPT
    !.pending_rotation = <<i.pending>>]

Init == State = [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, pending_rotation |-> <<>>]

\* Guards as values: of an action, TLC would look at both sides of every disjunction.
Next ==
  \/ \E i \in StoreOvertakenInputs :
       /\ StoreOvertakenEnabled(State, i) = TRUE
       /\ State' = StoreOvertakenNext(State, i)
  \/ \E i \in ClearInputs :
       /\ ClearEnabled(State, i) = TRUE
       /\ StoreOvertakenEnabled(State, i) = FALSE
       /\ State' = ClearNext(State, i)
  \/ \E i \in StoreNextInputs :
       /\ StoreNextEnabled(State, i) = TRUE
       /\ StoreOvertakenEnabled(State, i) = FALSE
       /\ ClearEnabled(State, i) = FALSE
       /\ State' = StoreNextNext(State, i)

Spec == Init /\ [][Next]_State

====
