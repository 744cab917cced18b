"""A run of the command line: opening, supervising, signals, output."""
