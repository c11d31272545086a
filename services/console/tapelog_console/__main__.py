"""`python -m tapelog_console`: the review page as a process of its own."""

import sys

from tapelog_chassis.lifecycle import run_service

from .main import run
from .settings import ConsoleSettings

if __name__ == "__main__":
    sys.exit(run_service(run, ConsoleSettings, service="console"))
