"""Decisions, without I/O: which container, and what is executed in it."""
