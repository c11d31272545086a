"""The notify service: everything it consists of, from the broker to the port it listens on."""

import asyncio
from functools import partial
from typing import Final

import structlog
from nats.aio.client import Client
from tapelog.notify.v1 import events_pb2, notify_service_pb2_grpc
from tapelog_chassis.aggregates.commands import Repository
from tapelog_chassis.aggregates.event_registry import EventRegistry
from tapelog_chassis.anchors import LogGuard
from tapelog_chassis.audit import AuditLog
from tapelog_chassis.auth import TokenVerifier
from tapelog_chassis.clock import SystemClock
from tapelog_chassis.event_log import EventLog, JetStreamEventLog, JetStreamSnapshotStore, StoredEvent
from tapelog_chassis.lifecycle import Ready
from tapelog_chassis.nats import connected
from tapelog_chassis.observability.exposition import Sample, exposing
from tapelog_chassis.observability.health import keep_health, store_probe
from tapelog_chassis.observability.health_intact import keep_intact
from tapelog_chassis.observability.health_lag import Follower, keep_current
from tapelog_chassis.observability.samples import lag_of
from tapelog_chassis.rpc.grpc_server import build_server
from tapelog_chassis.topology import CONTEXTS

from . import telemetry
from .adapters.delivery_log import JetStreamDeliveryLog
from .adapters.feeds import JetStreamFeeds
from .adapters.follow import Follow
from .adapters.grpc_service import NotifyService
from .adapters.mail import SmtpMail
from .adapters.nats_access import IdentityMint
from .adapters.policies import POLICIES, SERVICE
from .adapters.public_stream import JetStreamPublicEvents, JetStreamPublicStream
from .adapters.secrets import JetStreamSecrets, SecretKey
from .adapters.webhook_client import WebhookClient
from .application.alert_engine import AlertBook, AlertEngine
from .application.alert_handlers import AlertDesk
from .application.alert_marks import AlertMarks
from .application.desk import Desk
from .application.dispatcher import IN_FLIGHT_MAX, Delivering
from .application.fanout import Fanout
from .application.handlers import stop_delivering
from .application.projector import Projector
from .application.registry import Registered, Registry
from .application.supervisor import Supervisor
from .domain import alert, alert_rule
from .domain import subscription as domain
from .domain.alert import Alert
from .domain.alert_rule import Rule
from .domain.retry import Verdict
from .domain.subscription import Subscription
from .settings import NotifySettings

CONTEXT: Final = "notify"

EVENTS: Final = EventRegistry(
    {
        "subscription": [
            events_pb2.SubscriptionCreated,
            events_pb2.SubscriptionPaused,
            events_pb2.SubscriptionResumed,
            events_pb2.SubscriptionDisabled,
            events_pb2.SubscriptionSecretRotated,
            events_pb2.SubscriptionDeleted,
        ],
        "alert_rule": [events_pb2.AlertRuleCreated, events_pb2.AlertRuleDeleted],
        "alert": [events_pb2.AlertRaised, events_pb2.AlertSnoozed, events_pb2.AlertResolved],
    }
)

_log = structlog.get_logger(__name__)


