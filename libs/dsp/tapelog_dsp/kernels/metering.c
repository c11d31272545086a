/* Everything that meters read of packed samples, in one pass: unpacked a few hops at a time, and looked at by every
 * meter while the processor's second cache still has them. What each meter does is in the file of its name. */
#include "tapelog_kernels.h"

enum { HOPS = 8 };

void tl_unpack(const uint8_t *restrict raw, int64_t bytes, int64_t channels, double *restrict y, int64_t stride,
               int64_t frames);
void tl_hop_energies(const double *sos, const double *reach, int64_t longest, const double *power, double *state,
                     const double *x, int64_t channels, int64_t stride, int64_t first, int64_t hops, int64_t rate,
                     double *energies);
void tl_true_peak(const double *x, int64_t frames, float *kept, const float *lanes, const float *others,
                  const float *bound, double *peak, float *most);
int64_t tl_full_runs(const double *x, int64_t frames, double low, double high, int64_t least, double *peak,
                     int64_t *run);
void tl_waveform(const double *x, int64_t channels, int64_t stride, int64_t frames, int64_t *clock, double *open,
                 double *low, double *high, int64_t room);

/* Whole hops of 10 ms from the hop `first` on; raw [frames, channels] of `bytes` to a sample (see tl_unpack). room [channels, HOPS hops]
 * is memory to work in. The others are those of the meters: kept [channels, before], energies [hops, channels], peaks,
 * runs and counts [channels], and of the waveform, which is drawn where there is a `clock`. */
TL_EXPORT void tl_meter_packed(const uint8_t *raw, int64_t bytes, int64_t channels, int64_t first, int64_t hops,
                               int64_t rate, double *room, const double *sos, const double *reach, int64_t longest,
                               const double *power, double *state, double *energies, float *kept, int64_t before,
                               const float *lanes, const float *others, const float *bound, double *peak, float *most,
                               double low, double high, int64_t least, double *peaks, int64_t *runs, int64_t *counts,
                               int64_t *clock, double *open, double *lows, double *highs, int64_t buckets) {
    const int64_t sample_bytes = bytes < 0 ? -bytes : bytes;
    const int64_t stride = HOPS * longest;
    for (int64_t hop = 0; hop < hops; hop += HOPS) {
        const int64_t beside = hops - hop < HOPS ? hops - hop : HOPS;
        const int64_t begun = (first + hop) * rate / 100;
        const int64_t frames = (first + hop + beside) * rate / 100 - begun;
        tl_unpack(raw, bytes, channels, room, stride, frames);
        raw += sample_bytes * channels * frames;
        tl_hop_energies(sos, reach, longest, power, state, room, channels, stride, first + hop, beside, rate,
                        energies + hop * channels);
        for (int64_t c = 0; c < channels; c++) {
            const double *x = room + c * stride;
            tl_true_peak(x, frames, kept + c * before, lanes, others, bound, peak, most);
            counts[c] += tl_full_runs(x, frames, low, high, least, peaks + c, runs + c);
        }
        if (clock) tl_waveform(room, channels, stride, frames, clock, open, lows, highs, buckets);
    }
}
