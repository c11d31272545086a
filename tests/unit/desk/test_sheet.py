"""`tapelog report` of files: what stands on the page is what was measured, and the page needs nothing else."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import soundfile
from tapelog_cli.main import main
from tapelog_desk import OutputError, analyze_file
from tapelog_desk.analysis import Curve
from tapelog_desk.report import Section
from tapelog_desk.report.compared import compare
from tapelog_desk.report.heard import Heard, hear
from tapelog_desk.report.sheet import PARTS_MAX, Sheet, sheet_html
from tapelog_dsp.testing import programme

RATE = 44_100
LENGTH_S = 6.0
SIZE_MAX_BYTES = 1_500_000
HOSTILE = """"><img src=x onerror=alert(1)><script src='https://evil.example/a.js'></script>{{ 7*7 }}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a mix, a master 2 dB louder with more treble, silence, and surround."""
    made = tmp_path_factory.mktemp("sheet")
    sound = 0.5 * programme(LENGTH_S, sample_rate=RATE)
    brighter = sound.copy()
    brighter[:, 1:] += 0.5 * (sound[:, 1:] - sound[:, :-1])
    soundfile.write(made / "mix.wav", sound.T, RATE, subtype="PCM_24")
    soundfile.write(made / "master.wav", (10 ** (2 / 20) * brighter).T, RATE, subtype="PCM_24")
    soundfile.write(made / "silence.wav", np.zeros((RATE, 2)), RATE, subtype="PCM_24")
    return made


@pytest.fixture(scope="module")
def master(folder: Path) -> Heard:
    """Return the master, measured and judged."""
    return hear(folder / "master.wav")


@pytest.fixture(scope="module")
def mix(folder: Path) -> Heard:
    """Return the mix, measured and judged."""
    return hear(folder / "mix.wav")


