/* A feedback delay whose settings move: the read position follows its time as a tape head would. */
#include "tapelog_kernels.h"

enum { FRAMES, FEEDBACK, LOWPASS, HIGHPASS, WET, DRY, SETTINGS }; /* the same in kernels/glide.py */

static const double GLIDE = 0.5; /* frames per frame at most: a fifth up, an octave down */

TL_INLINE double smooth(double *state, double b, double x) {
    *state += b * (x - *state);
    return *state;
}

/* What was written `back` frames ago, between frames by the cubic of Catmull and Rom; whole frames are exact. */
TL_INLINE double read_back(const double *line, int64_t length, int64_t at, double back) {
    const int64_t whole = (int64_t)back;
    const double t = back - (double)whole;
    double v[4];
    for (int64_t k = 0; k < 4; k++) {
        const int64_t place = at - (whole - 1 + k);
        v[k] = line[place < 0 ? place + length : place];
    }
    const double one = 0.5 * (v[2] - v[0]);
    const double two = v[0] - 2.5 * v[1] + 2.0 * v[2] - 0.5 * v[3];
    const double three = 0.5 * (v[3] - v[0]) + 1.5 * (v[1] - v[2]);
    return ((three * t + two) * t + one) * t + v[1];
}

/* The delay of effects.c with settings that go from `from` to `to` [6] over `span` frames, of which `offset` have
 * passed. ring [channels, length], filters [channels, 2], position [1]: how far back the head stands, at least 2.
 * channels = -2 is a ping-pong. */
TL_EXPORT void tl_glide_delay(double *ring, double *filters, double *position, int64_t length, int64_t clock,
                              const double *from, const double *to, int64_t offset, int64_t span, const double *x,
                              double *y, int64_t channels, int64_t frames) {
    const int ping_pong = channels == -2;
    const int64_t count = ping_pong ? 2 : channels;
    int64_t at = clock;
    double head = *position, s[SETTINGS];
    for (int64_t n = 0; n < frames; n++) {
        const double way = (double)(offset + n) / (double)span;
        for (int k = 0; k < SETTINGS; k++) s[k] = from[k] + (to[k] - from[k]) * way;
        head += tl_max(-GLIDE, tl_min(GLIDE, s[FRAMES] - head));
        double crossed[2] = {0.0, 0.0};
        for (int64_t c = 0; c < count; c++) {
            double *memory = filters + 2 * c;
            double echo = smooth(memory, s[LOWPASS], read_back(ring + c * length, length, at, head));
            echo -= smooth(memory + 1, s[HIGHPASS], echo);
            const double in = x[c * frames + n];
            if (ping_pong)
                crossed[c] = echo;
            else
                ring[c * length + at] = in + echo * s[FEEDBACK];
            y[c * frames + n] = in * s[DRY] + echo * s[WET];
        }
        if (ping_pong) {
            ring[at] = 0.5 * (x[n] + x[frames + n]) + crossed[1] * s[FEEDBACK];
            ring[length + at] = crossed[0] * s[FEEDBACK];
        }
        at = at + 1 == length ? 0 : at + 1;
    }
    *position = head;
}
