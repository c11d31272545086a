"""`python -m tapelog_cli` is `tapelog`."""

import sys

from tapelog_cli.main import main

sys.exit(main())
