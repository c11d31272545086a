"""Door to ``denoise.c``: the gains of a spectral denoiser."""

import numpy as np

from tapelog_dsp.kernels.call import Float64s, address, function


def denoise_gain(power: Float64s, noise: Float64s, memory: Float64s, settings: Float64s) -> Float64s:
    """Return gains ``[rows, bins]`` for power spectra ``[rows, bins]``; ``memory [bins]`` moves on in place.

    Parameters
    ----------
    power : ndarray [shape=(rows, bins)]
        One row per moment.
    noise : ndarray [shape=(bins,)]
        Mean power of the noise, above 0.
    memory : ndarray [shape=(bins,)]
        The last cleaned power over the noise; 1 at the start.
    settings : ndarray [shape=(3,)]
        Weight of the memory, least a-priori ratio, least gain.
    """
    gains = np.empty_like(power)
    function("tl_denoise_gain", "pppllpp")(
        address(power), address(noise), address(memory), *power.shape, address(settings), address(gains)
    )
    return gains
