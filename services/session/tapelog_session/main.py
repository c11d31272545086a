"""The session service's composition root: what runs, and what it is connected to."""

from __future__ import annotations

import asyncio
import gc
from typing import Final

from nats.aio.client import Client
from tapelog.session.v1.session_service_pb2_grpc import add_SessionServiceServicer_to_server
from tapelog_chassis.aggregates.freshness import Freshness
from tapelog_chassis.anchors import LogGuard
from tapelog_chassis.audit import AuditLog
from tapelog_chassis.auth import LocalIssuer, TokenVerifier
from tapelog_chassis.clock import SystemClock
from tapelog_chassis.event_log import JetStreamEventLog, JetStreamSnapshotStore, SharedTail
from tapelog_chassis.lifecycle import Ready
from tapelog_chassis.nats import connected
from tapelog_chassis.objects import ObjectStore
from tapelog_chassis.observability import tracing
from tapelog_chassis.observability.exposition import exposing
from tapelog_chassis.observability.health import keep_health, store_probe
from tapelog_chassis.observability.health_intact import keep_intact
from tapelog_chassis.observability.health_lag import Follower, keep_current
from tapelog_chassis.observability.samples import consumers_of, disk_of, lag_of
from tapelog_chassis.rpc.grpc_server import build_server
from tapelog_chassis.unfinished import UnfinishedUploads
from tapelog_client.channel import open_channel

from tapelog_session.adapters import feeds
from tapelog_session.adapters.feeds import DeliveryStep
from tapelog_session.adapters.grpc_api_keys import IssuedTokens
from tapelog_session.adapters.grpc_common import Desk
from tapelog_session.adapters.parties import JetStreamParties
from tapelog_session.adapters.policies import AUDIENCE, POLICIES, SERVICE
from tapelog_session.adapters.render_client import GrpcRenderJobs
from tapelog_session.adapters.servicer import SessionServicer
from tapelog_session.adapters.targets import known_targets
from tapelog_session.application.aggregates import CONTEXT, EVENTS, Aggregates
from tapelog_session.application.following.deadlines import watch_deadlines
from tapelog_session.application.following.follow_ups import follow_up
from tapelog_session.application.following.processes import ProcessState, drive
from tapelog_session.application.following.render_outcomes import record_outcome
from tapelog_session.application.following.render_requests import request_renders
from tapelog_session.application.ports import RenderJobs
from tapelog_session.application.project_heads import ProjectHeads
from tapelog_session.application.reading.song_index import SongIndex
from tapelog_session.application.reading.views import Views
from tapelog_session.application.uploads import expire_uploads
from tapelog_session.settings import SessionSettings

NEW_OBJECTS: Final = 50_000
"""Objects that may be new before the collector looks: a few megabytes."""
YOUNG_COLLECTIONS: Final = 20
OLD_COLLECTIONS: Final = 50
FIRST_READ_S: Final = 300.0
"""How long the lists may take to read the whole log at the start."""


def collect_seldom() -> None:
    """Let the garbage collector look at new objects in larger lots.

    Events and states hold no cycles, and there are hundreds of thousands of them in a long song: looking for cycles
    took a fifth of the time in which one is loaded.
    """
    gc.set_threshold(NEW_OBJECTS, YOUNG_COLLECTIONS, OLD_COLLECTIONS)


