"""``python -m rind``."""

import sys

from rind.cli.main import main

sys.exit(main())
