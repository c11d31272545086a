"""docs/dsp.md says what the code does: targets, limits, reasons."""

import re
from pathlib import Path

from tapelog_desk import limits
from tapelog_dsp import load_targets

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/dsp.md").read_text()


def test_every_target_is_listed_with_its_numbers():
    """The table is that of the core's own list."""
    for name, target in load_targets().items():
        loudness = "free" if target.integrated_lufs is None else f"{target.integrated_lufs:g}"
        assert f"| `{name}` | {loudness} | {target.true_peak_dbtp:g} | {target.status} |" in PAGE


def test_every_reason_is_explained():
    """No reason is raised that the page does not list, and none is listed that is not raised."""
    code = "".join(
        path.read_text() for folder in ("libs/desk", "cli/tapelog_cli/desk") for path in (ROOT / folder).rglob("*.py")
    )
    pattern = r"(?:SOURCE|OUTPUT|TARGET|RECIPE|REPORT|CODEC)_[A-Z_]+"
    raised = set(re.findall(f'"({pattern})"', code))
    listed = set(re.findall(f"`({pattern})`", PAGE))
    assert raised == listed


def test_the_limits_are_the_published_ones():
    """Each number of the table is the constant's."""
    table = PAGE[PAGE.index("| Limit | Value |") : PAGE.index("## Reasons")]
    for number in (
        f"{limits.FILE_MAX_BYTES // 2**30} GiB; 2 GiB",
        f"{limits.CHANNELS_MAX}; {limits.MIX_CHANNELS_MAX}",
        f"{limits.SAMPLE_RATE_MIN_HZ // 1000} to {limits.SAMPLE_RATE_MAX_HZ // 1000} kHz",
        f"8 to {limits.METER_RATE_MAX_HZ // 1000} kHz",
        f"{limits.LENGTH_MAX_S // 3600} hours, and {limits.SAMPLES_MAX:,} samples",
        f"{limits.RIFF_CHUNKS_MAX:,}",
        f"{limits.ID3_MAX_BYTES // 2**20} MiB",
    ):
        assert number in table, number