async def run(settings: SessionSettings, *, ready: Ready, stop: asyncio.Event) -> None:
    """Serve until `stop` is set, then drain: calls finish, processes stop between two events."""
    collect_seldom()
    verifier = TokenVerifier.from_file(settings.key_set_path, audience=AUDIENCE)
    issuer = LocalIssuer.open(settings.identity_dir)
    objects = ObjectStore(settings.objects_url)
    unfinished = UnfinishedUploads(objects)
    async with (
        connected(
            settings.nats_url,
            name=CONTEXT,
            creds=settings.nats_creds,
            tls_ca=settings.nats_tls_ca,
            tls_pair=settings.client_pair,
        ) as connection,
        open_channel(
            settings.render_address, tls_ca=settings.render_tls_ca, certificate=settings.client_pair
        ) as render_channel,
    ):
        stored = JetStreamEventLog(connection)
        guard = LogGuard(
            SharedTail(stored, CONTEXT),
            settings.anchors_at,
            (CONTEXT,),
            key_folder=settings.anchor_keys_at,
            scan_every_s=settings.scan_every_s,
        )
        await guard.check()
        log = guard.log
        snapshots = JetStreamSnapshotStore(connection)
        views = Views(log, CONTEXT, EVENTS)
        freshness = Freshness(log, CONTEXT, views.reached)
        aggregates = Aggregates.on(
            log, clock=SystemClock(), snapshots=snapshots, project_heads=ProjectHeads(views, freshness)
        )
        desk = Desk(
            aggregates=aggregates,
            log=log,
            views=views,
            index=SongIndex(aggregates),
            objects=objects,
            unfinished=unfinished,
            tenant_bytes_max=settings.tenant_quota_gib * 2**30,
            archive=ObjectStore(settings.archive_store_url),
            parties=JetStreamParties(connection),
            targets=known_targets(settings.targets),
            tokens=IssuedTokens(issuer),
            clock=SystemClock(),
        )
        server = build_server(
            settings.server_config(),
            [(add_SessionServiceServicer_to_server, SessionServicer(desk), SERVICE)],
            verifier=verifier,
            policies=POLICIES,
            audit=AuditLog(settings.audit_at, settings.anchors_at, CONTEXT),
        )
        renders = GrpcRenderJobs(render_channel, issuer)
        samples = [consumers_of(connection, CONTEXT), lag_of("lists", log, CONTEXT, lambda: views.position)]
        if objects.folder is not None:
            samples.append(disk_of("objects", objects.folder))
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(views.run(), name="views"),
                group.create_task(freshness.run(), name="freshness"),
                group.create_task(
                    keep_health(
                        server,
                        store_probe(connection, CONTEXT),
                        failing_s=settings.health_failing_s,
                        unanswered_since_s=stored.gate.unanswered_since_s,
                    ),
                    name="health",
                ),
                group.create_task(guard.run(), name="log guard"),
                group.create_task(keep_intact(server, guard.foreign.values()), name="intact"),
                group.create_task(expire_uploads(objects, unfinished), name="unfinished uploads"),
                group.create_task(
                    keep_current(server, log, [Follower("lists", CONTEXT, lambda: views.position)]), name="current"
                ),
            ]
            if settings.processes:
                background += [
                    group.create_task(ask_for_renders(connection, aggregates, renders), name="ask for renders"),
                    group.create_task(record_renders(connection, aggregates), name="record renders"),
                    group.create_task(watch_deadlines(aggregates, views, SystemClock()), name="watch deadlines"),
                ]
            stopping = group.create_task(stop.wait(), name="stop")
            past = group.create_task(views.caught_up(timeout_s=FIRST_READ_S), name="past")
            await asyncio.wait({stopping, past}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                async with exposing(settings, samples) as metrics, server:
                    ready(address=server.address, metrics=metrics)
                    await stop.wait()
            for task in (*background, past):
                task.cancel()


async def ask_for_renders(
    connection: Client, aggregates: Aggregates, renders: RenderJobs, state: ProcessState | None = None
) -> None:
    """Process (a): from the session's facts to what follows on other aggregates, and to render jobs."""

    async def handle(step: DeliveryStep) -> None:
        stored = feeds.stored_event_of(step)
        with tracing.span("ask for renders", kind=tracing.SpanKind.CONSUMER, parent=stored.metadata.traceparent):
            await follow_up(aggregates, [stored])
            await request_renders(aggregates.songs, EVENTS, renders, stored)

    async with feeds.session_events(connection) as steps:
        await drive("ask-for-renders", steps, handle, state or ProcessState())


async def record_renders(connection: Client, aggregates: Aggregates, state: ProcessState | None = None) -> None:
    """Process (b): from ended renders to the songs' facts."""

    async def handle(step: DeliveryStep) -> None:
        await record_outcome(aggregates.songs, feeds.render_outcome_of(step))

    async with feeds.render_ends(connection) as steps:
        await drive("record-renders", steps, handle, state or ProcessState())
