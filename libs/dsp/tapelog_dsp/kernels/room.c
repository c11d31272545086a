/* A room: four diffusers into eight delays that feed one another through a Householder matrix. */
#include "tapelog_kernels.h"

enum { DIFFUSERS = 4, LOOPS = 8, ROOM_LINES = DIFFUSERS + LOOPS + 1 };
enum { LOWCUT, DAMPING, WET, DRY, DECAYS, PREDELAY = DECAYS + LOOPS, PARAMETERS };
enum { HEAD = 1 + LOOPS }; /* the pole that holds where the pre-delay is read */

static const double GLIDE = 0.5; /* frames per frame by which the pre-delay moves at most */

TL_INLINE double smooth(double *state, double b, double x) {
    *state += b * (x - *state);
    return *state;
}

/* What a line holds so many frames before a place; between frames on a straight line. */
TL_INLINE double read_back(const double *line, int64_t length, int64_t place, double back) {
    const int64_t whole = (int64_t)back;
    int64_t near = place - whole, far = near - 1;
    near = near < 0 ? near + length : near;
    far = far < 0 ? far + length : far;
    return line[near] + (back - (double)whole) * (line[far] - line[near]);
}

static void room(const double *from, const double *to, int64_t offset, int64_t span, double *const *line,
                 const int64_t *lengths, int64_t *positions, double *poles, const double *x, double *y,
                 int64_t channels, int64_t frames, int moving) {
    double *const early = line[ROOM_LINES - 1];
    double p[PARAMETERS];
    for (int k = 0; k < PARAMETERS; k++) p[k] = from[k];
    for (int64_t n = 0; n < frames; n++) {
        if (moving) {
            const double way = (double)(offset + n) / (double)span;
            for (int k = 0; k < PARAMETERS; k++) p[k] = from[k] + (to[k] - from[k]) * way;
            poles[HEAD] += tl_max(-GLIDE, tl_min(GLIDE, p[PREDELAY] - poles[HEAD]));
        }
        const double left = x[n], right = x[(channels - 1) * frames + n];
        const int64_t place = positions[ROOM_LINES - 1];
        early[place] = 0.5 * (left + right);
        double in = read_back(early, lengths[ROOM_LINES - 1], place, poles[HEAD]);
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

/* from, to [4 + 8 + 1]: parameters at the ends of a cell of `span` frames, of which `offset` have passed; equal where
 * nothing moves. lengths, positions [13]: diffusers, loops, pre-delay (its longest and two more); poles [1 + 8 + 1]; x
 * and y [channels, frames], a mono input gets the left output. Jot and Chaigne, "Digital delay networks for designing
 * artificial reverberators", AES 90, 1991. */
TL_EXPORT void tl_room(const double *from, const double *to, int64_t offset, int64_t span, const int64_t *lengths,
                       int64_t *positions, double *memory, double *poles, const double *x, double *y, int64_t channels,
                       int64_t frames) {
    double *line[ROOM_LINES];
    for (int k = 0; k < ROOM_LINES; k++) {
        line[k] = memory;
        memory += lengths[k];
    }
    if (from == to && poles[HEAD] == from[PREDELAY])
        room(from, to, offset, span, line, lengths, positions, poles, x, y, channels, frames, 0);
    else
        room(from, to, offset, span, line, lengths, positions, poles, x, y, channels, frames, 1);
}
