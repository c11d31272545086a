"""Tests of the review page. A package, so that their stack ends with them (fixtures of the package's scope)."""
