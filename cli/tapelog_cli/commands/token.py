"""`tapelog token`."""

import sys
from typing import Annotated

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, Tenant, data_dir_or_default


def token(
    party: Annotated[str, Parameter(help="Party id of who will call.")],
    *,
    tenant: Tenant = "local",
    kind: Annotated[str, Parameter(help="person, or integration (a program that acts for a person).")] = "person",
    tenant_role: Annotated[
        list[str] | None, Parameter(help="Role in the whole tenant, such as AUDITOR; may be given again.")
    ] = None,
    lifetime_s: Annotated[int, Parameter(help="Seconds it is good for, at most 900.")] = 900,
    data_dir: DataDir = None,
    json: Json = False,
) -> int:
    """Mint a token with the data folder's key and print it; whoever has it acts as that party until it expires."""
    from tapelog_chassis.auth import LocalIssuer
    from tapelog_chassis.auth.issuer import LIFETIME_S_MAX
    from tapelog_chassis.ids import ID_PATTERN
    from tapelog_client.tokens import AUDIENCES

    from tapelog_cli.errors import UsageError
    from tapelog_cli.printed.output import print_json

    if kind not in ("person", "integration"):
        raise UsageError(f"--kind {kind!r} is not person or integration", hint="services mint their own tokens")
    for option, name in (("party", party), ("--tenant", tenant)):
        if ID_PATTERN.fullmatch(name) is None:
            raise UsageError(
                f"{option} {name[:64]!r} is not an id", hint="1 to 32 of a-z, 0-9 and hyphen, beginning with a letter"
            )
    if not 0 < lifetime_s <= LIFETIME_S_MAX:
        raise UsageError(f"--lifetime-s {lifetime_s} is outside 1 to {LIFETIME_S_MAX}")
    issuer = LocalIssuer.open(data_dir_or_default(data_dir) / "identity")
    minted = issuer.mint(
        audiences=AUDIENCES,
        tenant=tenant,
        party=party,
        kind="integration" if kind == "integration" else "person",
        tenant_roles=tenant_role or (),
        lifetime_s=lifetime_s,
    )
    if json:
        print_json({"token": minted, "tenant": tenant, "party": party, "expires_in_s": lifetime_s})
    else:
        sys.stdout.write(minted + "\n")
    return ExitCode.OK
