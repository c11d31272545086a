"""Collect garbage in the object store: `python -m tapelog_render.collect`; without `--delete` it only says what is.

It reads every log with the broker's administrator credentials, and the object store of the settings.
"""

import argparse
import asyncio
import sys
from datetime import timedelta
from typing import Final

from tapelog_chassis.clock import SystemClock
from tapelog_chassis.event_log import EventLogError, JetStreamEventLog
from tapelog_chassis.nats import connected
from tapelog_chassis.objects import ObjectStore, ObjectStoreUnavailableError

from tapelog_render.application.garbage import (
    GRACE,
    PREVIEWS_KEPT,
    Collected,
    UnknownEvent,
    collect,
)
from tapelog_render.settings import WorkerSettings

EXIT_FAILED: Final = 1
LISTED_MAX: Final = 100
"""Objects that are printed one by one."""


async def run(settings: WorkerSettings, *, grace: timedelta, previews_kept: timedelta, delete: bool) -> Collected:
    """Collect once; raises as `collect`."""
    async with connected(
        settings.nats_url, name="admin", creds=settings.nats_creds, tls_ca=settings.nats_tls_ca
    ) as connection:
        return await collect(
            JetStreamEventLog(connection),
            ObjectStore(settings.objects_at),
            now=SystemClock().now(),
            grace=grace,
            previews_kept=previews_kept,
            dry_run=not delete,
        )


def report_text(report: Collected, *, delete: bool) -> str:
    """Return what a person should know."""
    lines = [f"{found.sha256}  {found.size_bytes}  {found.stored_at:%Y-%m-%d}" for found in report.garbage[:LISTED_MAX]]
    if len(report.garbage) > LISTED_MAX:
        lines.append(f"... and {len(report.garbage) - LISTED_MAX} more")
    lines.append(f"{report.objects} objects, {report.bytes} bytes are stored")
    verb = f"{report.removed} removed" if delete else "nothing removed: a dry run (--delete removes)"
    lines.append(f"{len(report.garbage)} of them, {report.garbage_bytes} bytes, are named by nothing; {verb}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="tapelog_render.collect", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--delete", action="store_true", help="remove what is found")
    parser.add_argument(
        "--grace-hours", type=float, default=GRACE / timedelta(hours=1), help="age of what is looked at"
    )
    parser.add_argument(
        "--previews-days", type=float, default=PREVIEWS_KEPT / timedelta(days=1), help="how long previews are kept"
    )
    arguments = parser.parse_args()
    try:
        report = asyncio.run(
            run(
                WorkerSettings(),
                grace=timedelta(hours=arguments.grace_hours),
                previews_kept=timedelta(days=arguments.previews_days),
                delete=arguments.delete,
            )
        )
    except (UnknownEvent, EventLogError, ObjectStoreUnavailableError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    sys.stdout.write(report_text(report, delete=arguments.delete))
    return 0


if __name__ == "__main__":
    sys.exit(main())
