/* BS.1770 K-weighting and its energy per hop of 10 ms, many hops beside each other.
 *
 * A recursion is serial in time, but what a hop leaves in the filters' memory is a sum over its samples: the state at
 * its end is A^N s + sum_j A^j B x[N - 1 - j]. So the memory at the start of every hop is found first, by four dot
 * products per hop; then eight hops are filtered as the eight lanes of a vector. Hops lie on the programme's clock, so
 * neither the size of a block nor the lane that a hop falls into can be seen in the result.
 */
#include "tapelog_kernels.h"

typedef double v8d __attribute__((vector_size(64), aligned(8)));

enum { STATES = 4, HOPS = 8, TILE = 8, CHANNELS = 2 };

/* Second-order sections as filters.c has them; the second one's numerator is 1, -2, 1 at every rate. */
#define WEIGH(x, a1, a2, b1, b2, sum)                    \
    do {                                                 \
        const __typeof__(x) mid = c[0] * (x) + (a1);     \
        (a1) = (c[1] * (x) + (a2)) - c[3] * mid;         \
        (a2) = c[2] * (x) - c[4] * mid;                  \
        const __typeof__(x) out = mid + (b1);            \
        (b1) = ((b2) - (mid + mid)) - c[8] * out;        \
        (b2) = mid - c[9] * out;                         \
        (sum) += out * out;                              \
    } while (0)

