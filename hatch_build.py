"""Build hook: compiles the DSP kernels. The DSP package owns the list of sources and targets."""

import importlib.util
import sysconfig
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # generic only in hatchling's own stubs
    """Runs before a wheel or an editable install is made."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Compile every kernel library for this platform; nothing happens when the sources did not change."""
        script = Path(self.root) / "libs/dsp/tapelog_dsp/kernels/build.py"
        specification = importlib.util.spec_from_file_location("tapelog_kernel_build", script)
        if specification is None or specification.loader is None:
            raise RuntimeError(f"the kernel build script is missing: {script}")
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        for library in module.build():
            self.app.display_info(f"built {library.name}")
        if version != "editable":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{platform}"
