"""Repair of damaged takes: find, prove, repair, report; what is not damaged is not touched.

Each tool is a module with ``detect(samples, sample_rate) -> Finding`` and
``repair(samples, sample_rate, finding) -> (samples, RepairReport)``; `clean` runs them all.
"""

from tapelog_dsp.repair import click, clip, dc, dropout, hum, noise, plosive, rumble
from tapelog_dsp.repair.chain import TOOLS, CleanResult, clean, clean_store, inspect
from tapelog_dsp.repair.click import ClickSettings
from tapelog_dsp.repair.clip import ClipSettings
from tapelog_dsp.repair.dc import DcSettings
from tapelog_dsp.repair.dropout import DropoutSettings, find_silences, silences
from tapelog_dsp.repair.hum import HumSettings
from tapelog_dsp.repair.noise import NoiseSettings
from tapelog_dsp.repair.plosive import PlosiveSettings
from tapelog_dsp.repair.report import Finding, RepairReport, Span
from tapelog_dsp.repair.rumble import RumbleSettings

__all__ = [
    "TOOLS",
    "CleanResult",
    "ClickSettings",
    "ClipSettings",
    "DcSettings",
    "DropoutSettings",
    "Finding",
    "HumSettings",
    "NoiseSettings",
    "PlosiveSettings",
    "RepairReport",
    "RumbleSettings",
    "Span",
    "clean",
    "clean_store",
    "click",
    "clip",
    "dc",
    "dropout",
    "find_silences",
    "hum",
    "inspect",
    "noise",
    "plosive",
    "rumble",
    "silences",
]
