/* A room: four diffusers into eight delays that feed one another through a Householder matrix. */
#include "tapelog_kernels.h"

enum { DIFFUSERS = 4, LOOPS = 8, ROOM_LINES = DIFFUSERS + LOOPS + 1 };
enum { LOWCUT, DAMPING, WET, DRY, DECAYS }; /* then one decay per loop */

TL_INLINE double smooth(double *state, double b, double x) {
    *state += b * (x - *state);
    return *state;
}

/* p [4 + 8]; lengths, positions [13]: diffusers, loops, pre-delay (at least 1); poles [1 + 8]; x and y [channels,
 * frames], a mono input gets the left output. Jot and Chaigne, "Digital delay networks for designing artificial
 * reverberators", AES 90, 1991. */
TL_EXPORT void tl_room(const double *p, const int64_t *lengths, int64_t *positions, double *memory, double *poles,
                       const double *x, double *y, int64_t channels, int64_t frames) {
    double *line[ROOM_LINES];
    for (int k = 0; k < ROOM_LINES; k++) {
        line[k] = memory;
        memory += lengths[k];
    }
    for (int64_t n = 0; n < frames; n++) {
        const double left = x[n], right = x[(channels - 1) * frames + n];
        double in = line[ROOM_LINES - 1][positions[ROOM_LINES - 1]];
        line[ROOM_LINES - 1][positions[ROOM_LINES - 1]] = 0.5 * (left + right);
        in -= smooth(poles, p[LOWCUT], in);
        for (int k = 0; k < DIFFUSERS; k++) {
            const double late = line[k][positions[k]];
            const double entering = in - 0.625 * late;
            line[k][positions[k]] = entering;
            in = late + 0.625 * entering;
        }
        double out[LOOPS], sum = 0.0;
        for (int k = 0; k < LOOPS; k++) {
            out[k] = smooth(poles + 1 + k, p[DAMPING], line[DIFFUSERS + k][positions[DIFFUSERS + k]]) * p[DECAYS + k];
            sum += out[k];
        }
        for (int k = 0; k < LOOPS; k++)
            line[DIFFUSERS + k][positions[DIFFUSERS + k]] = in + (out[k] - 0.25 * sum);
        for (int k = 0; k < ROOM_LINES; k++) positions[k] = positions[k] + 1 == lengths[k] ? 0 : positions[k] + 1;
        const double one = ((out[0] - out[2]) + (out[4] - out[6])) * 0.5;
        const double two = ((out[1] - out[3]) + (out[5] - out[7])) * 0.5;
        y[n] = left * p[DRY] + one * p[WET];
        if (channels > 1) y[frames + n] = right * p[DRY] + two * p[WET];
    }
}
