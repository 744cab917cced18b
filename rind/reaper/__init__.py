"""What signals the processes of a command, and ends them when Rind dies."""
