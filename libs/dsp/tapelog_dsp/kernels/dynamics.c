/* Dynamics: the compressor's gain curve. Detection and curve run over time in vectors; only the two smoothing
 * recursions are serial. */
#include "tapelog_kernels.h"

enum { CHUNK = 256 };

static const double DB_PER_OCTAVE = 6.020599913279624; /* 20 log10(2) */
static const double OCTAVES_PER_DB = 0.1660964047443681;
static const double LEVEL_FLOOR = 1e-10; /* -200 dBFS: keeps the logarithm of silence finite */

/* Order of the settings and of the state, the same in kernels/dynamics.py. */
enum { THRESHOLD_DB, KNEE_DB, SLOPE, ATTACK, RELEASE, MAKEUP_DB, MIX, POWER };
enum { HELD_DB, SMOOTH_DB, MEAN_SQUARE, REDUCTION_MAX_DB, REDUCTION_SUM_DB };

/* Giannoulis, Massberg, Reiss 2012: soft knee of eq. (4), smooth decoupled peak detector of eq. (17), in dB.
 *
 * key [channels, frames] is what the detector hears; channels are linked by their maximum. With POWER > 0 the level is
 * the root of a one-pole mean square instead of the peak. gain [frames] is linear, make-up and dry/wet mix included. */
TL_EXPORT void tl_compress(const double *settings, double *state, const double *key, double *restrict gain,
                           int64_t channels, int64_t frames) {
    const double threshold = settings[THRESHOLD_DB], half_knee = 0.5 * settings[KNEE_DB], slope = settings[SLOPE];
    const double attack = settings[ATTACK], release = settings[RELEASE], makeup = settings[MAKEUP_DB];
    const double wet = settings[MIX], dry = 1.0 - settings[MIX], power = settings[POWER];
    const double knee_scale = settings[KNEE_DB] > 0.0 ? 0.5 / settings[KNEE_DB] : 0.0;
    const double log_scale = power > 0.0 ? 0.5 * DB_PER_OCTAVE : DB_PER_OCTAVE;
    const double floor = power > 0.0 ? LEVEL_FLOOR * LEVEL_FLOOR : LEVEL_FLOOR;
    double held = state[HELD_DB], smooth = state[SMOOTH_DB], mean = state[MEAN_SQUARE];
    double most = state[REDUCTION_MAX_DB], sum = state[REDUCTION_SUM_DB];
    double level[CHUNK];

    for (int64_t first = 0; first < frames; first += CHUNK) {
        const int64_t count = frames - first < CHUNK ? frames - first : CHUNK;
        for (int64_t n = 0; n < count; n++) level[n] = tl_abs(key[first + n]);
        for (int64_t c = 1; c < channels; c++)
            for (int64_t n = 0; n < count; n++) level[n] = tl_max(level[n], tl_abs(key[c * frames + first + n]));
        if (power > 0.0)
            for (int64_t n = 0; n < count; n++) {
                mean += power * (level[n] * level[n] - mean);
                level[n] = mean;
            }
        for (int64_t n = 0; n < count; n++) {
            const double over = log_scale * tl_level_log2(tl_max(level[n], floor)) - threshold;
            const double into = over + half_knee;
            const double bent = into * into * knee_scale;
            const double above = over > half_knee ? over : bent;
            level[n] = into <= 0.0 ? 0.0 : above * slope;
        }
        for (int64_t n = 0; n < count; n++) {
            held = tl_max(level[n], held + release * (level[n] - held));
            smooth += attack * (held - smooth);
            level[n] = smooth;
            most = tl_max(most, smooth);
            sum += smooth;
        }
        for (int64_t n = 0; n < count; n++)
            gain[first + n] = tl_gain_exp2((makeup - level[n]) * OCTAVES_PER_DB) * wet + dry;
    }
    state[HELD_DB] = held;
    state[SMOOTH_DB] = smooth;
    state[MEAN_SQUARE] = mean;
    state[REDUCTION_MAX_DB] = most;
    state[REDUCTION_SUM_DB] = sum;
}

/* Order of the gate's settings and state, the same in kernels/dynamics.py. */
enum { G_OPEN, G_CLOSE, G_THRESHOLD_DB, G_SLOPE, G_RANGE_DB, G_ATTACK, G_RELEASE, G_DECAY, G_HOLD };
enum { G_LEVEL, G_REDUCTION_DB, G_IS_OPEN, G_HELD, G_OPEN_FRAMES };

/* A gate or downward expander: opens at one level, closes at a lower one after a hold; while it is closed the gain falls
 * by SLOPE dB for each dB below the threshold, at most by the range. gain [frames] is linear. */
TL_EXPORT void tl_gate(const double *s, double *state, const double *key, double *restrict gain, int64_t channels,
                       int64_t frames) {
    double level = state[G_LEVEL], reduction = state[G_REDUCTION_DB], open = state[G_IS_OPEN], held = state[G_HELD];
    double opened = state[G_OPEN_FRAMES];
    for (int64_t n = 0; n < frames; n++) {
        double peak = tl_abs(key[n]);
        for (int64_t c = 1; c < channels; c++) peak = tl_max(peak, tl_abs(key[c * frames + n]));
        level = tl_max(peak, level + s[G_DECAY] * (peak - level));
        if (level >= s[G_OPEN]) {
            open = 1.0;
            held = s[G_HOLD];
        } else if (level >= s[G_CLOSE]) {
            held = open > 0.0 ? s[G_HOLD] : held;
        } else if (held > 0.0) {
            held -= 1.0;
        } else {
            open = 0.0;
        }
        opened += open;
        double wanted = 0.0;
        if (open == 0.0) {
            const double below = s[G_THRESHOLD_DB] - DB_PER_OCTAVE * tl_log2(tl_max(level, LEVEL_FLOOR));
            wanted = tl_min(s[G_RANGE_DB], tl_max(below, 0.0) * s[G_SLOPE]);
        }
        reduction += (wanted < reduction ? s[G_ATTACK] : s[G_RELEASE]) * (wanted - reduction);
        gain[n] = reduction;
    }
    for (int64_t n = 0; n < frames; n++) gain[n] = tl_exp2(-gain[n] * OCTAVES_PER_DB);
    state[G_LEVEL] = level;
    state[G_REDUCTION_DB] = reduction;
    state[G_IS_OPEN] = open;
    state[G_HELD] = held;
    state[G_OPEN_FRAMES] = opened;
}
