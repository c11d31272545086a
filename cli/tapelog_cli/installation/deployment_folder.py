"""The folder of an installation whose parts run on their own: every key, credential and certificate, and the settings.

Nothing in it leaves the machine by itself. What exists is kept, so it can be made again: after an upgrade, to renew
certificates, to replace a file that was deleted on purpose.
"""

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, Self

from tapelog_chassis.addresses import CONSOLE_PORT, LOOPBACK, SERVICE_PORTS, default_address
from tapelog_chassis.auth import LocalIssuer
from tapelog_chassis.auth.certificates import (
    AUTHORITY_KEY_FILE,
    CLIENTS_FOLDER,
    REVOKED_FILE,
    PrivateAuthority,
    public_key_fingerprint,
)
from tapelog_chassis.auth.issuer import KEY_FILE, write_private
from tapelog_chassis.auth.revocations import REVOKED_FILE as REVOKED_PARTIES_FILE
from tapelog_chassis.auth.revocations import Revocations
from tapelog_chassis.errors import ConfigRefusal
from tapelog_chassis.nats import SERVICES, NatsIdentity
from tapelog_chassis.nats.config import (
    PINNED_FILE,
    Cluster,
    Pinned,
    StandalonePlace,
    render_pinned,
    render_standalone_config,
    render_trust,
)
from tapelog_chassis.nats.revoked import REVOKED_USERS_FILE, is_user_key, revoke_users, user_key_of

Form = Literal["containers", "processes"]

CHOICES_FILE: Final = "deployment.json"
NATS_PORT: Final = 4222
MONITOR_PORT: Final = 8222
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
STATE_FOLDERS: Final = ("broker", "objects", "scratch", "session", "render", "notify", "console")
"""What is kept: the log, the audio, what is being rendered, and a folder of each service's own."""
WITHOUT_PORT: Final = ("worker", "admin")
"""Parts that have a certificate to show, and nothing that others dial."""
BROKER_USERS: Final = (*SERVICE_PORTS, *WITHOUT_PORT)
"""Parts that connect to the broker."""
DESK: Final = "desk"
"""The client whose certificate is always there, for the command line and the SDK."""
IN_CONTAINERS: Final = StandalonePlace(
    listen=f"0.0.0.0:{NATS_PORT}",
    monitor=f"127.0.0.1:{MONITOR_PORT}",
    store_dir=Path("/var/lib/nats"),
    certificate=Path("/etc/nats/nats.pem"),
    key=Path("/run/secrets/nats.key"),
    client_ca=Path("/etc/nats/ca.pem"),
)
"""The broker as `deploy/compose` mounts its files."""
BROKERS: Final = ("nats-1", "nats-2", "nats-3")
"""The three brokers of `deploy/compose/cluster.yaml`; each also answers to `nats`."""
MORE_BROKERS: Final = ("broker-2", "broker-3")
"""Folders of the second and the third."""
ROUTES_PORT: Final = 6222
IN_CLUSTER: Final = Cluster(
    server_name="$TAPELOG_BROKER",
    listen=f"0.0.0.0:{ROUTES_PORT}",
    routes=tuple(f"{name}:{ROUTES_PORT}" for name in BROKERS),
)


