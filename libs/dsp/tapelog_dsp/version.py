"""The engine's own version, pinned in every render digest."""

from typing import Final

ENGINE_VERSION: Final = "tapelog-dsp/6"
"""Changes whenever the same recipe could give other samples; caches and approvals then know."""
