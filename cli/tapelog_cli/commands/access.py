"""`tapelog access …`: who is let in no more, and the keys that tokens are signed with."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, Tenant, data_dir_or_default

Party = Annotated[str, Parameter(help="Party id, such as pty-ana.")]
Revoked = Annotated[str, Parameter(help="Party id, such as pty-ana, or a broker user's public key, U….")]


def revoke(party: Revoked, *, tenant: Tenant = "local", data_dir: DataDir = None, json: Json = False) -> int:
    """Let a party in no more, nor anybody who acts for it, or a user of the broker: within 2 s, open streams too."""
    from tapelog_chassis.nats.revoked import is_user_key

    if is_user_key(party):
        return _revoke_user(party, data_dir_or_default(data_dir), as_json=json)
    return _change(party, tenant, _identity(data_dir), is_revoked=True, as_json=json)


def restore(party: Party, *, tenant: Tenant = "local", data_dir: DataDir = None, json: Json = False) -> int:
    """Let a party in again."""
    return _change(party, tenant, _identity(data_dir), is_revoked=False, as_json=json)


def rotate_key(
    *,
    of: Annotated[
        Literal["tokens", "anchors", "broker"],
        Parameter(help="What is signed: tokens at any time; anchors and the broker's users while it stands still."),
    ] = "tokens",
    retire: Annotated[
        bool, Parameter(negative="", help="End the tokens of all earlier keys now, and make no new key.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> int:
    """Sign with a new key: tokens (those of the last count on, until --retire), anchors, or users of the broker."""
    from tapelog_chassis.auth.issuer import retire_keys
    from tapelog_chassis.auth.issuer import rotate_key as rotate

    from tapelog_cli.errors import UsageError
    from tapelog_cli.key_rotation import rotate_anchor_keys, rotate_broker_keys
    from tapelog_cli.printed.output import print_json

    folder = data_dir_or_default(data_dir)
    if retire and of != "tokens":
        raise UsageError(f"--retire is for tokens: the keys of {of} that were replaced count no more")
    if of == "tokens":
        key = (retire_keys if retire else rotate)(_identity(data_dir))
        told = f"tokens are signed with {key}{'; no other key counts' if retire else ''}"
    elif of == "anchors":
        key = ", ".join(rotate_anchor_keys(folder))
        told = f"the anchors of {key} are signed with new keys; keep copies of *.pub.pem and *.handovers.json elsewhere"
    else:
        key, then = rotate_broker_keys(folder)
        told = f"the broker's operator is {key}; {then}"
    if json:
        print_json({"of": of, "key": key, "retired_others": retire or of != "tokens"})
    else:
        sys.stdout.write(f"{told}\n")
    return ExitCode.OK


def _identity(data_dir: Path | None) -> Path:
    from tapelog_chassis.auth.issuer import KEY_FILE

    from tapelog_cli.errors import UsageError

    folder = data_dir_or_default(data_dir) / "identity"
    if not (folder / KEY_FILE).exists():
        raise UsageError(f"{folder} has no issuer key", hint="name the folder of `tapelog up` or of `broker-init`")
    return folder


def _revoke_user(user: str, folder: Path, *, as_json: bool) -> int:
    """Revoke a user of the broker that runs in a data folder, which takes it by itself."""
    from tapelog_chassis.nats.revoked import revoke_users

    from tapelog_cli.errors import UsageError
    from tapelog_cli.printed.output import print_json

    keys = folder / "nats" / "keys"
    if not keys.is_dir():
        raise UsageError(
            f"{folder} has no broker of its own",
            hint=f"with `broker-init`: tapelog broker-init --out {folder} --revoke",
        )
    count = len(revoke_users(keys, [user]))
    if as_json:
        print_json({"user": user, "revoked": True, "revoked_users": count})
    else:
        sys.stdout.write(f"the broker lets {user} in no more\n")
    return ExitCode.OK


def _change(party: str, tenant: str, identity: Path, *, is_revoked: bool, as_json: bool) -> int:
    from tapelog_chassis.auth.revocations import REVOKED_FILE, Revocations
    from tapelog_chassis.ids import ID_PATTERN

    from tapelog_cli.errors import UsageError
    from tapelog_cli.printed.output import print_json

    for option, name in (("party", party), ("--tenant", tenant)):
        if ID_PATTERN.fullmatch(name) is None:
            raise UsageError(f"{option} {name[:64]!r} is not an id", hint="1 to 32 of a-z, 0-9 and hyphen")
    path = identity / REVOKED_FILE
    known = Revocations.read(path)
    (known.with_party if is_revoked else known.without_party)(tenant, party).write(path)
    if as_json:
        print_json({"tenant": tenant, "party": party, "revoked": is_revoked})
    else:
        sys.stdout.write(f"{party} of {tenant} is {'revoked' if is_revoked else 'let in'}\n")
    return ExitCode.OK
