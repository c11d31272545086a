/* The console's own arithmetic: curves, faders, pan, sums, and the rounding to float32 between nodes. */
#include "tapelog_kernels.h"

TL_EXPORT void tl_log2_array(const double *x, double *y, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = tl_log2(x[n]);
}

TL_EXPORT void tl_exp2_array(const double *x, double *y, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = tl_exp2(x[n]);
}

/* y = float32(x * gain[n] * side), one channel. */
TL_EXPORT void tl_fade(const double *restrict x, const double *restrict gain, double side, double *restrict y,
                       int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = (double)(float)(x[n] * gain[n] * side);
}

/* The same for a fader that does not move. */
TL_EXPORT void tl_fade_fixed(const double *restrict x, double gain, double side, double *restrict y, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) y[n] = (double)(float)(x[n] * gain * side);
}

/* sum += x * gain; the caller calls in a fixed order, so the sum has one value. */
TL_EXPORT void tl_accumulate(const double *restrict x, double gain, double *restrict sum, int64_t frames) {
    for (int64_t n = 0; n < frames; n++) sum[n] += x[n] * gain;
}

/* y[c] = x[c] * gain[n] for every channel: what the dynamics processors do with their curve. */
TL_EXPORT void tl_apply_curve(const double *restrict x, const double *restrict gain, double *restrict y,
                              int64_t channels, int64_t frames) {
    for (int64_t c = 0; c < channels; c++)
        for (int64_t n = 0; n < frames; n++) y[c * frames + n] = x[c * frames + n] * gain[n];
}
