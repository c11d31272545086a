"""The render service's composition root: what runs, and what it is connected to."""

import asyncio
from functools import partial
from typing import Final

from tapelog.render.v1.render_service_pb2_grpc import add_RenderServiceServicer_to_server
from tapelog_chassis.anchors import LogGuard
from tapelog_chassis.audit import AuditLog
from tapelog_chassis.auth import TokenVerifier
from tapelog_chassis.clock import SystemClock
from tapelog_chassis.event_log import JetStreamEventLog
from tapelog_chassis.lifecycle import Ready
from tapelog_chassis.nats import connected
from tapelog_chassis.observability.exposition import Sample, exposing
from tapelog_chassis.observability.health import keep_health, store_probe
from tapelog_chassis.observability.health_intact import keep_intact
from tapelog_chassis.observability.health_lag import Follower, keep_current
from tapelog_chassis.observability.samples import consumers_of, lag_of
from tapelog_chassis.rpc.grpc_server import build_server
from tapelog_client.channel import open_channel
from tapelog_dsp.version import ENGINE_VERSION

from tapelog_render.adapters.feeds import feed_dead_letters, feed_ledger
from tapelog_render.adapters.grpc_servicer import RenderServicer
from tapelog_render.adapters.job_queue import JetStreamJobQueue
from tapelog_render.adapters.policies import POLICIES, SERVICE
from tapelog_render.adapters.session_permissions import SessionPermissions
from tapelog_render.adapters.session_registry import SessionRegistry
from tapelog_render.adapters.signals import NatsProgressBoard
from tapelog_render.adapters.worker_pool import WorkerPool
from tapelog_render.application.asking.room import Submission
from tapelog_render.application.events import RENDER, Repositories
from tapelog_render.application.job_figures import count_change, sample_jobs
from tapelog_render.application.job_index import JobIndex
from tapelog_render.application.queries import Reader
from tapelog_render.application.queueing.deadlines import expire_forever
from tapelog_render.application.queueing.reconcile import reconcile_forever, requeue_jobs_of
from tapelog_render.application.usage.billing import Billing
from tapelog_render.application.usage.books import Books
from tapelog_render.application.usage.ledger import UsageLedger
from tapelog_render.settings import RenderSettings, WorkerSettings

AUDIENCE: Final = "render"
"""Tokens for this service name it."""
CONTEXTS: Final = ("render", "usage")
"""The logs that this service and its workers write."""


async def run(settings: RenderSettings, *, ready: Ready, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain: calls finish, workers finish or give back their jobs."""
    clock = SystemClock()
    verifier = TokenVerifier.from_file(settings.key_set_path, audience=AUDIENCE)
    async with (
        connected(
            settings.nats_url,
            name="render",
            creds=settings.nats_creds,
            tls_ca=settings.nats_tls_ca,
            tls_pair=settings.client_pair,
        ) as connection,
        NatsProgressBoard(connection) as progress,
        open_channel(
            settings.session_address, tls_ca=settings.session_tls_ca, certificate=settings.client_pair
        ) as session,
    ):
        stored = JetStreamEventLog(connection)
        guard = LogGuard(
            stored,
            settings.anchors_at,
            CONTEXTS,
            key_folder=settings.anchor_keys_at,
            scan_every_s=settings.scan_every_s,
        )
        await guard.check()
        log = guard.log
        repositories = Repositories.on(log, clock=clock)
        ledger = UsageLedger(repositories)
        index = JobIndex(log, on_ended=progress.forget, on_changed=count_change)
        queue = JetStreamJobQueue(
            connection,
            lease_s=settings.job_lease_s,
            running_max=settings.tenant_running_max,
            deliveries_max=settings.job_deliveries_max,
        )
        samples: list[Sample] = [
            partial(sample_jobs, index, queue, clock),
            consumers_of(connection, "render"),
            lag_of("jobs", log, RENDER, lambda: index.position),
        ]
        permissions = SessionPermissions(session)
        submission = Submission(
            repositories=repositories,
            ledger=ledger,
            queue=queue,
            permissions=permissions,
            engine_version=ENGINE_VERSION,
            tenant_bytes_max=settings.tenant_quota_gib * 2**30,
            queue_depth_max=settings.queue_depth_max,
            tenant_queue_depth_max=settings.tenant_queue_depth_max,
            reuse_results=settings.reuse_results,
            index=index,
            registry=SessionRegistry(session),
            clock=clock,
        )
        reader = Reader(repositories, index, progress, permissions, ENGINE_VERSION)
        billing = Billing(Books(log), repositories, permissions, clock)
        server = build_server(
            settings.server_config(),
            [(add_RenderServiceServicer_to_server, RenderServicer(submission, reader, queue, billing), SERVICE)],
            verifier=verifier,
            policies=POLICIES,
            audit=AuditLog(settings.audit_at, settings.anchors_at, AUDIENCE),
        )
        workers = WorkerPool(
            settings.workers,
            worker_environment(settings),
            drain_s=settings.worker_drain_s,
            on_death=partial(requeue_jobs_of, index, queue),
        )
        caught_up = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            followers = [
                group.create_task(index.follow(caught_up), name="job index"),
                group.create_task(guard.run(), name="log guard"),
            ]
            await caught_up.wait()
            followers += [
                group.create_task(
                    keep_health(
                        server,
                        store_probe(connection, RENDER),
                        failing_s=settings.health_failing_s,
                        unanswered_since_s=stored.gate.unanswered_since_s,
                    ),
                    name="health",
                ),
                group.create_task(
                    keep_current(server, log, [Follower("jobs", RENDER, lambda: index.position)]), name="current"
                ),
                group.create_task(keep_intact(server, guard.foreign.values()), name="intact"),
                group.create_task(feed_ledger(connection, ledger), name="usage ledger"),
                group.create_task(expire_forever(index, repositories.jobs, queue, clock), name="deadlines"),
                group.create_task(feed_dead_letters(connection, repositories.jobs), name="dead letters"),
                group.create_task(
                    reconcile_forever(
                        index, queue, clock, every_s=settings.reconcile_every_s, grace_s=settings.reconcile_grace_s
                    ),
                    name="reconciler",
                ),
            ]
            async with asyncio.TaskGroup() as children:
                if settings.spawn_workers:
                    children.create_task(workers.run(stop), name="worker pool")
                async with exposing(settings, samples) as metrics, server:
                    ready(address=server.address, workers=workers, metrics=metrics)
                    await stop.wait()
            for follower in followers:
                follower.cancel()


def worker_environment(settings: RenderSettings) -> dict[str, str]:
    """Return the settings of a worker as environment variables; several cannot have the same port for metrics."""
    values = {name: getattr(settings, name) for name in WorkerSettings.model_fields if name != "metrics_port"}
    values["nats_creds"] = settings.worker_nats_creds or settings.nats_creds
    return {f"TAPELOG_{name.upper()}": str(value) for name, value in values.items() if value is not None}