async def run(settings: NotifySettings, *, ready: Ready, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then let open calls and attempts come to their end."""
    key = SecretKey.open(settings.secret_key_file)
    access = IdentityMint.open(settings.identity_folder, url=settings.nats_public_url or settings.nats_url)
    verifier = TokenVerifier.from_file(settings.key_set_path, audience=CONTEXT)
    if settings.allow_loopback_webhooks:
        _log.warning("webhooks may go to this machine, by plain http too: allow_loopback_webhooks is set")
    async with (
        connected(
            settings.nats_url,
            name=CONTEXT,
            creds=settings.nats_creds,
            tls_ca=settings.nats_tls_ca,
            tls_pair=settings.client_pair,
        ) as connection,
        WebhookClient(
            allow_loopback=settings.allow_loopback_webhooks, clock=SystemClock(), total_s=settings.webhook_timeout_s
        ) as webhooks,
    ):
        stored = JetStreamEventLog(connection)
        guard = LogGuard(
            stored,
            settings.anchors_at,
            (CONTEXT,),
            key_folder=settings.anchor_keys_at,
            scan_every_s=settings.scan_every_s,
        )
        await guard.check()
        desk, supervisor = _wire(settings, guard.log, webhooks=webhooks, connection=connection, access=access, key=key)
        alerts = _wire_alerts(guard.log)
        engine = AlertEngine(
            alerts.book,
            desk.public,
            alerts.alerts,
            alerts.clock,
            AlertMarks(JetStreamSnapshotStore(connection), CONTEXT),
        )
        fanout = Fanout(desk.public)
        log = guard.log
        projector = Projector(log, JetStreamPublicStream(connection), CONTEXTS)
        samples: list[Sample] = [
            lag_of("subscriptions", log, CONTEXT, lambda: desk.registry.position),
            lag_of("alerts", log, CONTEXT, lambda: alerts.book.position),
            *(lag_of(f"public_{context}", log, context, partial(projector.position, context)) for context in CONTEXTS),
            partial(_sample_alerts, alerts.book),
        ]
        followers = [
            Follower("subscriptions", CONTEXT, lambda: desk.registry.position),
            Follower("alerts", CONTEXT, lambda: alerts.book.position),
        ]
        if settings.projector:
            followers += [Follower(f"public_{name}", name, partial(projector.position, name)) for name in CONTEXTS]
        server = build_server(
            settings.server_config(),
            [
                (
                    notify_service_pb2_grpc.add_NotifyServiceServicer_to_server,
                    NotifyService(desk, alerts, fanout, Follow()),
                    SERVICE,
                )
            ],
            verifier=verifier,
            policies=POLICIES,
            audit=AuditLog(settings.audit_at, settings.anchors_at, CONTEXT),
        )
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(desk.registry.run(), name="registry"),
                group.create_task(guard.run(), name="log guard"),
                group.create_task(keep_intact(server, guard.foreign.values()), name="intact"),
                group.create_task(supervisor.run(), name="supervisor"),
                group.create_task(alerts.book.run(), name="alert book"),
                group.create_task(engine.run(), name="alert engine"),
                group.create_task(fanout.run(), name="fanout"),
                group.create_task(keep_current(server, log, followers), name="current"),
                group.create_task(
                    keep_health(
                        server,
                        store_probe(connection, CONTEXT),
                        failing_s=settings.health_failing_s,
                        unanswered_since_s=stored.gate.unanswered_since_s,
                    ),
                    name="health",
                ),
            ]
            if settings.projector:
                background.append(group.create_task(projector.run(), name="projector"))
            stopping = group.create_task(stop.wait(), name="stop")
            past = group.create_task(desk.registry.caught_up(), name="past")
            await asyncio.wait({stopping, past}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                async with exposing(settings, samples) as metrics, server:
                    ready(address=server.address, metrics=metrics)
                    await stop.wait()
            for task in (*background, past):
                task.cancel()


async def _sample_alerts(book: AlertBook) -> None:
    telemetry.ALERTS_FIRING.set(book.firing)


def _wire(
    settings: NotifySettings,
    log: EventLog,
    *,
    connection: Client,
    webhooks: WebhookClient,
    access: IdentityMint,
    key: SecretKey,
) -> tuple[Desk, Supervisor]:
    clock = SystemClock()
    secrets = JetStreamSecrets(connection, key)
    feeds = JetStreamFeeds(connection)
    mail = SmtpMail(settings.mail_server())
    deliveries = JetStreamDeliveryLog(connection)
    repository = Repository(log, CONTEXT, initial=Subscription, evolve=_evolve, events=EVENTS, clock=clock)

    async def stop_subscription(item: Registered, verdict: Verdict, reason: str) -> None:
        await stop_delivering(desk, item, verdict, reason)

    shared = Delivering(
        webhooks=webhooks,
        mail=mail,
        secrets=secrets,
        deliveries=deliveries,
        clock=clock,
        in_flight=asyncio.Semaphore(IN_FLIGHT_MAX),
        stop=stop_subscription,
        schedule_s=settings.webhook_schedule_s,
        finish_s=settings.drain_s,
        disable_after_s=settings.webhook_disable_after_s,
    )
    supervisor = Supervisor(feeds, shared)
    registry = Registry(log, CONTEXT, EVENTS, on_change=supervisor.changed)
    desk = Desk(
        repository=repository,
        registry=registry,
        feeds=feeds,
        secrets=secrets,
        webhooks=webhooks,
        mail=mail,
        public=JetStreamPublicEvents(connection),
        deliveries=deliveries,
        access=access,
        clock=clock,
    )
    return desk, supervisor


def _wire_alerts(log: EventLog) -> AlertDesk:
    clock = SystemClock()
    return AlertDesk(
        rules=Repository(log, CONTEXT, initial=Rule, evolve=evolve_rule, events=EVENTS, clock=clock),
        alerts=Repository(log, CONTEXT, initial=Alert, evolve=evolve_alert, events=EVENTS, clock=clock),
        book=AlertBook(log, CONTEXT, EVENTS),
        clock=clock,
    )


def evolve_rule(state: Rule, message: object, stored: StoredEvent) -> Rule:
    """Fold an event of a rule."""
    return alert_rule.evolve(state, message, stored.time)  # type: ignore[arg-type]  # made by the registry


def evolve_alert(state: Alert, message: object, stored: StoredEvent) -> Alert:
    """Fold an event of an alert."""
    return alert.evolve(state, message, stored.time)  # type: ignore[arg-type]  # made by the registry


def _evolve(state: Subscription, message: object, stored: StoredEvent) -> Subscription:
    return domain.evolve(state, message, stored.time)  # type: ignore[arg-type]  # the registry made it from its bytes
