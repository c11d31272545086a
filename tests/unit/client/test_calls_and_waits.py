import pytest
from tapelog.session.v1 import resources_pb2 as res
from tapelog_client import AddressMissing, RenderNotDone, Tapelog, WaitTimeout

from .conftest import SmallSession

MIX = "projects/prj-1/songs/sng-1/mixVersions/1"


async def test_a_retried_call_keeps_its_request_id(api: Tapelog, small_session: SmallSession) -> None:
    """A call that meets a starting service is repeated with the one id that was made for it."""
    small_session.refusals = 3

    song = await api.songs.create("projects/prj-1", "Lithium", sample_rate_hz=48000, bit_depth=24)

    assert song.title == "Lithium"
    assert len(small_session.request_ids) >= 4
    assert len(set(small_session.request_ids)) == 1


async def test_two_calls_have_two_request_ids(api: Tapelog, small_session: SmallSession) -> None:
    """Each call is a request of its own."""
    await api.songs.create("projects/prj-1", "A", sample_rate_hz=48000, bit_depth=24)
    await api.songs.create("projects/prj-1", "A", sample_rate_hz=48000, bit_depth=24)

    assert len(set(small_session.request_ids)) == 2


async def test_a_callers_own_request_id_is_sent_as_it_is(api: Tapelog, small_session: SmallSession) -> None:
    """A caller who resolves an unknown outcome gives the id of before."""
    own = "3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b"

    await api.songs.create("projects/prj-1", "A", sample_rate_hz=48000, bit_depth=24, request_id=own)

    assert small_session.request_ids == [own]


async def test_lists_go_through_every_page(api: Tapelog, small_session: SmallSession) -> None:
    """Seven songs on pages of two are seven songs in order."""
    found = [song.name async for song in api.songs.list("projects/prj-1")]

    assert found == [song.name for song in small_session.songs]


async def test_waiting_for_a_render_returns_the_rendered_version(api: Tapelog) -> None:
    """The wait ends when the version has left PROPOSED."""
    version = await api.versions.wait_rendered(MIX, timeout_s=10)

    assert version.state == res.VERSION_STATE_RENDERED


async def test_a_failed_render_says_why(api: Tapelog, small_session: SmallSession) -> None:
    """A render that failed is an error with the service's reason."""
    small_session.states = [res.VERSION_STATE_PROPOSED, res.VERSION_STATE_RENDER_FAILED]

    with pytest.raises(RenderNotDone, match="SOURCE_TRUNCATED: take 3"):
        await api.versions.wait_rendered(MIX, timeout_s=10)


async def test_a_wait_ends_at_its_limit(api: Tapelog, small_session: SmallSession) -> None:
    """A version that never renders is a timeout that names it and the limit."""
    small_session.states = [res.VERSION_STATE_PROPOSED]

    with pytest.raises(WaitTimeout, match=r"mixVersions/1 is not rendered yet after 0\.2 s"):
        await api.versions.wait_rendered(MIX, timeout_s=0.2)


async def test_a_service_without_an_address_is_named(api: Tapelog) -> None:
    """A client that was given no render address says so when it is needed."""
    with pytest.raises(AddressMissing, match="render"):
        await api.renders.get("renderJobs/job-1")


async def test_only_a_local_client_speaks_for_others(api: Tapelog) -> None:
    """Speaking as another party needs the issuer's key."""
    with pytest.raises(TypeError, match=r"Tapelog\.local"):
        api.as_party("pty-ben")
