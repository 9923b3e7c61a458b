"""The callers of the store: workflow drivers that keep every invariant at every point where one may die."""
