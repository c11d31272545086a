/* Samples at full scale that are no coincidence: runs of neighbours, counted while everything below is skipped. */
#include "tapelog_kernels.h"

enum { STRIDE = 64 };

TL_INLINE uint64_t size_of(double x) { return tl_bits(x) & 0x7fffffffffffffffull; }

/* Raise peak [1] to the largest magnitude of one channel, and return how many samples lie in runs of `least` or more
 * neighbours with a magnitude from `low` to `high`. run [1] is the length of the run that the samples so far end in.
 *
 * Magnitudes are compared as whole numbers, whose order is the same. */
TL_EXPORT int64_t tl_full_runs(const double *x, int64_t frames, double low, double high, int64_t least, double *peak,
                               int64_t *run) {
    const uint64_t from = tl_bits(low), to = tl_bits(high);
    uint64_t largest = tl_bits(*peak);
    int64_t length = *run, counted = 0;
    for (int64_t begun = 0; begun < frames; begun += STRIDE) {
        const int64_t ended = frames - begun < STRIDE ? frames : begun + STRIDE;
        uint64_t most = 0;
        for (int64_t n = begun; n < ended; n++) most = size_of(x[n]) > most ? size_of(x[n]) : most;
        largest = most > largest ? most : largest;
        if (most < from) {
            length = 0;
            continue;
        }
        for (int64_t n = begun; n < ended; n++) {
            const uint64_t size = size_of(x[n]);
            length = size >= from && size <= to ? length + 1 : 0;
            counted += length == least ? least : length > least;
        }
    }
    *peak = tl_from_bits(largest);
    *run = length;
    return counted;
}
