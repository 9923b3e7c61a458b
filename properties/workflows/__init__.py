"""Workflows: the callers of the model, at work on real backends, one by one, by turns and at once."""
