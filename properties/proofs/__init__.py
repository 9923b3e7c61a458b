"""Proofs: obligations made from the tables, and two solvers that settle them.  The rules:

1. An obligation is made from data that is used elsewhere (the wrapper table, the source of ``step``, the machines,
   the invariants, the commit protocols): what is proved is about what runs.
2. It says what it assumes and how far it reaches.  *Unbounded*: any number of ids, frames, loops, clients.
   *Bounded*: the bound is part of its statement.
3. Its question is given to each solver as SMT-LIB 2 text that stands alone, so that anybody can ask again.
4. ``unknown``, a time-out and two solvers that differ are failures.
5. What is refuted is searched for in a small universe, shown as values, and confirmed in Python.
6. A proof is believed as far as it has caught something: `mutation` changes the tables in one place at a time, and
   each change must refute an obligation, or stand in a list with the reason (`scoring`).
"""
