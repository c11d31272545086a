"""`tapelog sign-in`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, Tenant, data_dir_or_default


def sign_in(
    party: Annotated[str, Parameter(help="Party id of who signs in.")],
    *,
    tenant: Tenant = "local",
    tenant_role: Annotated[
        list[str] | None, Parameter(help="Role in the whole tenant, such as AUDITOR; may be given again.")
    ] = None,
    identity: Annotated[
        Path | None,
        Parameter(help="Folder of the issuer's key, for a console that runs on its own: deployment/identity."),
    ] = None,
    url: Annotated[str, Parameter(help="Address of that console, such as https://localhost:7104.")] = "",
    data_dir: DataDir = None,
    json: Json = False,
) -> int:
    """Print a link that signs a person in to the review page; it works once, within fifteen minutes.

    Of the running `tapelog up`; or, with `--identity` and `--url`, of a console that runs as a process or a container
    of its own.
    """
    from tapelog_chassis.ids import ID_PATTERN
    from tapelog_client.local import StackState
    from tapelog_console.identity.sign_in import sign_in_link

    from tapelog_cli.errors import UsageError
    from tapelog_cli.printed.output import print_json

    for option, name in (("party", party), ("--tenant", tenant)):
        if ID_PATTERN.fullmatch(name) is None:
            raise UsageError(
                f"{option} {name[:64]!r} is not an id", hint="1 to 32 of a-z, 0-9 and hyphen, beginning with a letter"
            )
    if (identity is None) != (not url):
        raise UsageError("--identity and --url belong together", hint="leave both out for the running `tapelog up`")
    if identity is None:
        state = StackState.read(data_dir_or_default(data_dir))
        identity, url = Path(state.identity_dir), state.console
    link = sign_in_link(identity, url.rstrip("/"), tenant=tenant, party=party, tenant_roles=tuple(tenant_role or ()))
    if json:
        print_json({"link": link, "tenant": tenant, "party": party})
    else:
        sys.stdout.write(link + "\n")
    return ExitCode.OK
