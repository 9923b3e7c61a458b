---- MODULE Authority ----
\* Made from the machine's own data by `mobstore.properties.generate`: do not edit.
\* The durable authority record: two keys, epochs up to three, two remote peers.
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

RecordAcceptanceInputs == {
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>]],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>]]}
RecordAcceptanceEnabled(s, i) ==
  /\ ((s.epoch < i.attempt.epoch) /\ (Minus(i.attempt.epoch, 1) = s.epoch)) \* its epoch is the record's and one more
  /\ (~(Len(i.attempt.accepted_peer_ids) = 0)) \* a peer accepted it
  /\ (\A Place1 \in 1..(Len(i.attempt.accepted_peer_ids) - 1) : (Rank[i.attempt.accepted_peer_ids[Place1]] < Rank[i.attempt.accepted_peer_ids[Place1 + 1]])) \* the peers are sorted, each once
  /\ ((~(s.pending_rotation # <<>>)) \/ ((s.pending_rotation[1].secret_key = i.attempt.secret_key) /\ (s.pending_rotation[1].public_peer_id = i.attempt.public_peer_id) /\ (s.pending_rotation[1].epoch = i.attempt.epoch) /\ (s.pending_rotation[1].protocol_version = i.attempt.protocol_version))) \* no other attempt stands
  /\ ((~(s.pending_rotation # <<>>)) \/ (\A peer \in Items(s.pending_rotation[1].accepted_peer_ids) : (peer \in Items(i.attempt.accepted_peer_ids)))) \* no peer that accepted is forgotten
RecordAcceptanceNext(s, i) ==
  [s EXCEPT
    !.pending_rotation = <<i.attempt>>]

CommitRotationInputs == {
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 1, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 2, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<>>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"x", "y">>], remote_peers |-> <<"x", "y">>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<>>],
  [attempt |-> [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-2", epoch |-> 3, protocol_version |-> 2, accepted_peer_ids |-> <<"y", "x">>], remote_peers |-> <<"x", "y">>]}
CommitRotationEnabled(s, i) ==
  /\ ((s.epoch < i.attempt.epoch) /\ (Minus(i.attempt.epoch, 1) = s.epoch)) \* its epoch is the record's and one more
  /\ ((~(s.pending_rotation # <<>>)) \/ ((s.pending_rotation[1].secret_key = i.attempt.secret_key) /\ (s.pending_rotation[1].public_peer_id = i.attempt.public_peer_id) /\ (s.pending_rotation[1].epoch = i.attempt.epoch) /\ (s.pending_rotation[1].protocol_version = i.attempt.protocol_version))) \* no other attempt stands
  /\ ((Len(i.remote_peers) = 0) \/ ((s.pending_rotation # <<>>) /\ (\A peer \in Items(i.remote_peers) : (peer \in Items(s.pending_rotation[1].accepted_peer_ids))))) \* every remote peer accepted it
CommitRotationNext(s, i) ==
  [s EXCEPT
    !.secret_key = i.attempt.secret_key,
    !.public_peer_id = i.attempt.public_peer_id,
    !.epoch = i.attempt.epoch,
    !.protocol_version = i.attempt.protocol_version,
    !.pending_rotation = <<>>]

AbandonRotationInputs == {
  [restored |-> <<>>],
  [restored |-> <<"x">>],
  [restored |-> <<"x", "y">>]}
AbandonRotationEnabled(s, i) ==
  /\ (s.pending_rotation # <<>>) \* an attempt stands
  /\ (\A peer \in Items(s.pending_rotation[1].accepted_peer_ids) : (peer \in Items(i.restored))) \* every peer that accepted it was brought back
AbandonRotationNext(s, i) ==
  [s EXCEPT
    !.pending_rotation = <<>>]

Init == State = [secret_key |-> "SecretKey(<hidden>)", public_peer_id |-> "peer-1", epoch |-> 1, protocol_version |-> 2, pending_rotation |-> <<>>]

\* Guards as values: of an action, TLC would look at both sides of every disjunction.
Next ==
  \/ \E i \in RecordAcceptanceInputs :
       /\ RecordAcceptanceEnabled(State, i) = TRUE
       /\ State' = RecordAcceptanceNext(State, i)
  \/ \E i \in CommitRotationInputs :
       /\ CommitRotationEnabled(State, i) = TRUE
       /\ State' = CommitRotationNext(State, i)
  \/ \E i \in AbandonRotationInputs :
       /\ AbandonRotationEnabled(State, i) = TRUE
       /\ State' = AbandonRotationNext(State, i)

Spec == Init /\ [][Next]_State

\* A stored pending rotation names the peers that accepted it, sorted, each once.
PendingRotationWasAccepted == LET s == State IN ((~(s.pending_rotation # <<>>)) \/ ((~(Len(s.pending_rotation[1].accepted_peer_ids) = 0)) /\ (\A Place2 \in 1..(Len(s.pending_rotation[1].accepted_peer_ids) - 1) : (Rank[s.pending_rotation[1].accepted_peer_ids[Place2]] < Rank[s.pending_rotation[1].accepted_peer_ids[Place2 + 1]]))))

\* A stored pending rotation has the epoch after the record's.
PendingRotationIsNext == LET s == State IN ((~(s.pending_rotation # <<>>)) \/ ((s.epoch < s.pending_rotation[1].epoch) /\ (Minus(s.pending_rotation[1].epoch, 1) = s.epoch)))

\* The key changes exactly when the epoch does, and the epoch only by one.
EpochAndKeyMoveTogetherHolds(before, after) == ((~(~((before.secret_key = after.secret_key) /\ (before.public_peer_id = after.public_peer_id) /\ (before.protocol_version = after.protocol_version) /\ (before.epoch = after.epoch)))) \/ (after.epoch = Plus(before.epoch, 1, 2147483647)))
EpochAndKeyMoveTogether == [][EpochAndKeyMoveTogetherHolds(State, State')]_State

\* A new authority has no pending rotation.
CommitLeavesNothingPendingHolds(before, after) == ((~(~(before.epoch = after.epoch))) \/ (~(after.pending_rotation # <<>>)))
CommitLeavesNothingPending == [][CommitLeavesNothingPendingHolds(State, State')]_State

\* Where an attempt stands, it is the one that becomes the authority.
OnlyThePendingAttemptIsCommittedHolds(before, after) == ((~((before.pending_rotation # <<>>) /\ (~(before.epoch = after.epoch)))) \/ ((before.pending_rotation[1].secret_key = after.secret_key) /\ (before.pending_rotation[1].public_peer_id = after.public_peer_id) /\ (before.pending_rotation[1].protocol_version = after.protocol_version) /\ (before.pending_rotation[1].epoch = after.epoch)))
OnlyThePendingAttemptIsCommitted == [][OnlyThePendingAttemptIsCommittedHolds(State, State')]_State

\* While an attempt stands it is not replaced by another, and no peer that accepted it is forgotten.
AttemptStaysWhileAcceptedHolds(before, after) == ((~((before.pending_rotation # <<>>) /\ (after.pending_rotation # <<>>))) \/ (((before.pending_rotation[1].secret_key = after.pending_rotation[1].secret_key) /\ (before.pending_rotation[1].public_peer_id = after.pending_rotation[1].public_peer_id) /\ (before.pending_rotation[1].protocol_version = after.pending_rotation[1].protocol_version) /\ (before.pending_rotation[1].epoch = after.pending_rotation[1].epoch)) /\ (\A peer \in Items(before.pending_rotation[1].accepted_peer_ids) : (peer \in Items(after.pending_rotation[1].accepted_peer_ids)))))
AttemptStaysWhileAccepted == [][AttemptStaysWhileAcceptedHolds(State, State')]_State

====