class _Page(HTMLParser):
    """Collects tags, attributes that refer or run, and rows of tables."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.rows: dict[str, list[str]] = {}
        self._row: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self._row = []
        elif tag in {"td", "th"} and self._row is not None:
            self._row.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr" and self._row:
            self.rows.setdefault(self._row[0], self._row)
            self._row = None

    def handle_data(self, data: str) -> None:
        if self._row:
            self._row[-1] += data


def _read(page: str) -> _Page:
    read = _Page()
    read.feed(page)
    return read


def _number(text: str) -> float:
    return float(text.replace("−", "-"))


def test_the_numbers_are_the_measured_ones(master: Heard, folder: Path):
    """Every row of the table is what the meters say of the file, rounded."""
    rows = _read(sheet_html(Sheet("Master", parts=(master,)))).rows
    numbers = analyze_file(folder / "master.wav").measurements
    assert master.checked is not None
    report = master.checked.report
    for name, value, digits in (
        ("Integrated loudness", numbers.integrated_lufs, 2),
        ("True peak", numbers.true_peak_dbtp, 2),
        ("Loudest 3 s (short-term)", numbers.max_short_term_lufs, 1),
        ("Peak to loudness (PLR)", numbers.true_peak_dbtp - numbers.integrated_lufs, 1),
        ("Quietest 0.4 s", report.levels.noise_floor_dbfs, 1),
        ("Correlation, whole", report.levels.correlation, 2),
        ("Lost in mono", report.mono.loudness_lost_lu, 1),
        ("DC offset", 100 * max(report.levels.dc, key=abs), 4),
    ):
        assert _number(rows[name][1]) == pytest.approx(value, abs=0.51 * 10**-digits), name


def test_the_page_needs_nothing_else_and_believes_nobody(master: Heard, mix: Heard):
    """No script, no handler, no reference; hostile titles, notes and file names are words."""
    hostile = replace(master, title=HOSTILE, name=HOSTILE)
    sections = (Section(HOSTILE, rows=((HOSTILE,), (HOSTILE,)), text=(HOSTILE,)),)
    sheet = Sheet(HOSTILE, HOSTILE, (hostile,), HOSTILE, sections=sections, compared=compare(mix, hostile))
    page = sheet_html(sheet)
    read = _read(page)
    assert not set(read.tags) & {"script", "link", "img", "iframe", "object", "embed", "form", "a", "base"}
    assert not {name for name in read.attributes if name.startswith("on")}
    assert not read.attributes & {"src", "href", "xlink:href", "action", "srcset", "data"}
    assert "url(" not in page
    assert "@import" not in page
    assert HOSTILE in html.unescape(page)


def test_pictures_are_well_formed_and_stay_in_their_frames(master: Heard, mix: Heard):
    """Each SVG parses, has a name, no more than 2000 points a line, and every point lies on it."""
    page = sheet_html(Sheet("Master", parts=(master,), compared=compare(mix, master)))
    drawings = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    names = [ET.fromstring(one).attrib["aria-label"] for one in drawings]  # noqa: S314  # our own output
    assert {"Short-term loudness before and after", "Third octaves, dB", "Sides against the middle, dB"} <= set(names)
    assert len(drawings) == 9
    for one in drawings:
        root = ET.fromstring(one)  # noqa: S314  # our own output
        width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
        for element in root.iter():
            points = element.attrib.get("points", "").split()
            assert len(points) <= 2_000
            for pair in points:
                x, y = (float(number) for number in pair.split(","))
                assert 0 <= x <= width
                assert 0 <= y <= height


def test_what_changed_is_told(master: Heard, mix: Heard):
    """Differences are those of the measurements, the louder one is to be turned down, treble rises."""
    beside = compare(mix, master)
    louder = master.analysis.measurements.integrated_lufs - mix.analysis.measurements.integrated_lufs
    assert louder > 1.5
    assert f"turn master down by {louder:.1f} dB" in beside.words
    page = sheet_html(Sheet("Master", parts=(master,), compared=beside))
    row = next(one for one in re.findall(r"<tr>.*?</tr>", page) if "Integrated loudness" in one)
    assert f'<td class="number">+{louder:.2f}</td>' in row
    tone = re.search(r'aria-label="Tone.*?class="level" points="([^"]+)"', page, re.DOTALL)
    assert tone is not None
    heights = [float(pair.split(",")[1]) for pair in tone[1].split()]
    assert heights[-4] < heights[8] - 10


def test_a_version_that_is_not_rendered_has_a_page():
    """Without audio the page holds what is known: verdict and sections, no picture."""
    sheet = Sheet("Mix 3", verdict="Proposed", sections=(Section("Notes", rows=(("", ""), ("open", "louder"))),))
    page = sheet_html(sheet)
    assert _read(page).rows["open"] == ["open", "louder"]
    assert "<svg" not in page


def test_mono_has_no_stereo_field(tmp_path: Path):
    """A mono master is judged without correlation, width and fold-down."""
    soundfile.write(tmp_path / "mono.wav", 0.5 * programme(4.0, sample_rate=RATE)[0], RATE, subtype="PCM_24")
    page = sheet_html(Sheet("Mono", parts=(hear(tmp_path / "mono.wav"),)))
    assert "Third octaves" in page
    assert "Correlation" not in page
    assert "Sides against" not in page


def test_the_same_samples_are_no_change(master: Heard):
    """Two names of the same audio: said in a sentence, without tables and pictures of nothing."""
    page = sheet_html(Sheet("Master", parts=(master,), compared=compare(replace(master, title="Master 1"), master)))
    assert "Master 1 has the same samples." in page
    assert "Difference" not in page


def test_two_hours_of_thirty_songs_stay_small(master: Heard):
    """A whole album with full waveforms and curves is under 1.5 MB; one song more than the limit is refused."""
    rng = np.random.default_rng(1)
    rows = tuple(tuple(row) for row in rng.uniform(0.1, 1.0, (2, 4_000)).tolist())
    curve = Curve(0.4, 0.1, tuple(rng.uniform(-20, -8, 2_400).tolist()))
    short = Curve(3.0, 1.0, tuple(rng.uniform(-16, -10, 240).tolist()))
    lows = tuple(tuple(-value for value in row) for row in rows)
    long = replace(master.analysis, momentary=curve, short_term=short, bucket_s=0.06, low=lows, high=rows)
    long.measurements.length_frames = 240 * RATE
    songs = tuple(replace(master, title=f"Song {n}", analysis=long, start_s=242.0 * n) for n in range(PARTS_MAX + 1))
    page = sheet_html(Sheet("Album", parts=songs[:PARTS_MAX]))
    assert len(page.encode()) < SIZE_MAX_BYTES
    assert page.count('class="song"') == PARTS_MAX
    alone = sheet_html(Sheet("Song", parts=songs[:1]))
    assert len(alone.encode()) < SIZE_MAX_BYTES / 8
    with pytest.raises(OutputError, match="at most 30 files, got 31"):
        sheet_html(Sheet("Album", parts=songs))


def test_the_command_writes_page_and_twin(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A page or JSON by the extension, recipes compared, silence reported without a verdict, mistakes refused."""
    before, after = tmp_path / "1.yaml", tmp_path / "2.yaml"
    text = "sample_rate_hz: 44100\ntracks:\n  - {{id: kick, source: 'file:kick.wav', gain_db: {}}}\n"
    before.write_text(text.format(-6))
    after.write_text(text.format(-4.5))
    words = ["report", str(folder / "master.wav"), "--compare", str(folder / "mix.wav"), "-o", str(tmp_path / "r.html")]
    assert main([*words, "--recipe", str(after), "--compare-recipe", str(before)]) == 0
    assert _read((tmp_path / "r.html").read_text()).rows["tracks[kick].gain_db"] == [
        "tracks[kick].gain_db",
        "−6",
        "−4.5",
    ]
    assert main([*words[:-1], str(tmp_path / "2.html"), "--recipe", str(after), "--compare-recipe", str(before)]) == 0
    assert (tmp_path / "2.html").read_bytes() == (tmp_path / "r.html").read_bytes()
    assert main([*words[:-1], str(tmp_path / "r.json"), "--like", str(folder / "mix.wav")]) == 0
    plain = json.loads((tmp_path / "r.json").read_text())
    assert plain["parts"][0]["check"]["balance"]["reference"] == "mix.wav"
    assert [one["name"] for one in plain["compared"]["changes"]][:2] == ["Integrated loudness", "True peak"]
    assert main(["report", str(folder / "silence.wav"), "-o", str(tmp_path / "s.html")]) == 0
    assert "Not judged: there is nothing to judge" in (tmp_path / "s.html").read_text()
    assert main([*words[:2], "-o", str(tmp_path / "r.pdf")]) == 2
    assert main(["report", "-o", str(tmp_path / "x.html")]) == 2
    assert main([*words, "--recipe", str(after)]) == 2
    capsys.readouterr()


