"""The pure reference model."""
