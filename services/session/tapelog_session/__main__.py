"""`python -m tapelog_session`: the service as a process of its own."""

import sys

from tapelog_chassis.lifecycle import run_service

from tapelog_session.main import run
from tapelog_session.settings import SessionSettings

if __name__ == "__main__":
    sys.exit(run_service(run, SessionSettings, service="session"))
