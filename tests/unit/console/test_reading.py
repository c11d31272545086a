"""Times, words, ranges, drawings and matched loudness: the page's own arithmetic."""

import re

import pytest
from tapelog.session.v1 import resources_pb2 as res
from tapelog_console.errors import BadForm
from tapelog_console.reading import words
from tapelog_console.reading.listening import newest, side_by_side
from tapelog_console.reading.waveform import COLUMNS_MAX, lay_out
from tapelog_console.web.audio import wanted_range

SONG = "projects/prj-1/songs/sng-1"


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("frame", [0, 48, 650_289, 31_579_200])
def test_a_time_that_is_shown_is_read_back_within_half_a_millisecond(frame: int, rate_hz: int) -> None:
    """What the page prints is what it takes."""
    read = words.frame_of(words.timecode(frame, rate_hz), rate_hz, field="From")

    assert abs(read - frame) <= rate_hz / 2000 + 1


@pytest.mark.parametrize(
    ("text", "frame"),
    [("0", 0), ("1.5", 72_000), ("1:01.5", 2_952_000), ("0:00.000020833", 1), ("1:00:00", 172_800_000)],
)
def test_times_are_read_to_the_frame(text: str, frame: int) -> None:
    """Seconds, minutes and hours, with as many decimals as a frame needs."""
    assert words.frame_of(text, 48_000, field="From") == frame


@pytest.mark.parametrize("text", ["", "about a minute", "-1", "1:2:3:4", "1e9", "9" * 40, "1:60", "1:60:00"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    """The message shows the form that is taken."""
    with pytest.raises(BadForm, match=r"1:23\.456"):
        words.frame_of(text, 48_000, field="From")


def test_an_enum_of_a_newer_service_is_no_crash() -> None:
    """A state this page does not know yet is called unknown."""
    assert words.version_state(res.VERSION_STATE_CHANGES_REQUESTED) == "changes requested"
    assert words.version_state(99) == "unknown"  # type: ignore[arg-type]  # from a newer service


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("bytes=0-", (0, 100)),
        ("bytes=10-19", (10, 20)),
        ("bytes=90-500", (90, 100)),
        ("bytes=-10", (90, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=100-", (100, 100)),
        ("bytes=-0", (100, 100)),
        ("bytes=20-10", None),
        ("bytes=1-2,3-4", None),
        ("chunks=1-2", None),
        ("bytes=" + "9" * 30 + "-", None),
    ],
)
def test_ranges_are_read_as_the_standard_says(header: str, expected: tuple[int, int] | None) -> None:
    """RFC 9110, 14.1.2: suffixes, open ends, clamping, and ignoring what is no range."""
    assert wanted_range(header, 100) == expected


def _analysis(lows: list[list[float]], highs: list[list[float]]) -> dict[str, object]:
    return {
        "format": {"length_frames": 480_000, "sample_rate_hz": 48_000},
        "waveform": {"low": lows, "high": highs},
        "short_term_lufs": {"first_s": 3.0, "step_s": 1.0, "values": [-14.0, None, -60.0]},
    }


def test_a_drawing_keeps_the_extremes_of_every_channel() -> None:
    """However many buckets there are, the loudest sample is in the path, at its place."""
    count = 4000
    lows, highs = [0.0] * count, [0.0] * count
    highs[1000], lows[3000] = 0.9, -0.8
    drawing = lay_out(_analysis([[0.0] * count, lows], [highs, [0.0] * count]))
    points = [tuple(map(float, point.split())) for point in drawing.wave.strip("MZ").split("L")]

    assert len(points) <= 2 * COLUMNS_MAX
    assert min(points, key=lambda point: point[1]) == (pytest.approx(250.0, abs=1.5), -0.9)
    assert max(points, key=lambda point: point[1]) == (pytest.approx(750.0, abs=1.5), 0.8)


def test_the_loudness_curve_stands_in_time_and_within_its_lane() -> None:
    """The first value is at 3 s of 10 s; silence and the very quiet are at the bottom."""
    drawing = lay_out(_analysis([[0.0]], [[0.0]]))
    points = [tuple(map(float, point.split(","))) for point in drawing.loudness.split()]

    assert [x for x, _ in points] == [300.0, 400.0, 500.0]
    assert points[0][1] == pytest.approx(8 / 24, abs=1e-3)
    assert [y for _, y in points[1:]] == [1.0, 1.0]


def _version(
    number: int, lufs: float | None, *, kind: "res.VersionKind.ValueType" = res.VERSION_KIND_MIX
) -> res.Version:
    folder = "mixVersions" if kind == res.VERSION_KIND_MIX else "masterVersions"
    version = res.Version(name=f"{SONG}/{folder}/{number}", kind=kind, number=number)
    audio = version.audio.add(sha256=f"{number:064x}")
    audio.format.container = "wav"
    if lufs is not None:
        audio.measurements.integrated_lufs = lufs
    return version


def test_the_louder_side_is_turned_down_to_the_quieter_one() -> None:
    """By the measured difference, and nothing is ever turned up."""
    sides = side_by_side(res.Song(name=SONG), _version(2, -14.0), _version(1, -17.5))

    assert [side.match_gain_db for side in sides] == [pytest.approx(-3.5), 0.0]
    assert re.fullmatch(rf"/{SONG}/audio/mix-2/[0-9a-f]{{16}}\.wav", sides[0].url)


def test_without_a_measurement_nothing_is_matched() -> None:
    """Silence has no loudness: both play as they are."""
    sides = side_by_side(res.Song(name=SONG), _version(2, None), _version(1, -17.5))

    assert [side.match_gain_db for side in sides] == [0.0, 0.0]


def test_the_newest_version_that_can_be_heard_is_shown_beside_the_one_before() -> None:
    """A proposal that still renders is not offered as silence."""
    first, second = _version(1, -17.0), _version(2, -16.0)
    rendering = res.Version(name=f"{SONG}/mixVersions/3", kind=res.VERSION_KIND_MIX, number=3)
    master = _version(1, -14.0, kind=res.VERSION_KIND_MASTER)

    assert newest([first, second, rendering]) == (second, first)
    assert newest([first, second, master]) == (master, second)
    assert newest([]) == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("delay { time_ms: 120.0 }", "delay time 120 ms"),
        ("eq { bands { shape: EQ_SHAPE_LOW_SHELF frequency_hz: 90.0 gain_db: -0.5 }…",
         "eq bands shape low shelf frequency 90 Hz gain −0.5 dB …"),
        ("container: CONTAINER_FLAC bit_depth: 24", "container flac bit depth 24"),
        ("-3.7", "-3.7"),
    ],
)  # fmt: skip
def test_settings_are_read_like_a_console(text: str, expected: str):
    """Names without underscores, values with their units, no braces and no names of enums."""
    assert words.setting(text) == expected


def test_what_services_say_is_without_capitals():
    """States are words; what is no state, such as a unit, stays."""
    assert words.plain("mix 1 is IN_REVIEW; -14 LUFS in WAV") == "mix 1 is in review; -14 LUFS in WAV"
    assert words.plain("OPTIONS: does it need movement?") == "options: does it need movement?"
