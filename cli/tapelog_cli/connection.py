"""How a command reaches Tapelog and as whom: the `tapelog up` of a folder, or services elsewhere by address or profile.

Commands take a `Connection` as their parameter, which gives them all its options, and open it:

    async def show(name: str, *, connection: Connection, json: Json = False) -> int:
        async with connection.open(default_roles=("AUDITOR",)) as api:
            ...
"""

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from cyclopts import Parameter

from tapelog_cli.errors import CliError, UsageError
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import data_dir_or_default

if TYPE_CHECKING:
    from tapelog_chassis.rpc.grpc_options import CertificatePair
    from tapelog_client import Tapelog
    from tapelog_client.tokens import TokenSource

SERVICES: Final = ("session", "render", "notify")
TOKEN_VARIABLE: Final = "TAPELOG_TOKEN"  # noqa: S105 - the name of a variable
PROFILES_VARIABLE: Final = "TAPELOG_PROFILES"
TENANT_DEFAULT: Final = "local"
KEYS: Final = frozenset(
    {*SERVICES, "party", "tenant", "tenant_roles", "token_file", "tls_ca", "certificate", "key", "data_dir"}
)


class ProfileRefused(CliError):  # noqa: N818 - names a state
    """The profile that was named cannot be used."""

    code: ClassVar[ExitCode] = ExitCode.CONFIG


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Connection:
    """
    Where to and as whom; what an option says goes before what the profile says.

    Without a server the data folder's `tapelog up` is meant, and its key signs. With one, the caller brings a token: in
    the variable TAPELOG_TOKEN, or in the file that the profile names.
    """

    party: Annotated[
        str, Parameter(show_default=False, name="--as", env_var="TAPELOG_PARTY", help="Party id of who asks.")
    ] = ""
    tenant: Annotated[
        str,
        Parameter(
            show_default=False, name="--tenant", env_var="TAPELOG_TENANT", help="Studio or label. Default: local."
        ),
    ] = ""
    tenant_role: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False, name="--tenant-role", negative=(), help="Role in the whole tenant; may be given again."
        ),
    ] = ()
    data_dir: Annotated[
        Path | None,
        Parameter(
            show_default=False,
            name="--data-dir",
            env_var="TAPELOG_DATA_DIR",
            help="Folder of the running `tapelog up`. Default: ./tapelog-data",
        ),
    ] = None
    server: Annotated[
        tuple[str, ...],
        Parameter(
            show_default=False,
            name="--server",
            negative=(),
            help="Service elsewhere, such as notify=host:7103; may be given again. Needs TAPELOG_TOKEN.",
        ),
    ] = ()
    profile: Annotated[
        str,
        Parameter(
            show_default=False,
            name="--profile",
            env_var="TAPELOG_PROFILE",
            help="Section of ~/.config/tapelog/profiles.toml (or of the file TAPELOG_PROFILES).",
        ),
    ] = ""

    def open(self, *, default_roles: Iterable[str] = ()) -> "Tapelog":
        """Return a client, to be entered with `async with`; `default_roles` where nobody named any."""
        from tapelog_client import Tapelog

        known = self._profile()
        addresses = {service: str(known.get(service, "")) for service in SERVICES} | self._servers()
        if any(addresses.values()):
            tls_ca = known.get("tls_ca")
            return Tapelog.connect(
                **addresses,
                tokens=self._tokens(known),
                tls_ca=Path(tls_ca).expanduser() if tls_ca else None,
                certificate=_certificate(known),
            )
        party = self.party or str(known.get("party", ""))
        if not party:
            raise UsageError("nobody is named to ask", hint="say who with --as PARTY, or set TAPELOG_PARTY")
        roles = self.tenant_role or tuple(known.get("tenant_roles", ())) or tuple(default_roles)
        folder = self.data_dir or (Path(known["data_dir"]).expanduser() if "data_dir" in known else None)
        tenant = self.tenant or str(known.get("tenant", TENANT_DEFAULT))
        return Tapelog.local(data_dir_or_default(folder), party=party, tenant=tenant, tenant_roles=roles)

    def _servers(self) -> dict[str, str]:
        found = {}
        for text in self.server:
            service, _, address = text.partition("=")
            if service not in SERVICES or not address:
                raise UsageError(f"--server {text!r} is not of the form notify=host:port", hint="one of " + _listed())
            found[service] = address
        return found

    def _tokens(self, known: Mapping[str, Any]) -> "TokenSource":
        from tapelog_client.tokens import API_KEY_PREFIX, ApiKeyTokenSource, StaticTokenSource

        token = os.environ.get(TOKEN_VARIABLE, "")
        if not token and (file := known.get("token_file")):
            try:
                token = Path(file).expanduser().read_text().strip()
            except OSError as error:
                raise ProfileRefused(f"the token cannot be read: {error}", hint="check token_file") from error
        if not token:
            raise UsageError(
                "services elsewhere need a token", hint=f"set {TOKEN_VARIABLE}, or token_file in the profile"
            )
        return ApiKeyTokenSource(token) if token.startswith(API_KEY_PREFIX) else StaticTokenSource(token)

    def _profile(self) -> Mapping[str, Any]:
        if not self.profile:
            return {}
        path = profiles_file()
        try:
            sections = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise ProfileRefused(f"{path} cannot be read: {error}", hint="make it, or leave --profile out") from error
        found = sections.get(self.profile)
        if not isinstance(found, dict):
            raise ProfileRefused(
                f"{path} has no section [{self.profile}]", hint="it has " + (", ".join(sections) or "none")
            )
        if wrong := found.keys() - KEYS:
            raise ProfileRefused(
                f"[{self.profile}] has {', '.join(sorted(wrong))}", hint="known are " + ", ".join(sorted(KEYS))
            )
        return found


def _certificate(known: Mapping[str, Any]) -> "CertificatePair | None":
    """Return the certificate that a profile names for services that ask for one."""
    from tapelog_chassis.rpc.grpc_options import CertificatePair

    if not known.keys() & {"certificate", "key"}:
        return None
    if not known.keys() >= {"certificate", "key"}:
        raise ProfileRefused("certificate and key belong together", hint="name both in the profile, or neither")
    return CertificatePair(Path(known["certificate"]).expanduser(), Path(known["key"]).expanduser())


def profiles_file() -> Path:
    """Return where profiles are."""
    named = os.environ.get(PROFILES_VARIABLE)
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME")
    return (Path(home) if home else Path.home() / ".config") / "tapelog" / "profiles.toml"


def _listed() -> str:
    return ", ".join(SERVICES)
