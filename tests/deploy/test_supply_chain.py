"""Bill of materials and audit: both from the lock, both complete."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import audit
import lock_file
import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools"


def sbom(path: Path) -> dict[str, Any]:
    """Make the bill of materials."""
    subprocess.run([sys.executable, TOOLS / "sbom.py", path], check=True, timeout=60, capture_output=True)
    made: dict[str, Any] = json.loads(path.read_text())
    return made


def test_the_bill_of_materials_is_whole_valid_and_the_same_each_time(tmp_path: Path):
    """Every pin of the lock with every hash, valid CycloneDX by its own schema, readable by its own library."""
    made = sbom(tmp_path / "first.json")
    sbom(tmp_path / "second.json")
    text = (tmp_path / "first.json").read_text()
    assert (tmp_path / "second.json").read_text() == text
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    lock = (ROOT / "requirements.txt").read_text()
    pins = set(re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^\s;]+)", lock, re.MULTILINE))
    assert {(item["name"], item["version"]) for item in made["components"]} == pins
    hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", lock)
    assert sorted(h["content"] for item in made["components"] for h in item["hashes"]) == sorted(hashes)
    bom = Bom.from_json(made)
    assert len(bom.components) == len(pins)
    depends = {item["ref"]: item["dependsOn"] for item in made["dependencies"]}
    own = made["metadata"]["component"]["bom-ref"]
    assert any("pkg:pypi/grpcio@" in ref for ref in depends[own])
    reached, open_ends = set(), [own]
    while open_ends:
        ref = open_ends.pop()
        if ref not in reached:
            reached.add(ref)
            open_ends += depends[ref]
    assert reached == set(depends), "something in the lock is wanted by nobody"


def test_a_lock_without_a_hash_is_refused(tmp_path: Path):
    """A pin alone is not a lock."""
    (tmp_path / "requirements.txt").write_text("numpy==2.3.0\n    # via tapelog (pyproject.toml)\n")
    with pytest.raises(ValueError, match="numpy"):
        lock_file.read(tmp_path / "requirements.txt")


@pytest.mark.parametrize(
    ("report", "code", "said"),
    [
        (
            {"dependencies": [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "version": "2", "vulns": []}]},
            0,
            "",
        ),
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}]}, 2, "b 2 was not checked"),
        ({"dependencies": [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "no"}]}, 2, "b 2"),
        (
            {
                "dependencies": [
                    {"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["1.1"]}]},
                    {"name": "b", "skip_reason": "no"},
                ]
            },
            1,
            "X-1, mended in 1.1",
        ),
        ({"dependencies": [{"name": "a", "version": "0", "vulns": []}, {"name": "b", "version": "2"}]}, 2, "a 1"),
        (None, 2, "nothing was checked"),
    ],
    ids=["safe", "missing", "skipped", "vulnerable", "another version", "no report"],
)
def test_what_was_not_checked_is_not_safe(report: dict[str, Any] | None, code: int, said: str):
    """Only a report that names every locked package, without a skip, is a pass; a known weakness outranks a gap."""
    locked = [lock_file.Locked(name, version, "", ("0" * 64,), ()) for name, version in (("a", "1"), ("b", "2"))]
    found, lines = audit.judge(report, locked)
    assert found == code
    assert said in "\n".join(lines)
