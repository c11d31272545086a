"""Names that a package imports when they are first asked for: most commands need few of all that it has."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def on_demand(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """Return a package's ``__getattr__``.

    Parameters
    ----------
    package : str
        Its ``__name__``.
    modules : mapping of str to str
        Of a module within it, the names that it has, with spaces between.
    """
    where = {name: f"{package}.{module}" for module, names in modules.items() for name in names.split()}

    def find(name: str) -> object:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(where[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return find
