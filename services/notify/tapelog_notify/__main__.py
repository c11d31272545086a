"""`python -m tapelog_notify`: the notify service as a process of its own."""

import sys

from tapelog_chassis.lifecycle import run_service

from .main import run
from .settings import NotifySettings

if __name__ == "__main__":
    sys.exit(run_service(run, NotifySettings, service="notify"))
