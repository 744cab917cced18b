"""Rind (Run in Docker): run a command inside a running container as if it ran here."""

__version__ = "0.1.0"
