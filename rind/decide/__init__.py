"""Pure decisions: which container to use, and which command to execute."""
