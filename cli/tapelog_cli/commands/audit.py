"""`tapelog audit …`: who asked for what, and whether they got it."""

from collections import deque
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter

from tapelog_cli.exit_codes import ExitCode
from tapelog_cli.options import DataDir, Json, data_dir_or_default

if TYPE_CHECKING:
    from tapelog_chassis.audit.record import Line

LINES: Final = 100
LINES_MAX: Final = 100_000


def show(
    *,
    who: Annotated[str, Parameter(help="Party that called, or for whom was called.")] = "",
    rpc: Annotated[str, Parameter(help="A part of the RPC's full name, such as ApproveVersion.")] = "",
    resource: Annotated[str, Parameter(help="What the resource's name begins with, such as projects/prj-1.")] = "",
    denied: Annotated[bool, Parameter(negative="", help="Show refusals alone.")] = False,
    since: Annotated[str, Parameter(help="RFC 3339, such as 2026-06-01 or 2026-06-01T12:00Z.")] = "",
    limit: Annotated[int, Parameter(help="How many of the newest lines of each service, at most 100,000.")] = LINES,
    data_dir: DataDir = None,
    json: Json = False,
) -> int:
    """Show the newest records of access of each service, running or stopped."""
    from tapelog_chassis.audit import read_audit, services_of

    from tapelog_cli.errors import UsageError
    from tapelog_cli.printed.output import out, print_json, table

    if not 1 <= limit <= LINES_MAX:
        raise UsageError(f"--limit {limit} is outside 1 to {LINES_MAX}")
    folder = data_dir_or_default(data_dir)
    found: dict[str, deque[Line]] = {}
    for service in services_of(folder / "audit", folder / "anchors"):
        found[service] = deque(maxlen=limit)
        for line in read_audit(folder / "audit", service):
            is_wanted = (
                (not who or who in (line.party, line.on_behalf_of))
                and rpc in line.rpc
                and line.resource.startswith(resource)
                and (not denied or line.decision == "deny")
                and line.time >= since
            )
            if is_wanted:
                found[service].append(line)
    if json:
        print_json([{"service": name, **_as_dict(line)} for name, lines in found.items() for line in lines])
        return ExitCode.OK
    rows = table("time", "service", "who", "for", "rpc", "resource", "decision")
    for name, lines in found.items():
        for line in lines:
            decision = f"{line.decision} {line.reason}".strip() or f"{line.kind} {line.lost or ''}".strip()
            rpc_name = line.rpc.rpartition("/")[2]
            rows.add_row(line.time, name, line.party, line.on_behalf_of, rpc_name, line.resource, decision)
    out().print(rows)
    return ExitCode.OK


def verify(*, data_dir: DataDir = None, json: Json = False) -> int:
    """Check that no record of access was edited, removed, moved or added; say what is wrong, change nothing."""
    from tapelog_chassis.audit import services_of, verify_audit

    from tapelog_cli.printed.output import out, print_json

    folder = data_dir_or_default(data_dir)
    audit, anchors = folder / "audit", folder / "anchors"
    reports = [verify_audit(audit, anchors, service) for service in services_of(audit, anchors)]
    if json:
        print_json([asdict(report) for report in reports])
    else:
        for report in reports:
            count = report.last - report.first + 1 if report.last else 0
            lost = f", {report.lost} were lost and counted" if report.lost else ""
            out().print(f"{report.service}: {count:,} records{lost}", highlight=False)
            for line in report.wrong:
                out().print(f"  {line}", markup=False, soft_wrap=True)
        if not reports:
            out().print(f"there is no audit in {audit}", highlight=False, soft_wrap=True)
    return ExitCode.FAILURE if any(report.wrong for report in reports) else ExitCode.OK


def _as_dict(line: "Line") -> dict[str, object]:
    import msgspec

    return {name: value for name, value in msgspec.structs.asdict(line).items() if value not in ("", 0)}
