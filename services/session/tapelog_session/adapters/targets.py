"""The named loudness targets: the core's table, as the domain reads it."""

from tapelog_dsp import load_targets

from tapelog_session.domain.targets import Target, Targets


def known_targets() -> Targets:
    """Return every target of the core by its name."""
    return {name: Target(row.integrated_lufs, row.true_peak_dbtp) for name, row in load_targets().items()}
