"""Faults: a simulated disk under the real SQLite, power cuts, failing operations, killed processes."""
