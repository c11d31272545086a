#!/usr/bin/env bash
# Resolves the hashed requirement files. No host name may reach them, so index urls are never emitted.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "lock.sh needs uv: python3 -m pip install uv" >&2; exit 1; }
common=(--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet)
uv pip compile pyproject.toml -o requirements.txt "${common[@]}"
uv pip compile pyproject.toml --extra dev -c requirements.txt -o requirements-dev.txt "${common[@]}"
# What a build needs before anything else: the build backend, the kernels' compiler, and setuptools for nkeys, which has no wheel.
printf '%s\n' hatchling editables ziglang setuptools |
  uv pip compile - -c requirements-dev.txt -o requirements-build.txt "${common[@]}"