TL_INLINE double added(v8d x) {
    return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

/* Move the state [4] of one channel over a hop: reach [4, longest] holds A^j B, the newest sample's last; power [4, 4]
 * is A^N. */
TL_INLINE void move_on(const double *reach, int64_t longest, const double *power, double *state, const double *x,
                       int64_t frames) {
    const double *from = reach + longest - frames;
    v8d sum[STATES] = {{0}, {0}, {0}, {0}};
    int64_t n = 0;
    for (; n + HOPS <= frames; n += HOPS)
        for (int i = 0; i < STATES; i++) sum[i] += *(const v8d *)(from + i * longest + n) * *(const v8d *)(x + n);
    double next[STATES];
    for (int i = 0; i < STATES; i++) {
        double total = added(sum[i]);
        for (int64_t m = n; m < frames; m++) total += from[i * longest + m] * x[m];
        for (int k = 0; k < STATES; k++) total += power[STATES * i + k] * state[k];
        next[i] = total;
    }
    for (int i = 0; i < STATES; i++) state[i] = next[i];
}

TL_INLINE double hop_energy(const double *c, const double *state, const double *x, int64_t frames) {
    double a1 = state[0], a2 = state[1], b1 = state[2], b2 = state[3], sum = 0.0;
    for (int64_t n = 0; n < frames; n++) WEIGH(x[n], a1, a2, b1, b2, sum);
    return sum;
}

/* Eight rows of eight, row h from x + rows[h], to eight columns. */
TL_INLINE void transpose(const double *x, const int64_t rows[HOPS], v8d *out) {
    v8d r[8], s[8], t[8];
    for (int h = 0; h < 8; h++) r[h] = *(const v8d *)(x + rows[h]);
    for (int h = 0; h < 8; h += 2) {
        s[h] = __builtin_shufflevector(r[h], r[h + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        s[h + 1] = __builtin_shufflevector(r[h], r[h + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int h = 0; h < 8; h += 4)
        for (int k = 0; k < 2; k++) {
            t[h + k] = __builtin_shufflevector(s[h + k], s[h + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            t[h + k + 2] = __builtin_shufflevector(s[h + k], s[h + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int k = 0; k < 4; k++) {
        out[k] = __builtin_shufflevector(t[k], t[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        out[k + 4] = __builtin_shufflevector(t[k], t[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

/* `count` channels of eight hops of `frames` each, hop h from rows[h] on; starts [count][4] is their memory. */
TL_INLINE void eight_hops(const int count, const double *c, v8d starts[][STATES], const double *x, int64_t stride,
                          const int64_t rows[HOPS], int64_t frames, v8d *energies) {
    v8d a1[CHANNELS], a2[CHANNELS], b1[CHANNELS], b2[CHANNELS], sum[CHANNELS];
    for (int k = 0; k < count; k++) {
        a1[k] = starts[k][0];
        a2[k] = starts[k][1];
        b1[k] = starts[k][2];
        b2[k] = starts[k][3];
        sum[k] = (v8d){0};
    }
    int64_t n = 0;
    for (; n + TILE <= frames; n += TILE) {
        v8d tile[CHANNELS][TILE];
        for (int k = 0; k < count; k++) transpose(x + k * stride + n, rows, tile[k]);
        for (int m = 0; m < TILE; m++)
            for (int k = 0; k < count; k++) WEIGH(tile[k][m], a1[k], a2[k], b1[k], b2[k], sum[k]);
    }
    for (; n < frames; n++)
        for (int k = 0; k < count; k++) {
            v8d now;
            for (int h = 0; h < HOPS; h++) now[h] = x[k * stride + rows[h] + n];
            WEIGH(now, a1[k], a2[k], b1[k], b2[k], sum[k]);
        }
    for (int k = 0; k < count; k++) energies[k] = sum[k];
}

/* Up to eight hops; a lane without one repeats the first. */
TL_INLINE void lanes_of(const int count, const double *sos, const double *reach, int64_t longest, const double *power,
                        double *state, const double *x, int64_t stride, int64_t frames, int64_t hops, int64_t channels,
                        double *energies) {
    v8d starts[CHANNELS][STATES], sums[CHANNELS];
    int64_t rows[HOPS];
    for (int h = 0; h < HOPS; h++) rows[h] = h < hops ? h * frames : 0;
    for (int k = 0; k < count; k++) {
        double *own = state + STATES * k;
        for (int i = 0; i < STATES; i++) starts[k][i] = (v8d){0} + own[i];
        for (int h = 0; h < hops; h++) {
            for (int i = 0; i < STATES; i++) starts[k][i][h] = own[i];
            move_on(reach, longest, power, own, x + k * stride + rows[h], frames);
        }
    }
    eight_hops(count, sos, starts, x, stride, rows, frames, sums);
    for (int k = 0; k < count; k++)
        for (int h = 0; h < hops; h++) energies[h * channels + k] = sums[k][h];
}

/* Energies [hops, channels] of whole hops from the hop `first` on.
 *
 * Hop k covers the frames from floor(k * rate / 100) to floor((k + 1) * rate / 100), `longest` at most; x + c * stride
 * is one channel. sos [2, 5]; reach [4, longest]; power [2, 4, 4]: A^longest and A^(longest - 1); state [channels, 4]
 * moves on. */
TL_EXPORT void tl_hop_energies(const double *sos, const double *reach, int64_t longest, const double *power,
                               double *state, const double *x, int64_t channels, int64_t stride, int64_t first,
                               int64_t hops, int64_t rate, double *energies) {
    const int even = rate % 100 == 0;
    for (int64_t hop = 0; hop < hops;) {
        const int64_t begun = (first + hop) * rate / 100;
        const int64_t frames = (first + hop + 1) * rate / 100 - begun;
        const double *from = x + (begun - first * rate / 100);
        const double *way = power + (frames == longest ? 0 : STATES * STATES);
        double *to = energies + hop * channels;
        const int64_t beside = hops - hop < HOPS ? hops - hop : HOPS;
        if (even && beside > 1) {
            int64_t c = 0;
            for (; c + CHANNELS <= channels; c += CHANNELS)
                lanes_of(CHANNELS, sos, reach, longest, way, state + STATES * c, from + c * stride, stride, frames,
                         beside, channels, to + c);
            if (c < channels)
                lanes_of(1, sos, reach, longest, way, state + STATES * c, from + c * stride, stride, frames, beside,
                         channels, to + c);
            hop += beside;
        } else {
            for (int64_t c = 0; c < channels; c++) {
                to[c] = hop_energy(sos, state + STATES * c, from + c * stride, frames);
                move_on(reach, longest, way, state + STATES * c, from + c * stride, frames);
            }
            hop++;
        }
    }
}
