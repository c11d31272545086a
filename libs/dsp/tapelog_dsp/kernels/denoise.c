/* Gains of a spectral denoiser: Ephraim and Malah's log-spectral amplitude estimator, decision-directed.
 *
 * Serial in time, independent over bins.
 */
#include "tapelog_kernels.h"

#define LN2 0.69314718055994530942
#define LOG2_E 1.4426950408889634074

/* exp(E1(v) / 2) for v > 0; E1 by series below 1 and by a rational approximation above (Abramowitz and Stegun 5.1.53
 * and 5.1.56, absolute errors 2e-7 and 5e-5 of v e^v E1). */
TL_INLINE double half_exponential_integral(double v) {
    double e1;
    if (v < 1.0) {
        double p = 0.00107857;
        p = p * v - 0.00976004;
        p = p * v + 0.05519968;
        p = p * v - 0.24991055;
        p = p * v + 0.99999193;
        p = p * v - 0.57721566;
        e1 = p - LN2 * tl_log2(v);
    } else {
        const double top = (v + 2.334733) * v + 0.250621;
        const double bottom = (v + 3.330657) * v + 1.681534;
        e1 = tl_exp2(-v * LOG2_E) / v * (top / bottom);
    }
    return tl_exp2(0.5 * LOG2_E * e1);
}

/* power, gain: [rows][bins]; noise, memory: [bins]. `memory` is the last cleaned power over the noise, kept over calls.
 * settings: alpha of the decision-directed estimate, least a-priori SNR, least gain. */
TL_EXPORT void tl_denoise_gain(const double *power, const double *noise, double *memory, int64_t rows, int64_t bins,
                               const double *settings, double *gain) {
    const double alpha = settings[0], snr_min = settings[1], gain_min = settings[2];
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t b = 0; b < bins; b++) {
            const double posterior = tl_min(power[r * bins + b] / noise[b], 1e8);
            const double prior =
                tl_max(alpha * memory[b] + (1.0 - alpha) * tl_max(posterior - 1.0, 0.0), snr_min);
            const double wiener = prior / (1.0 + prior);
            const double v = tl_max(posterior * wiener, 1e-6);
            const double g = tl_min(wiener * half_exponential_integral(v), 1.0);
            memory[b] = g * g * posterior;
            gain[r * bins + b] = tl_max(g, gain_min);
        }
    }
}
