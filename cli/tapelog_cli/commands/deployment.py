"""`tapelog broker-init` and `tapelog provision`: for parts that run as processes or containers of their own."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from cyclopts import Parameter

from tapelog_cli.errors import CliError
from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import Json


class BrokerUnreachable(CliError):  # noqa: N818 - names a state
    """The broker did not answer, or refused these creds."""

    code: ClassVar[ExitCode] = ExitCode.UNAVAILABLE


def broker_init(
    *,
    out: Annotated[Path, Parameter(help="Folder to make; it holds every key, so keep it private and backed up.")],
    form: Annotated[
        Literal["containers", "processes"] | None,
        Parameter(help="What the parts run as. Default: as before, at first containers."),
    ] = None,
    nats_port: Annotated[
        int | None, Parameter(help="Port of the broker, for processes. Default: as before, at first 4222.")
    ] = None,
    monitor_port: Annotated[
        int | None, Parameter(help="Port of the broker's monitoring page on loopback. Default: at first 8222.")
    ] = None,
    store_bytes: Annotated[
        int | None, Parameter(help="Size limit of all streams, kept for good. Default: 70 % of the free disk.")
    ] = None,
    client: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="Desk or tool to make a certificate for, besides `desk`; may be given again."),
    ] = (),
    revoke: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            help=(
                "What is to count no more: a part's certificate and creds (render), a client's certificate "
                "(clients/desk), a user of the broker by its public key (U…); may be given again."
            ),
        ),
    ] = (),
    json: Json = False,
) -> int:
    """Make keys, credentials, certificates and the broker's configuration for parts that run on their own."""
    from tapelog_cli.installation.deployment_folder import make_deployment
    from tapelog_cli.printed.output import out as console
    from tapelog_cli.printed.output import print_json

    made = make_deployment(
        out.absolute(),
        form=form,
        nats_port=nats_port,
        monitor_port=monitor_port,
        store_bytes=store_bytes,
        clients=client,
        revoke=revoke,
    )
    if json:
        print_json({"folder": str(out.absolute()), "written": made.written, "kept": made.kept})
        return ExitCode.OK
    written = ", ".join(made.written) if made.written else "nothing"
    console().print(f"wrote {written}", soft_wrap=True, highlight=False)
    console().print(f"kept {len(made.kept)} files that were there", highlight=False)
    return ExitCode.OK


async def provision(
    *,
    nats_url: Annotated[str, Parameter(env_var="TAPELOG_NATS_URL", help="The broker, such as tls://127.0.0.1:4222.")],
    creds: Annotated[Path, Parameter(env_var="TAPELOG_NATS_CREDS", help="Creds file of the `admin` user.")],
    tls_ca: Annotated[
        Path | None, Parameter(env_var="TAPELOG_NATS_TLS_CA", help="PEM authorities of the broker.")
    ] = None,
    certificate: Annotated[
        Path | None, Parameter(env_var="TAPELOG_CLIENT_CERTIFICATE", help="PEM certificate to show to the broker.")
    ] = None,
    key: Annotated[Path | None, Parameter(env_var="TAPELOG_CLIENT_KEY", help="PEM private key of it.")] = None,
    store_bytes: Annotated[
        int | None, Parameter(help="Byte budget of all streams. Default: what the broker allows its account.")
    ] = None,
    replicas: Annotated[int, Parameter(help="Copies of each stream: 1, or 3 in a cluster.")] = 1,
    json: Json = False,
) -> int:
    """Create the streams and consumers that are missing, and check the others; nothing is ever edited."""
    from tapelog_chassis.nats import Unreachable, allowed_store_bytes, connected
    from tapelog_chassis.nats import provision as provision_topology
    from tapelog_chassis.observability.logs import configure_logs
    from tapelog_chassis.rpc.grpc_options import CertificatePair
    from tapelog_chassis.topology import CONSUMERS, STREAMS

    from tapelog_cli.printed.output import out, print_json

    configure_logs("error")
    if not creds.is_file():
        raise CliError(f"there is no creds file {creds}", hint="`tapelog broker-init` makes creds/admin.creds")
    if (certificate is None) != (key is None):
        raise CliError("a certificate and its key belong together", hint="give --certificate and --key, or neither")
    pair = None if certificate is None or key is None else CertificatePair(certificate, key)
    try:
        async with connected(nats_url, name="admin", creds=creds, tls_ca=tls_ca, tls_pair=pair) as admin:
            # Each copy counts in what the account may store.
            budget_bytes = store_bytes or await allowed_store_bytes(admin) // replicas
            await provision_topology(admin, store_bytes=budget_bytes, replicas=replicas)
    except Unreachable as failure:
        raise BrokerUnreachable(str(failure), hint="start the broker first, and use its admin.creds") from failure
    if json:
        print_json({"streams": len(STREAMS), "consumers": len(CONSUMERS), "store_bytes": budget_bytes})
    else:
        out().print(f"{len(STREAMS)} streams and {len(CONSUMERS)} consumers stand, in {budget_bytes:,} bytes")
    return ExitCode.OK
