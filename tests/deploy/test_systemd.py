"""The systemd units against the code, and through systemd's own check where it is installed."""

import configparser
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tapelog_chassis.lifecycle import CANCEL_S_MAX, EXIT_CONFIG, STOP_S_MAX
from tapelog_chassis.nats.server import STOP_TIMEOUT_S
from tapelog_cli.installation.deployment_folder import STATE_FOLDERS, process_environments
from tapelog_cli.main import COMMANDS

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
HOME = Path("/var/lib/tapelog")
PARTS = {
    "session": "tapelog-session.service",
    "render": "tapelog-render.service",
    "notify": "tapelog-notify.service",
    "worker": "tapelog-worker@.service",
    "console": "tapelog-console.service",
}
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
NEEDED = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictNamespaces": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
    "User": "tapelog",
}
WORKER_STOP_S = 120.0
ANALYZE = shutil.which("systemd-analyze") or ""
EXPOSURE_MAX = 2.0
"""Of ten, as `systemd-analyze security` weighs it; what is left is the network and the user's name."""


def unit(name: str) -> configparser.ConfigParser:
    """Read a unit."""
    parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their case
    parser.read(UNITS / name)
    return parser


@pytest.mark.parametrize("name", SERVICES)
def test_every_unit_is_hardened(name: str):
    """The whole list, whatever the unit runs."""
    service = unit(name)["Service"]
    assert {key: service.get(key) for key in NEEDED} == NEEDED
    assert service["RestartPreventExitStatus"] == str(EXIT_CONFIG)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_runs_what_exists_with_the_settings_that_were_written(part: str):
    """The module runs with -m; its environment file and its folders are those of `broker-init`."""
    service = unit(PARTS[part])["Service"]
    _, flag, module = service["ExecStart"].split()
    assert flag == "-m"
    assert importlib.util.find_spec(module) is not None
    environments = process_environments(HOME, nats_port=4222)
    assert service["EnvironmentFile"] == f"{HOME}/env/{part}.env"
    writable = [Path(path) for path in service["ReadWritePaths"].split()]
    assert {path.parent for path in writable} == {HOME / "state"}
    assert {path.name for path in writable} <= set(STATE_FOLDERS)
    for key in ("TAPELOG_DATA_DIR", "TAPELOG_OBJECT_URL", "TAPELOG_SCRATCH_DIR"):
        if key in environments[part]:
            assert Path(environments[part][key].removeprefix("file://")) in writable, key


def test_there_is_time_to_stop():
    """No process is killed while it drains within its own limit."""
    limits = dict.fromkeys(("session", "render", "notify", "console"), STOP_S_MAX + CANCEL_S_MAX)
    limits["worker"] = WORKER_STOP_S + CANCEL_S_MAX
    for part, limit_s in limits.items():
        assert float(unit(PARTS[part])["Service"]["TimeoutStopSec"]) >= limit_s, part
    assert float(unit("tapelog-nats.service")["Service"]["TimeoutStopSec"]) >= STOP_TIMEOUT_S


def test_the_order_of_starting():
    """Broker, provisioning, parts; the target wants every one of them."""
    wanted = unit("tapelog.target")["Unit"]["Wants"].split()
    assert {name.replace("@1.", "@.").replace("@2.", "@.") for name in wanted} == set(SERVICES)
    assert "tapelog-nats.service" in unit("tapelog-provision.service")["Unit"]["After"]
    for name in PARTS.values():
        assert "tapelog-provision.service" in unit(name)["Unit"]["After"]
    provision = unit("tapelog-provision.service")["Service"]["ExecStart"].split()
    assert provision[1] in {command.words for command in COMMANDS}


@pytest.mark.skipif(not ANALYZE, reason="no systemd-analyze on this machine")
def test_systemd_itself_takes_the_units(tmp_path: Path):
    """No unknown key and no wrong value, and little that a part could do beyond its work."""
    for path in UNITS.iterdir():
        text = (
            path.read_text().replace("/opt/tapelog/bin/python", "/bin/true").replace("/opt/tapelog/bin/", "/bin/true ")
        )
        (tmp_path / path.name).write_text(text)
    (tmp_path / "tapelog-worker@1.service").write_text((tmp_path / "tapelog-worker@.service").read_text())
    services = [tmp_path / ("tapelog-worker@1.service" if "@" in name else name) for name in SERVICES]
    environment = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": os.environ["PATH"], "SYSTEMD_LOG_LEVEL": "warning"}
    answer = subprocess.run(
        [ANALYZE, "verify", "--man=no", *services],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    complaints = [line for line in answer.stderr.splitlines() if "tapelog" in line]
    assert complaints == [], answer.stderr
    scored = subprocess.run(
        [ANALYZE, "security", "--offline=true", f"--threshold={int(10 * EXPOSURE_MAX)}", *services],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert scored.returncode == 0, scored.stdout[-2000:] + scored.stderr
