"""Commit protocols: how each backend makes a call one atomic step, as data, for any number of clients.

`protocol` has the language (moves of clients, and what each of them comes to in the atomic store), `memory`,
`sqlite` and `optimistic` the protocols, `wrong` the ones that look right and are not.  The same moves are proved
for any number of clients (`simulation`), explored with few (`histories`, `mobstore.properties.tla`), and held
against the statements that the backends really send (`binding`).
"""
