"""The report: one page that loads nothing, and a JSON twin with the same numbers."""

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tapelog_desk import OutputError, Rendered
from tapelog_desk.report import Section, report_html, write_report

SECTIONS = (
    Section("Credits", text=("Software-Entwicklungskit, CC0",)),
    Section("Alternates", rows=(("File", "SHA-256"), ("tv.wav", "5e" * 32))),
    Section("Decisions", rows=(("When", "Who", "What"), ("0:10", "Artist", "<script>alert('x')</script>"))),
)


class _Page(HTMLParser):
    """Collects tags, references and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "action"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def html(master: Rendered) -> str:
    """Return the master's report."""
    return report_html(master, title="Lithium & more", subtitle="Software-Entwicklungskit", sections=SECTIONS)


def test_the_page_needs_nothing_else(html: str):
    """No script, no reference, no import: it can be mailed."""
    page = _Page()
    page.feed(html)
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert page.references == []
    assert "url(" not in html
    assert "@import" not in html


def test_the_page_says_what_the_producer_asks_for(html: str, master: Rendered):
    """Verdict, loudness, peak, files with digests, credits and decisions are there, and text stays text."""
    page = _Page()
    page.feed(html)
    text = " ".join(page.text)
    for words in (
        "Target reached",
        "streaming",
        "LUFS",
        "dBTP",
        "Credits",
        "Decisions",
        "<script>alert",
        "Lithium & more",
    ):
        assert words in text, words
    for audio in master.audio:
        assert audio.result.sha256 in text
    assert f"{master.analysis.measurements.integrated_lufs:.2f}".replace("-", "−") in text


def test_the_drawing_is_well_formed_and_stays_in_its_frame(html: str):
    """The SVG parses; every point lies on the page; the target line is where the axis says -14."""
    drawing = ET.fromstring(html[html.index("<svg") : html.index("</svg>") + 6])  # noqa: S314  # our own output
    width, height = (float(number) for number in drawing.attrib["viewBox"].split()[2:])
    kinds = {element.attrib.get("class") for element in drawing.iter()}
    assert kinds >= {"wave", "momentary", "short-term", "target", "integrated", "reduction", "tick"}
    for element in drawing.iter():
        for pair in element.attrib.get("points", "").split():
            x, y = (float(number) for number in pair.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height
    target = next(element for element in drawing.iter() if element.attrib.get("class") == "target")
    labels = {
        element.text: float(element.attrib["y"]) - 4
        for element in drawing.iter()
        if element.attrib.get("class") == "axis"
    }
    per_lu = (labels["−18"] - labels["−12"]) / 6
    assert float(target.attrib["y1"]) == pytest.approx(labels["−12"] + 2 * per_lu, abs=0.2)


def test_the_json_twin_has_the_same_numbers(master: Rendered, tmp_path: Path):
    """The extension decides; the numbers are the render's."""
    write_report(tmp_path / "r.json", master, title="Lithium", sections=SECTIONS)
    write_report(tmp_path / "r.html", master, title="Lithium", sections=SECTIONS)
    plain = json.loads((tmp_path / "r.json").read_text())
    assert plain["analysis"] == json.loads(master.files[0].path.read_text()) | {"chain_figures": {}}
    assert plain["verdict"]["reached"] is True
    assert [section["title"] for section in plain["sections"]] == ["Credits", "Alternates", "Decisions"]
    assert [file["sha256"] for file in plain["files"]] == [audio.result.sha256 for audio in master.audio]


def test_a_report_of_a_mix_has_no_verdict(mix: Rendered):
    """Without a target there is nothing to judge; remarks are shown."""
    page = report_html(mix, title="Mix")
    assert "Target" not in page
    assert 'class="target"' not in page


def test_another_extension_is_refused(master: Rendered, tmp_path: Path):
    """A report is .html or .json."""
    with pytest.raises(OutputError, match=r"ends in \.html or \.json, got 'r.pdf'"):
        write_report(tmp_path / "r.pdf", master, title="x")


def test_no_table_is_wider_than_a_phone_without_scrolling_in_itself(html: str):
    """A digest in a caller's table may break, and on a narrow screen wide things scroll alone, not the whole page."""
    assert f"<td><code>{'5e' * 32}</code></td>" in html
    assert "<td>tv.wav</td>" in html
    narrow = html.split("@media (max-width", 1)[1].split("@media print", 1)[0]
    assert "table, figure { display: block; overflow-x: auto; }" in narrow