@dataclass(frozen=True, slots=True)
class Made:
    """What a run of `broker-init` wrote and kept, as paths relative to its folder."""

    written: list[str]
    kept: list[str]

    def note(self, name: str, *, is_new: bool) -> None:
        """Count a file."""
        (self.written if is_new else self.kept).append(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What was chosen for a folder; kept in it, so that making it again needs no repetition."""

    form: Form = "containers"
    nats_port: int = NATS_PORT
    monitor_port: int = MONITOR_PORT

    @classmethod
    def load(cls, folder: Path, **given: str | int | None) -> Self:
        """Return what is given, else what the folder has, else the defaults."""
        path = folder / CHOICES_FILE
        kept = json.loads(path.read_text()) if path.exists() else {}
        return cls(**{**kept, **{name: value for name, value in given.items() if value is not None}})


def make_deployment(
    folder: Path,
    *,
    form: Form | None = None,
    nats_port: int | None = None,
    monitor_port: int | None = None,
    store_bytes: int | None = None,
    clients: Iterable[str] = (),
    revoke: Iterable[str] = (),
) -> Made:
    """
    Make the folder of an installation whose parts run on their own, or complete one.

    What is not given is as it was when the folder was made; at first: containers, ports 4222 and 8222, 70 % of the free
    disk for the store. There is always a certificate of the client `desk`; `clients` names more desks and tools that
    are to have one, `revoke` what is to count no more: certificate and creds of a part (`render`), the certificate of a
    client (`clients/desk`), a user of the broker by its public key (`U…`).

    Returns
    -------
    Made
        Keys, creds and good certificates are kept; configuration is written anew each time.

    Raises
    ------
    ConfigRefusal, NatsError
        A key that is there is damaged or open to other users, the disk is too full to begin, or the store already has
        another size.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name in ("nats", "state", *(f"state/{part}" for part in (*STATE_FOLDERS, *MORE_BROKERS))):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    made = Made([], [])
    choices = Choices.load(folder, form=form, nats_port=nats_port, monitor_port=monitor_port)
    revoked = tuple(revoke)
    _revoke_users(folder, made, revoked)
    _make_broker(folder, made, choices, store_bytes)
    _make_issuer(folder, made)
    _make_certificates(folder, made, clients=clients, revoke=[name for name in revoked if not is_user_key(name)])
    _write(folder, CHOICES_FILE, json.dumps(asdict(choices)), made)
    if choices.form == "containers":
        _write(folder, "deployment.env", _env_text(compose_environment(folder)), made)
    else:
        for name, environment in process_environments(folder, nats_port=choices.nats_port).items():
            _write(folder, f"env/{name}.env", _env_text(environment), made)
    return made


def compose_environment(folder: Path) -> dict[str, str]:
    """Return what `deploy/compose/compose.yaml` is filled in with; containers run as the user who owns the files."""
    return {"TAPELOG_DEPLOYMENT": str(folder), "TAPELOG_UID": str(os.getuid()), "TAPELOG_GID": str(os.getgid())}


def process_environments(folder: Path, *, nats_port: int) -> dict[str, dict[str, str]]:
    """Return the settings of each part as a process of this machine, by the part's name."""
    state, tls = folder / "state", folder / "tls"

    def of(name: str, **own: object) -> dict[str, str]:
        values = {
            "data_dir": state / name,
            "nats_url": f"tls://127.0.0.1:{nats_port}",
            "nats_creds": folder / "creds" / f"{name}.creds",
            "nats_tls_ca": tls / "ca.pem",
            **own,
        }
        return {f"TAPELOG_{key.upper()}": str(value) for key, value in values.items()}

    def served(name: str, **own: object) -> dict[str, str]:
        return of(
            name,
            host=LOOPBACK,
            port=SERVICE_PORTS[name],
            tls_certificate=tls / f"{name}.pem",
            tls_key=tls / f"{name}.key",
            tls_client_ca=tls / "ca.pem",
            tls_revoked=tls / REVOKED_FILE,
            jwks_path=folder / "identity" / "jwks.json",
            **own,
        )

    objects = (state / "objects").as_uri()
    return {
        "session": served(
            "session",
            issuer_dir=folder / "identity",
            object_url=objects,
            render_address=default_address("render"),
            render_tls_ca=tls / "ca.pem",
        ),
        "render": served(
            "render", session_address=default_address("session"), session_tls_ca=tls / "ca.pem", spawn_workers="false"
        ),
        "worker": of(
            "worker",
            data_dir=state / "scratch",
            object_url=objects,
            scratch_dir=state / "scratch",
            client_certificate=tls / "worker.pem",
            client_key=tls / "worker.key",
        ),
        "notify": served("notify", nats_identity_dir=folder),
        "console": _console_environment(folder),
    }


def _console_environment(folder: Path) -> dict[str, str]:
    """Return the settings of the review page, which speaks to the services alone and has no link to the broker."""
    values = {
        "data_dir": folder / "state" / "console",
        "host": LOOPBACK,
        "port": CONSOLE_PORT,
        "tls_certificate": folder / "tls" / "console.pem",
        "tls_key": folder / "tls" / "console.key",
        "jwks_path": folder / "identity" / "jwks.json",
        "issuer_dir": folder / "identity",
        "services_tls_ca": folder / "tls" / "ca.pem",
        **{f"{name}_address": default_address(name) for name in SERVICE_PORTS},
    }
    return {f"TAPELOG_{key.upper()}": str(value) for key, value in values.items()}


def _make_broker(folder: Path, made: Made, choices: Choices, store_bytes: int | None) -> None:
    identity = NatsIdentity.create(folder)
    pinned_file = folder / "nats" / "pinned.json"
    pinned = Pinned.load(pinned_file, port=choices.nats_port, store_bytes=store_bytes)
    if store_bytes not in (None, pinned.store_bytes):
        raise ConfigRefusal(
            f"the store of {folder} was sized to {pinned.store_bytes} bytes and its streams with it, so it cannot "
            f"become {store_bytes}: leave the size out, or make a new folder"
        )
    pinned.save(pinned_file)
    place = IN_CONTAINERS
    if choices.form == "processes":
        place = StandalonePlace(
            listen=f"127.0.0.1:{choices.nats_port}",
            monitor=f"127.0.0.1:{choices.monitor_port}",
            store_dir=folder / "state" / "broker",
            certificate=folder / "tls" / "nats.pem",
            key=folder / "tls" / "nats.key",
            client_ca=folder / "tls" / "ca.pem",
        )
    config = render_standalone_config(place, store_bytes=pinned.store_bytes)
    _write(folder, "nats/nats.conf", config, made)
    if choices.form == "containers":
        clustered = render_standalone_config(place, store_bytes=pinned.store_bytes, cluster=IN_CLUSTER)
        _write(folder, "nats/cluster.conf", clustered, made)
    _write(folder, "nats/trust.conf", render_trust(identity.make_trust(storage_bytes=pinned.store_bytes)), made)
    for name, permissions in SERVICES.items():
        path = f"creds/{name}.creds"
        if (folder / path).exists():
            made.note(path, is_new=False)
        else:
            _write(folder, path, identity.mint_user(name, permissions), made)


def _revoke_users(folder: Path, made: Made, names: Iterable[str]) -> None:
    """Let the broker know these users no more; the creds of parts are taken away, for new ones to be made."""
    users = []
    for name in names:
        creds = folder / "creds" / f"{name}.creds"
        if is_user_key(name):
            users.append(name)
        elif name in SERVICES and creds.exists():
            users.append(user_key_of(creds.read_text()))
    if not users:
        return
    keys = folder / "keys"
    revoke_users(keys, users)
    made.note(f"keys/{REVOKED_USERS_FILE}", is_new=True)
    for name in names:
        if name in SERVICES:
            (folder / "creds" / f"{name}.creds").unlink(missing_ok=True)


def _make_issuer(folder: Path, made: Made) -> None:
    is_new = not (folder / "identity" / KEY_FILE).exists()
    LocalIssuer.open(folder / "identity", create=True)
    revoked = folder / "identity" / REVOKED_PARTIES_FILE
    if not revoked.exists():
        Revocations().write(revoked)
    made.note("identity", is_new=is_new)


def _make_certificates(folder: Path, made: Made, *, clients: Iterable[str], revoke: Iterable[str]) -> None:
    is_new = not (folder / "tls" / AUTHORITY_KEY_FILE).exists()
    authority = PrivateAuthority.open(folder / "tls")
    made.note("tls/ca.pem", is_new=is_new)
    had = [path.stem for path in sorted((folder / "tls" / CLIENTS_FOLDER).glob("*.pem"))]
    gone = {name.partition("/")[2] for name in revoke if name.startswith(f"{CLIENTS_FOLDER}/")}
    for name in revoke:
        authority.revoke(name)
        made.note(f"tls/{REVOKED_FILE}", is_new=True)
    for name in ("nats", *SERVICE_PORTS, "console", *WITHOUT_PORT):
        hosts = (name, *LOOPBACK_HOSTS, *(BROKERS if name == "nats" else ()))
        made.note(f"tls/{name}.pem", is_new=authority.issue(name, hosts))
    for name in dict.fromkeys((*([] if DESK in gone else [DESK]), *(set(had) - gone), *clients)):
        made.note(f"tls/{CLIENTS_FOLDER}/{name}.pem", is_new=authority.issue_client(name))
    pinned = [
        *(folder / "tls" / f"{name}.pem" for name in BROKER_USERS),
        *(folder / "tls" / CLIENTS_FOLDER).glob("*.pem"),
    ]
    _write(folder, f"nats/{PINNED_FILE}", render_pinned(map(public_key_fingerprint, pinned)), made)


def _write(folder: Path, name: str, text: str, made: Made) -> None:
    write_private(folder / name, text.encode())
    made.note(name, is_new=True)


def _env_text(environment: Mapping[str, str]) -> str:
    return "".join(f"{key}={shlex.quote(value)}\n" for key, value in environment.items())
