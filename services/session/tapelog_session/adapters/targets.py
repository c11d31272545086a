"""The named loudness targets: the core's table and the installation's own, as the domain reads it."""

from pathlib import Path

from tapelog_dsp import read_targets

from tapelog_session.domain.versioning.targets import Target, Targets


def known_targets(own: Path | None = None) -> Targets:
    """Return every target of the core, and of an installation's own file, by its name.

    Raises
    ------
    ParameterError
        The file cannot be used; the service does not start.
    """
    return {name: Target(row.integrated_lufs, row.true_peak_dbtp) for name, row in read_targets(own).items()}
