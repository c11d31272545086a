import xml.etree.ElementTree as ET

from tapelog_cli.demo.report import svg


def _points(drawing: str, tag: str) -> list[list[tuple[float, ...]]]:
    return [
        [tuple(map(float, pair.split(","))) for pair in element.attrib["points"].split()]
        for element in ET.fromstring(drawing).iter(tag)  # noqa: S314 - drawn a line before
    ]


def test_a_waveform_reaches_its_peaks() -> None:
    """Full scale touches the edges, silence lies in the middle, and both channels count."""
    (outline,) = _points(svg.waveform([[-1.0, 0.0], [0.0, 0.0]], [[0.5, 0.0], [1.0, 0.0]]), "polygon")

    assert outline == [(0.0, 0.0), (480.0, 70.0), (480.0, 70.0), (0.0, 140.0)]


def test_a_long_waveform_keeps_the_highest_of_each_column() -> None:
    """More buckets than pixels are joined without losing a peak."""
    high = [0.0] * 10_000
    high[7_777] = 1.0
    (outline,) = _points(svg.waveform([[0.0] * 10_000], [high]), "polygon")

    assert len(outline) <= 2 * svg.COLUMNS_MAX
    assert min(y for _, y in outline) == 0.0


def test_silence_breaks_the_loudness_curve() -> None:
    """Where there is no loudness nothing is drawn, and time runs over the whole width."""
    drawing = svg.loudness([-14.0, None, -20.0, -20.0], first_s=3.0, step_s=1.0, length_s=6.0, integrated_lufs=-16.0)

    runs = _points(drawing, "polyline")
    assert [len(run) for run in runs] == [1, 2]
    assert runs[0][0][0] == 480.0
    assert runs[1][-1][0] == 960.0


def test_levels_beyond_the_scale_stay_inside() -> None:
    """A level under or over the drawing is drawn at its edge."""
    drawing = svg.loudness([-90.0, 0.0], first_s=0.0, step_s=1.0, length_s=1.0, integrated_lufs=-14.0)

    assert [y for _, y in _points(drawing, "polyline")[0]] == [float(svg.LOUDNESS_HEIGHT), 0.0]
