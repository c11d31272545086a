"""Webhook bodies and NATS messages as the official CloudEvents SDK reads them."""

import asyncio

from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, from_structured_event
from cloudevents.core.formats.json import JSONFormat
from tapelog_chassis.nats import OrderedReader
from tapelog_chassis.testing import Broker
from tapelog_chassis.topology import PUB
from tapelog_notify.domain.catalogue import EVENT_TYPES
from tapelog_notify.testing import NotifyClient, Recorder
from tapelog_notify.testing_endpoint import Receiver


async def test_the_official_sdk_reads_an_event_of_every_type(notify: NotifyClient, recorder: Recorder) -> None:
    """One event of each type of the catalogue arrives by webhook; the SDK parses and validates each, none is 20 kB."""
    contexts = {"render_job": "render", "batch": "render", "usage_account": "usage"}
    async with Receiver() as receiver:
        await notify.create(receiver.url)
        own = ("subscription", "alert", "alert_rule")
        types = [type_ for type_ in EVENT_TYPES if type_.split(".")[1] not in own]
        for type_ in types:
            context = contexts.get(type_.split(".")[1], "session")
            await recorder.append(f"{context}-1", context=context, type_=type_, schema=EVENT_TYPES[type_])
        await receiver.wait_for(len(types) + 1)
        parsed = [
            from_structured_event(HTTPMessage(item.headers, item.body), JSONFormat()) for item in receiver.accepted
        ]
        assert all(len(item.body) < 20_000 for item in receiver.accepted)
    # Events of several logs are merged by their time, so that they are looked at as a set.
    assert {event.get_type() for event in parsed} == {*types, "tapelog.subscription.subscription_created.v1"}
    assert [event.get_id() for event in parsed] == receiver.accepted_ids
    assert {event.get_specversion() for event in parsed} == {"1.0"}
    assert {event.get_extension("tenant") for event in parsed} == {"acme"}


async def test_the_official_sdk_reads_what_is_on_nats(broker: Broker, notify: NotifyClient, recorder: Recorder) -> None:
    """Binary mode: each message of the public stream, of every type, is a valid CloudEvent with its very bytes."""
    contexts = {"render_job": "render", "batch": "render", "usage_account": "usage"}
    own = ("subscription", "alert", "alert_rule")
    types = [type_ for type_ in EVENT_TYPES if type_.split(".")[1] not in own]
    for index, type_ in enumerate(types):
        context = contexts.get(type_.split(".")[1], "session")
        await recorder.append(
            f"{context}-1", context=context, type_=type_, schema=EVENT_TYPES[type_], data=bytes([index])
        )
    connection = await broker.connect("notify")
    sent = {event.event_id: event for event in recorder.appended}
    async with asyncio.timeout(20.0), OrderedReader(connection, PUB) as reader:
        async for delivery in reader:
            headers = {name: value for name, value in delivery.headers.items() if name.startswith("ce-")}
            headers["content-type"] = headers.pop("ce-datacontenttype")
            event = from_binary_event(HTTPMessage(headers, delivery.data), JSONFormat())
            stored = sent.pop(event.get_id())
            assert (event.get_type(), event.get_subject()) == (stored.type, stored.aggregate.id)
            assert (event.get_specversion(), event.get_datacontenttype()) == ("1.0", "application/protobuf")
            assert event.get_extension("sequence") == str(stored.sequence)
            assert event.get_time() == stored.time
            # The SDK gives bytes that happen to be text as text.
            data = event.get_data()
            assert (data.encode() if isinstance(data, str) else data) == stored.data
            if not sent:
                break
