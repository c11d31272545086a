"""What can go wrong in the mix and master core, as one small tree."""


class DspError(Exception):
    """Base of every error that this package raises on purpose."""


class ParameterError(DspError, ValueError):
    """Raised when a setting is outside the range that the processor is defined for.

    Attributes
    ----------
    parameter : str
        Dotted name of the setting, for example ``Compressor.ratio``.
    value : object
        The value that was given.
    limit : str
        What would have been accepted, in words.
    """

    def __init__(self, parameter: str, value: object, limit: str) -> None:
        super().__init__(f"{parameter} must be {limit}, got {value!r}")
        self.parameter = parameter
        self.value = value
        self.limit = limit


class AudioError(DspError, ValueError):
    """Raised when a buffer is no audio: wrong type, wrong shape, or not finite everywhere."""


class GraphError(DspError, ValueError):
    """Raised when a mix cannot be wired: an unknown bus, a name used twice, a loop."""


class TargetUnknownError(DspError, LookupError):
    """Raised when no delivery target has the name that was asked for.

    Attributes
    ----------
    name : str
        The name that was asked for.
    known : tuple of str
        The names that exist.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no delivery target is called {name!r}; known targets: {', '.join(known)}")
        self.name = name
        self.known = known


class KernelsMissingError(DspError, RuntimeError):
    """Raised when the compiled kernels are absent, stale, or made for another kind of processor."""
