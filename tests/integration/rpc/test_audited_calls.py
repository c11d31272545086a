"""The audit of a running server: each decision once, with who and why, and nothing that anybody wrote."""

import asyncio
import collections
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from tapelog_chassis.audit import AuditLog, Decision, read_audit, verify_audit
from tapelog_chassis.audit.record import Line
from tapelog_chassis.rpc.grpc_options import ServerConfig

CALLS = 400
AT_ONCE = 50
"""Fewer than a connection may have streams."""
SECRET = "swordfish-and-a-very-private-lyric"


@pytest.fixture
def audit(tmp_path: Path) -> AuditLog:
    """Give an audit in a folder."""
    return AuditLog(tmp_path / "audit", tmp_path / "anchors", "desk")


def lines(folder: Path) -> list[Line]:
    """Return the calls that were recorded, after a check."""
    assert verify_audit(folder / "audit", folder / "anchors", "desk").wrong == []
    return [line for line in read_audit(folder / "audit", "desk") if line.kind == "call"]


async def tried(call: Any) -> str:
    """Make a call to its end, and return the code."""
    try:
        if hasattr(call, "__aiter__"):
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as failure:
        return failure.code().name
    return "OK"


async def test_each_decision_stands_there_once(serve: Any, stub_of: Any, audit: AuditLog, tmp_path: Path):
    """Allowed and denied calls of every shape and kind of caller, many at a time: as many records as calls."""
    async with serve(audit=audit, config=ServerConfig(drain_s=1.0)) as local:
        stub = stub_of(local.channel)
        metadata = [local.tokens.metadata(f"pty-{number}") for number in range(CALLS)]
        ways = {
            "Say": lambda number: stub.Say(StringValue(value=SECRET), metadata=metadata[number]),
            "ForServices": lambda number: stub.ForServices(StringValue(value="hi"), metadata=metadata[number]),
            "NoRow": lambda number: stub.NoRow(StringValue(value="hi"), metadata=metadata[number]),
            "Count": lambda number: stub.Count(StringValue(value="2"), metadata=metadata[number]),
        }
        names = list(ways)
        order = [(number, names[number % len(names)]) for number in range(CALLS)]
        room = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, name: str) -> str:
            async with room:
                return await tried(ways[name](number))

        codes = await asyncio.gather(*(one(number, name) for number, name in order))
        await tried(stub.Say(StringValue(value="hi"), metadata=(("authorization", f"Bearer {SECRET}"),)))
        await tried(stub.Say(StringValue(value="boom"), metadata=metadata[0]))
    assert set(codes) == {"OK", "PERMISSION_DENIED"}, codes
    found = lines(tmp_path)
    expected = collections.Counter((f"pty-{number}", name) for number, name in order)
    expected[("pty-0", "Say")] += 1
    expected[("", "Say")] += 1
    assert collections.Counter((line.party, line.rpc.rpartition("/")[2]) for line in found) == expected
    decided = {(line.rpc.rpartition("/")[2], line.decision, line.reason) for line in found}
    assert decided == {
        ("Say", "allow", ""),
        ("Say", "deny", "TOKEN_MALFORMED"),
        ("ForServices", "deny", "CALLER_KIND_DENIED"),
        ("NoRow", "deny", "NO_POLICY"),
        ("Count", "allow", ""),
    }
    assert {line.code for line in found} == {"OK", "PERMISSION_DENIED", "UNAUTHENTICATED", "INTERNAL"}
    assert {(line.tenant, line.caller) for line in found if line.party} == {("acme", "person")}
    assert all(len(line.trace) >= 32 for line in found)
    written = b"".join(path.read_bytes() for path in (tmp_path / "audit").iterdir())
    assert SECRET.encode() not in written


async def test_a_stream_is_recorded_while_it_is_open(serve: Any, stub_of: Any, audit: AuditLog, tmp_path: Path):
    """Whoever follows for an hour is in the audit seconds after they were let in, and once."""
    async with serve(audit=audit, config=ServerConfig(drain_s=0.2)) as local:
        call = stub_of(local.channel).Count(StringValue(value="1 wait"), metadata=local.tokens.metadata("ana"))
        await call.read()
        async with asyncio.timeout(10):
            while not lines(tmp_path):  # noqa: ASYNC110 - a file is polled
                await asyncio.sleep(0.05)
        call.cancel()
    (line,) = lines(tmp_path)
    assert (line.party, line.decision, line.code) == ("ana", "allow", "")


async def test_for_whom_and_what_about(serve: Any, stub_of: Any, audit: AuditLog, tmp_path: Path):
    """An integration's record names the person; the trace is the caller's."""
    async with serve(audit=audit, config=ServerConfig(drain_s=0.2)) as local:
        metadata = local.tokens.metadata("bridge", kind="integration", on_behalf_of="ben")
        trace = "0af7651916cd43dd8448eb211c80319c"
        parent = ("traceparent", f"00-{trace}-b7ad6b7169203331-01")
        await stub_of(local.channel).Say(StringValue(value="hi"), metadata=(*metadata, parent))
    (line,) = lines(tmp_path)
    assert (line.party, line.caller, line.on_behalf_of, line.trace) == ("bridge", "integration", "ben", trace)


async def test_what_does_not_fit_is_counted(tmp_path: Path):
    """Beyond the queue records are lost, and a gap says how many: never in silence."""
    audit = AuditLog(tmp_path / "audit", tmp_path / "anchors", "desk", queue_max=10)
    async with audit.running():
        for number in range(25):
            audit.record(Decision(f"/x/{number}", decision="allow"))
    report = verify_audit(tmp_path / "audit", tmp_path / "anchors", "desk")
    assert (len(lines(tmp_path)), report.lost, report.wrong) == (10, 15, [])
    kinds = [line.kind for line in read_audit(tmp_path / "audit", "desk")]
    assert (kinds[0], kinds[-2], kinds[-1]) == ("started", "gap", "stopped")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("projects/p-1/songs/s-1", "projects/p-1/songs/s-1"),
        ("a\nb", "?"),
        ("<script>", "?"),
        ("x" * 201, "?"),
        ("", ""),
    ],
)
def test_a_resource_is_a_name_or_a_question_mark(text: str, expected: str):
    """What somebody sent in a name's place is not copied into the audit."""
    from tapelog.session.v1 import resources_pb2, session_service_pb2
    from tapelog_chassis.audit.record import resource_of

    assert resource_of(session_service_pb2.GetSongRequest(name=text)) == expected
    nested = session_service_pb2.UpsertPartyRequest(party=resources_pb2.Party(name=text))
    assert resource_of(nested) == expected
    assert resource_of(session_service_pb2.AddNoteRequest(text="private", version=text)) == expected
