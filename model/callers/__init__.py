"""The callers: what uses the store in real life, as pure protocols that say what to do and are told the answer.

Workflows: `flow` says what a flow is; `deciding` what is due in a run, from what the store holds; `commits` is the
table of what is written at once, by which wrapper, with which machine inputs, and says where that order is another
than the original's, and why; `planning` computes a commit; `driver` makes what is due; `requests` is what it asks
for.  `authority` keeps machine inputs as the log has them, and `replaying` reads the log back.  `rotation` is the
supervisor's.
"""
