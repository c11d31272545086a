"""Run the render service: `python -m tapelog_render`."""

import sys

from tapelog_chassis.lifecycle import run_service

from tapelog_render.main import run
from tapelog_render.settings import RenderSettings

if __name__ == "__main__":
    sys.exit(run_service(run, RenderSettings, service="render"))
