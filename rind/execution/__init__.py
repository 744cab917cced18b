"""Exec instances: their output, their state, and their streams."""