def test_an_album_is_one_report(folder: Path, tmp_path: Path):
    """The folder that `tapelog album` wrote: songs at their places, the album's loudness, a part for each song."""
    album = tmp_path / "album"
    command = ["album", str(folder / "mix.wav"), str(folder / "master.wav"), "-o", str(album), "--lufs", "-20"]
    assert main([*command, "--gap", "1"]) == 0
    assert main(["report", str(album), "-o", str(tmp_path / "a.html")]) == 0
    assert main(["report", str(album), "-o", str(tmp_path / "a.json")]) == 0
    written, plain = (json.loads(path.read_text()) for path in (album / "album.json", tmp_path / "a.json"))
    assert [part["sha256"] for part in plain["parts"]] == [song["sha256"] for song in written["songs"]]
    assert plain["parts"][1]["start_s"] == written["songs"][1]["start_frame"] / written["sample_rate_hz"]
    page = (tmp_path / "a.html").read_text()
    assert f"album {written['album_lufs']:.1f}".replace("-", "−") in page
    assert page.count('class="song"') == 2
    (album / "album.json").write_text(json.dumps(written | {"songs": [written["songs"][0] | {"file": "../mix.wav"}]}))
    assert main(["report", str(album), "-o", str(tmp_path / "b.html")]) == 2
