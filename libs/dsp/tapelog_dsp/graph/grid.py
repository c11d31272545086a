"""The grid that signals stand on between strips, so that every sum is exact.

What leaves a strip (after its fader, and before it for a pre-fader send) and what a send makes of it is rounded to a
whole number of steps of 2^-34 (-205 dBFS) and held within +-1024 (+60 dBFS). A double holds 53 bits: sums of up to 512
such numbers are exact, so they do not depend on the order in which they are taken, and one of them can be taken out of
a sum again by adding its negative. The kernels do this (`tl_on_grid`).
"""

from typing import Final

STEP: Final = 2.0**-34
"""Half of it is the largest rounding error: -211 dBFS, far below that of the float32 that carries the signal."""

HIGHEST: Final = 1024.0
"""What is louder than this between two strips is held there: 60 dB over full scale, where sources are refused too."""

WAYS_MAX: Final = 512
"""Ways into one strip: 512 times 1024 in steps of 2^-34 is 2^53."""
