"""TLA+ of the machines' and protocols' own data, and TLC beside our explorer.

`expressions` writes terms as TLA+, `modules` a machine with a small scope as a module, `scopes` says which there
are, `tlc` runs them.
"""
