"""Linearizability: histories, and the checker that decides them; usable for histories of any system."""
