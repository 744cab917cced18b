"""``python -m rind``."""

from rind.cli.main import main

main()
