"""The page of a check: verdicts first, then pictures."""

from pathlib import Path
from typing import Any, Final

from tapelog_dsp import ENGINE_VERSION, Check, Status

from tapelog_desk.analysis import write_json
from tapelog_desk.checking import Checked, check_json
from tapelog_desk.errors import OutputError
from tapelog_desk.files.atomic import atomic_file
from tapelog_desk.report import words
from tapelog_desk.report.charts import bar_chart, spectrum_chart, time_chart, width_chart
from tapelog_desk.report.page import FORMATS, environment

TEMPLATE: Final = "check.html.j2"


def verdict_words(checked: Checked) -> str:
    """Return the verdict as a sentence."""
    counts = {status: sum(check.status == status for check in checked.checks) for status in Status}
    found = [f"{counts[status]} {said}" for status, said in ((Status.FAIL, "failed"), (Status.WARN, "to look at"))]
    total = f"{len(checked.checks)} checks"
    if checked.status == Status.PASS:
        return f"PASS: {total}, nothing to look at"
    return f"{checked.status.value}: {total}, " + ", ".join(found)


def check_row(check: Check) -> dict[str, str]:
    """Return a check as the texts of its row."""
    return {
        "status": check.status.value,
        "kind": check.status.value.lower(),
        "title": check.title,
        "value": words.number(check.value, 2),
        "warn": ("> " if check.side == "above" else "< ") + words.number(check.warn),
        "fail": ("> " if check.side == "above" else "< ") + words.number(check.fail),
        "unit": check.unit,
        "detail": check.detail,
    }


def pictures(checked: Checked, *, name: str = "master") -> list[dict[str, str]]:
    """Return what is drawn of a check: spectrum, loudspeakers, mono, stereo field, PSR."""
    report = checked.report
    by_name = {check.name: check for check in checked.checks}
    length_s = checked.format.length_frames / max(checked.format.sample_rate_hz, 1)
    found = [
        {
            "title": f"Spectrum against {report.balance.reference}",
            "text": "Average over the whole, both at the same mean level from 100 Hz to 10 kHz.",
            "drawing": spectrum_chart(report.balance, name),
        }
    ]
    devices = [
        (
            one.device.title,
            one.loudness_change_lu,
            by_name[f"device_{one.device.name.replace('-', '_')}"].status,
        )
        for one in report.devices
    ]
    drawing = bar_chart(devices, title="Loudness against the full range", unit="LU", low=-24.0, high=12.0)
    text = "Coloured by what is lost beyond pink noise."
    found.append({"title": "Other loudspeakers", "text": text, "drawing": drawing})
    if "mono_band" in by_name:
        limit = by_name["mono_band"]
        bands = [
            (f"{band.name}, {band.low_hz:g}–{band.high_hz:g} Hz", -band.lost_db, _band_status(band.lost_db, limit))
            for band in report.mono.bands
        ]
        drawing = bar_chart(bands, title="Level in mono against stereo", unit="dB", low=-12.0, high=2.0)
        found.append({"title": "Mono", "text": "0 for equal channels, −3 for unrelated ones.", "drawing": drawing})
        series = report.levels.correlation_series.tolist()
        drawing = time_chart(
            series, first_s=0.4, step_s=0.1, length_s=length_s, title="Correlation over 400 ms",
            check=by_name["correlation"], low=-1.0, high=1.0,
        )  # fmt: skip
        found.append(
            {"title": "Correlation", "text": "1 is mono, 0 is unrelated, below 0 cancels.", "drawing": drawing}
        )
        drawing = width_chart(report.spectrum, report.balance.thirds_hz)
        found.append(
            {
                "title": "Stereo width",
                "text": "Sides against the middle per third octave: at 0 dB both are equally loud.",
                "drawing": drawing,
            }
        )
    if len(report.psr_lu):
        drawing = time_chart(
            report.psr_lu.tolist(), first_s=3.0, step_s=0.1, length_s=length_s, title="PSR, LU",
            check=by_name["psr"], low=0.0, high=24.0,
        )  # fmt: skip
        found.append({"title": "Peak to short-term loudness", "text": "", "drawing": drawing})
    return found


def _band_status(lost_db: float, limit: Check) -> Status:
    return Status.FAIL if lost_db > limit.fail else Status.WARN if lost_db > limit.warn else Status.PASS


def check_tables(checked: Checked) -> dict[str, list[dict[str, str]]]:
    """Return the rows of checks, platforms and codecs, what needs a look first."""
    order = [Status.FAIL, Status.WARN, Status.PASS]
    return {
        "checks": [check_row(check) for check in sorted(checked.checks, key=lambda one: order.index(one.status))],
        "platforms": [
            {
                "title": one.title,
                "loudness": words.number(one.loudness_lufs),
                "gain": words.number(one.gain_db),
                "held": f"{words.number(one.held_back_db)} dB" if one.held_back_db else "",
                "limiter": f"{words.number(one.limiter_db)} dB" if one.limiter_db else "",
                "peak": words.number(one.true_peak_dbtp),
                "status": one.status,
            }
            for one in checked.report.platforms
        ],
        "codecs": [
            {
                "title": one.codec.title,
                "peak": words.number(one.true_peak_dbtp, 2),
                "clipped": str(one.clipped_samples),
                "change": words.number(one.loudness_change_lu, 2),
                "residual": ", ".join(f"{name} {words.number(level, 0)}" for name, level in one.residual),
            }
            for one in checked.codecs
        ],
    }


def check_html(checked: Checked) -> str:
    """Return a check as HTML that loads nothing."""
    report = checked.report
    context: dict[str, Any] = {
        "title": f"Check of {checked.name}",
        "status": checked.status.value,
        "verdict_words": verdict_words(checked),
        "tiles": [
            {"value": words.number(report.measurement.loudness.integrated_lufs), "unit": "LUFS", "name": "integrated"},
            {"value": words.number(report.measurement.true_peak.max_dbtp, 2), "unit": "dBTP", "name": "true peak"},
            {"value": words.number(report.plr_lu), "unit": "LU", "name": "PLR"},
            {"value": words.number(report.psr_p10_lu), "unit": "LU", "name": "PSR, lowest tenth"},
            {
                "value": words.number(report.levels.correlation_p5, 2),
                "unit": "",
                "name": "correlation, worst 5 %",
            },
            {"value": words.number(report.levels.noise_floor_dbfs), "unit": "dBFS", "name": "quietest 0.4 s"},
        ],
        "pictures": pictures(checked),
        "engine_version": ENGINE_VERSION,
        **check_tables(checked),
    }
    return environment().get_template(TEMPLATE).render(**context)


def write_check(path: Path, checked: Checked) -> None:
    """Write a check; the extension decides between page and JSON.

    Raises
    ------
    OutputError
        Another extension, or the file cannot be written.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        problem = f"a report ends in {' or '.join(FORMATS)}, got {path.name!r}"
        raise OutputError("REPORT_FORMAT_UNKNOWN", problem, "choose one of the two", file=path.name)
    if kind == ".json":
        write_json(path, check_json(checked))
        return
    page = check_html(checked)
    with atomic_file(path) as file:
        file.write(page.encode())
