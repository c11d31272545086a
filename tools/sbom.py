"""Writes dist/tapelog-<version>.cdx.json: what Tapelog consists of, from the lock, as CycloneDX 1.6.

python tools/sbom.py [FILE]

The same lock makes the same bytes: there is no time in it, and its serial number follows from the lock.
"""

import hashlib
import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any, Final

from lock_file import LOCK, ROOT, Locked, read

SPEC: Final = "1.6"


def purl(name: str, version: str) -> str:
    """Return a package's URL as the purl specification has it."""
    return f"pkg:pypi/{name}@{version}"


def document(packages: list[Locked], project: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return the bill of materials.

    Parameters
    ----------
    packages : list[Locked]
    project : dict
        The `[project]` table of pyproject.toml.
    digest : str
        SHA-256 of the lock, hex.
    """
    own = purl(project["name"], project["version"])
    needs: dict[str, set[str]] = {own: set(), **{purl(item.name, item.version): set() for item in packages}}
    refs: dict[str, list[str]] = {project["name"]: [own]}
    for item in packages:  # some are locked in two versions, for different platforms
        refs.setdefault(item.name, []).append(purl(item.name, item.version))
    for item in packages:
        for wanting in (ref for name in item.wanted_by for ref in refs[name]):
            needs[wanting].add(purl(item.name, item.version))
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPEC}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{own}#{digest}')}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "purl": own,
                "licenses": [{"license": {"id": project["license"]}}],
            },
            "properties": [{"name": "tapelog:lock:sha256", "value": digest}],
        },
        "components": [
            {
                "type": "library",
                "bom-ref": purl(item.name, item.version),
                "name": item.name,
                "version": item.version,
                "purl": purl(item.name, item.version),
                # One for each file of the release, because the lock serves every platform.
                "hashes": [{"alg": "SHA-256", "content": sha256} for sha256 in item.sha256],
                **({"properties": [{"name": "tapelog:marker", "value": item.marker}]} if item.marker else {}),
            }
            for item in packages
        ],
        "dependencies": [{"ref": ref, "dependsOn": sorted(needs[ref])} for ref in sorted(needs)],
    }


def main() -> int:
    """Write the file and say where it is."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name = re.sub(r"[^\w.-]", "_", f"{project['name']}-{project['version']}.cdx.json")
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist" / name
    made = document(read(), project, hashlib.sha256(LOCK.read_bytes()).hexdigest())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made, indent=1) + "\n")
    print(f"{len(made['components'])} packages in {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
