"""What `kustomize build` makes of a folder, as far as these manifests use it: resources, components, merged patches.

No kustomize is at hand where the tests run. Merging is that of Kubernetes' strategic merge patches: maps are merged,
lists of things with a name by that name, other lists replaced; `$patch: delete` takes away.
"""

import copy
from pathlib import Path
from typing import Any, Final

import yaml

Manifest = dict[str, Any]
KEYS: Final = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "ports": "containerPort",
}
"""Merge keys of the lists that are merged; the API's own `x-kubernetes-patch-merge-key`."""


def load(path: Path) -> list[Manifest]:
    """Read the documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def build(folder: Path) -> list[Manifest]:
    """Return the manifests of an overlay."""
    return _apply(folder, [])


def files(folder: Path) -> set[Path]:
    """Return every file that a folder's kustomization names."""
    (kustomization,) = load(folder / "kustomization.yaml")
    named = [*kustomization.get("resources", ()), *(patch["path"] for patch in kustomization.get("patches", ()))]
    named += [name for item in kustomization.get("configMapGenerator", ()) for name in item["files"]]
    return {(folder / name).resolve() for name in named if not (folder / name).is_dir()}


def _apply(folder: Path, manifests: list[Manifest]) -> list[Manifest]:
    (kustomization,) = load(folder / "kustomization.yaml")
    found = list(manifests)
    for name in kustomization.get("resources", ()):
        path = folder / name
        found += build(path) if path.is_dir() else load(path)
    for item in kustomization.get("configMapGenerator", ()):
        data = {Path(name).name: (folder / name).read_text() for name in item["files"]}
        found = [manifest for manifest in found if _identity(manifest) != ("ConfigMap", item["name"])]
        found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": item["name"]}, "data": data})
    for name in kustomization.get("components", ()):
        found = _apply(folder / name, found)
    for patch in kustomization.get("patches", ()):
        for change in load(folder / patch["path"]):
            places = [place for place, one in enumerate(found) if _identity(one) == _identity(change)]
            if len(places) != 1:
                raise AssertionError(f"{folder / patch['path']} patches {len(places)} manifests")
            if change.get("$patch") == "delete":
                del found[places[0]]
            else:
                found[places[0]] = merge(found[places[0]], change)
    return found


def merge(base: Any, change: Any, *, field: str = "") -> Any:
    """Merge a patch into a manifest."""
    if isinstance(base, dict) and isinstance(change, dict):
        merged = copy.deepcopy(base)
        for name, value in change.items():
            merged[name] = merge(base[name], value, field=name) if name in base else copy.deepcopy(value)
        return merged
    key = KEYS.get(field)
    if not isinstance(base, list) or key is None:
        return copy.deepcopy(change)
    items = {item[key]: item for item in base}
    for item in change:
        if item.get("$patch") == "delete":
            items.pop(item[key])
        else:
            items[item[key]] = merge(items[item[key]], item) if item[key] in items else item
    return list(items.values())


def _identity(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]
