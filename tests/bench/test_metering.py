"""W3, loudness and true peak of an hour, against the programs that measure both, on loud and on quiet material."""

import subprocess
from typing import Any

import pytest

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3_000)]

HOUR_S = 3_600


@pytest.fixture(scope="module", params=["loud", "limited", "quiet"])
def hour(race: Any, mixed: str, request: pytest.FixtureRequest) -> str:
    """Return an hour of 24-bit stereo: clipped at full scale, limited at -1 dBTP by us, or 20 dB down with peaks."""
    ffmpeg, source = race.need("ffmpeg"), mixed
    if request.param == "limited":
        source = "limited.wav"
        race.run([*race.ours, "w2", mixed, source])
    if request.param == "quiet":
        source = "quiet.wav"
        down = ["-af", "volume='if(lt(mod(t,60),1),1,0.1)':eval=frame", "-c:a", "pcm_s24le"]
        race.run([ffmpeg, "-nostdin", "-y", "-v", "error", "-i", mixed, *down, source])
    name = f"hour-{request.param}.wav"
    loops = str(HOUR_S // race.seconds - 1)
    race.run([ffmpeg, "-nostdin", "-y", "-v", "error", "-stream_loop", loops, "-i", source, "-c", "copy", name])
    return name


def test_w3_beside_ffmpeg(race: Any, hour: str) -> None:
    """Beside `ffmpeg ebur128=peak=true`: the floor is 15 times, on whatever material."""
    theirs = ["ffmpeg", "-nostdin", "-i", hour, "-af", "ebur128=peak=true", "-f", "null", "-"]
    assert race.compare(f"W3 {hour[5:-4]}", "ffmpeg ebur128", [*race.ours, "w3", hour], theirs) > 1.0


def test_w3_beside_libebur128(race: Any, hour: str) -> None:
    """Beside libebur128 with true peak."""
    race.need_module("pyebur128")
    theirs = [race.peer_python, "peer_pyebu.py", hour, "tp"]
    assert race.compare(f"W3 {hour[5:-4]}", "libebur128", [*race.ours, "w3", hour], theirs, pairs=1) > 1.0


def test_w3_beside_pyloudnorm(race: Any, hour: str) -> None:
    """Beside pyloudnorm, which has no true peak and holds the whole file: loud material only, it knows no other."""
    if "loud" not in hour:
        pytest.skip("pyloudnorm takes the same time for everything")
    race.need_module("pyloudnorm")
    theirs = [race.peer_python, "peer_pyln.py", hour, "f32"]
    assert race.compare(f"W3 {hour[5:-4]}", "pyloudnorm", [*race.ours, "w3", hour], theirs, pairs=1) > 1.0


def test_the_command(level: Any, hour: str) -> None:
    """`tapelog meter` itself, with all that the command line loads."""
    level.need("ffmpeg")
    theirs = ["ffmpeg", "-nostdin", "-i", hour, "-af", "ebur128=peak=true", "-f", "null", "-"]
    ours = [level.ours[0], "-m", "tapelog_cli", "meter", hour]
    if subprocess.run([*ours[:3], "--help"], capture_output=True, check=False).returncode:
        ours = [ours[0].replace("/python", "/tapelog"), "meter", hour]
    assert level.compare(f"meter {hour[5:-4]}", "ffmpeg ebur128", ours, theirs) > 1.0
