"""Signals to the processes of a command, and their end when Rind dies."""
