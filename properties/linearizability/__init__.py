"""Linearizability: histories of concurrent calls; usable for histories of any system."""
