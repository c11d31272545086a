import os
import subprocess
import sys
from pathlib import Path

import pytest
from tapelog_chassis.settings import ServiceSettings
from tapelog_cli.installation.plan import StackOptions, environment_of, prepared
from tapelog_notify.settings import NotifySettings
from tapelog_render.settings import RenderSettings
from tapelog_session.settings import SessionSettings


@pytest.mark.parametrize("kind", [SessionSettings, RenderSettings, NotifySettings])
def test_settings_survive_the_way_through_the_environment(kind: type[ServiceSettings], tmp_path: Path) -> None:
    """A service in its own process reads the settings that it would have got in this one."""
    settings = kind(data_dir=tmp_path, port=7777, nats_creds=tmp_path / "a.creds", reflection=True)
    code = (
        f"import sys; from {kind.__module__} import {kind.__name__} as Settings; "
        "sys.stdout.write(Settings().model_dump_json())"
    )
    environment = {"PATH": os.environ["PATH"], **environment_of(settings)}
    read = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)

    assert kind.model_validate_json(read.stdout) == settings


async def test_a_plan_gives_every_service_its_own_port_and_credentials(tmp_path: Path) -> None:
    """Services know one another's addresses before they start, and hold credentials of their own."""
    async with prepared(StackOptions(data_dir=tmp_path / "data", store_bytes=1 << 30)) as plan:
        settings = (plan.session, plan.render, plan.notify)

        assert len({one.port for one in settings}) == 3
        assert len({one.nats_creds for one in settings} | {plan.render.worker_nats_creds}) == 4
        assert plan.session.render_address == f"127.0.0.1:{plan.render.port}"
        assert plan.render.session_address == f"127.0.0.1:{plan.session.port}"
        assert plan.announce().session == f"127.0.0.1:{plan.session.port}"
