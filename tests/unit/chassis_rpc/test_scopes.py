"""Scopes of API keys against every RPC there is, taken from the descriptors."""

import itertools

import pytest
from google.protobuf.descriptor import MethodDescriptor
from tapelog.notify.v1 import notify_service_pb2
from tapelog.render.v1 import render_service_pb2
from tapelog.session.v1 import session_service_pb2
from tapelog_chassis.auth import Principal, authorize, signed_in
from tapelog_chassis.auth.scopes import SCOPES, UNSCOPED, scope_of
from tapelog_chassis.errors import PermissionDenied
from tapelog_session.domain.key_ring import SCOPES as SCOPES_OF_KEYS

METHODS: list[MethodDescriptor] = [
    method
    for module, name in (
        (session_service_pb2, "SessionService"),
        (render_service_pb2, "RenderService"),
        (notify_service_pb2, "NotifyService"),
    )
    for method in module.DESCRIPTOR.services_by_name[name].methods
]


def full_name(method: MethodDescriptor) -> str:
    """Return the name that calls bear."""
    return f"/{method.containing_service.full_name}/{method.name}"


def test_a_call_with_a_request_id_is_never_a_reading_one():
    """Whatever makes a retry safe changes something, so it is never open to a key that may only read."""
    mutations = [method for method in METHODS if "request_id" in method.input_type.fields_by_name]
    assert len(mutations) > 50
    assert [method.name for method in mutations if scope_of(full_name(method)).endswith(":read")] == []
    assert set(SCOPES) == set(SCOPES_OF_KEYS)


@pytest.mark.parametrize("held", [(), *itertools.combinations(SCOPES, 1), SCOPES], ids=" ".join)
def test_a_token_reaches_the_methods_of_its_scopes_and_no_other(held: tuple[str, ...]):
    """The whole matrix: each RPC of each service, for no scope, each alone, and all of them."""
    caller = Principal("acme", "int-bridge", "integration", on_behalf_of="pia", scopes=frozenset(held))
    reached = set()
    for name in map(full_name, METHODS):
        try:
            authorize({name: signed_in()}, name, caller)
        except PermissionDenied as refusal:
            assert refusal.reason == "SCOPE_MISSING"  # noqa: PT017 - both outcomes are looked at
        else:
            reached.add(name)
    assert reached == {name for name in map(full_name, METHODS) if scope_of(name) in held} | UNSCOPED


def test_without_scopes_nothing_is_limited():
    """Tokens of people and services name none."""
    name = full_name(METHODS[0])
    authorize({name: signed_in()}, name, Principal("acme", "ana", "person"))
