"""Targets of masters: the core's table by name, overridden by what a recipe writes."""

from pathlib import Path
from typing import Any

import pytest
import tapelog_dsp
from tapelog.common.v1 import audio_pb2, recipe_pb2
from tapelog_desk.targets import aim
from tapelog_session.adapters.targets import known_targets
from tapelog_session.domain.errors import InvalidCommand
from tapelog_session.domain.versioning.targets import loudness_fault, resolve_target, true_peak_fault


@pytest.mark.parametrize("name", [name for name, row in tapelog_dsp.load_targets().items() if row.integrated_lufs])
def test_a_named_target_is_what_the_engine_drives_to(name: str) -> None:
    """The gate compares with the same three numbers that the desk masters by."""
    target = recipe_pb2.MasterTarget(name=name)
    resolved, wanted = resolve_target(target, known_targets()), aim(target)
    assert (resolved.integrated_lufs, resolved.ceiling_dbtp, resolved.tolerance_lu) == (
        wanted.integrated_lufs,
        wanted.ceiling_dbtp,
        wanted.tolerance_lu,
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"name": "cassette"}, "UNKNOWN_TARGET"),
        ({}, "TARGET_OPEN"),
        ({"integrated_lufs": -14}, "TARGET_OPEN"),
        ({"name": "cd"}, "TARGET_OPEN"),
    ],
)
def test_a_target_that_leaves_something_open_is_refused(values: dict[str, Any], reason: str) -> None:
    """An unknown name, no numbers, half of them, or a medium whose loudness is free."""
    with pytest.raises(InvalidCommand) as refused:
        resolve_target(recipe_pb2.MasterTarget(**values), known_targets())
    assert refused.value.reason == reason


def test_numbers_of_the_recipe_override_the_name() -> None:
    """A free loudness is filled in, a ceiling replaced."""
    written = recipe_pb2.MasterTarget(name="cd", integrated_lufs=-10, ceiling_dbtp=-0.5, tolerance_lu=0.1)
    assert resolve_target(written, known_targets()) == written


@pytest.mark.parametrize(
    ("lufs", "dbtp", "fits"),
    [(-14.2, -1.0, True), (-13.8, -1.0, True), (-14.21, -1.0, False), (-14.0, -0.99, False), (-14.0, -3.0, True)],
)
def test_a_master_fits_its_target_or_the_fault_says_how_not(lufs: float, dbtp: float, fits: bool) -> None:
    """Two tenths off are inside, on the ceiling is inside; the sentence has value and limit."""
    target = resolve_target(recipe_pb2.MasterTarget(name="streaming"), known_targets())
    measured = audio_pb2.Measurements(integrated_lufs=lufs, true_peak_dbtp=dbtp)
    faults = loudness_fault(target, measured) + true_peak_fault(target, measured)
    assert (not faults) == fits
    assert loudness_fault(target, audio_pb2.Measurements())
    assert true_peak_fault(target, audio_pb2.Measurements())


def test_an_installation_may_have_targets_of_its_own(tmp_path: Path) -> None:
    """A row of the installation's file is written out like a published one, and the desk drives to the same numbers."""
    file = tmp_path / "targets.toml"
    file.write_text(
        '[club]\ntitle = "Club"\nintegrated_lufs = -8.0\ntrue_peak_dbtp = -0.5\nbits = 24\nnormalisation = "none"\n'
        'status = "own"\nsource = "our own"\ndate = "2025-11"\n'
    )
    resolved = resolve_target(recipe_pb2.MasterTarget(name="club"), known_targets(file))
    wanted = aim(resolved)
    assert (resolved.name, resolved.integrated_lufs, resolved.ceiling_dbtp) == ("club", -8.0, -0.5)
    assert (wanted.name, wanted.integrated_lufs, wanted.ceiling_dbtp) == ("club", -8.0, -0.5)
