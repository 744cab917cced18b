"""``python -m rind``."""

from rind.cli.main import program

program()
