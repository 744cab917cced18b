"""The command line's actions other than running a command."""
