/* Autoregression for restoration: a model of a stretch of audio, its residual, and the least-squares filling of gaps.
 *
 * Every sum runs in one written order; what is vectorised is the independent index (the lag, the sample, the column).
 */
#include "tapelog_kernels.h"

/* r[k] = sum over i of x[i] x[i + k] for k = 0 .. lags; x has to be followed by `lags` zeros. */
TL_EXPORT void tl_autocorrelation(const double *x, int64_t frames, int64_t lags, double *r) {
    for (int64_t k = 0; k <= lags; k++)
        r[k] = 0.0;
    for (int64_t i = 0; i < frames; i++) {
        const double here = x[i];
        const double *ahead = x + i;
        for (int64_t k = 0; k <= lags; k++)
            r[k] += here * ahead[k];
    }
}

/* Levinson-Durbin: a[0] = 1, a[1 .. order] minimise sum (x[n] + sum a[k] x[n - k])^2; returns what is left of r[0].
 * `work` holds order + 1 values. A lag at which nothing is left to predict ends the recursion. */
TL_EXPORT double tl_levinson(const double *r, int64_t order, double *a, double *work) {
    a[0] = 1.0;
    for (int64_t k = 1; k <= order; k++)
        a[k] = 0.0;
    double error = r[0];
    for (int64_t m = 1; m <= order && error > 0.0; m++) {
        double sum = r[m];
        for (int64_t k = 1; k < m; k++)
            sum += a[k] * r[m - k];
        const double reflection = -sum / error;
        for (int64_t k = 1; k < m; k++)
            work[k] = a[k] + reflection * a[m - k];
        for (int64_t k = 1; k < m; k++)
            a[k] = work[k];
        a[m] = reflection;
        error *= 1.0 - reflection * reflection;
    }
    return error;
}

/* e[i] = sum over k = 0 .. order of a[k] x[i - k]; `order` samples stand before x. */
TL_EXPORT void tl_prediction_residual(const double *x, int64_t frames, const double *a, int64_t order, double *e) {
    for (int64_t i = 0; i < frames; i++)
        e[i] = x[i];
    for (int64_t k = 1; k <= order; k++) {
        const double weight = a[k];
        const double *before = x - k;
        for (int64_t i = 0; i < frames; i++)
            e[i] += weight * before[i];
    }
}

/* Fill x at the `count` ascending positions so that the residual of the model has the least energy.
 *
 * b[k] = sum a[j] a[j + k] is the correlation of the coefficients; the normal matrix is b[|t_i - t_j|], banded, and is
 * factorised as L D L'. `band` holds count * (order + 1) values, `right` holds count. Positions keep `order` frames
 * away from both ends. `pull` adds pull * (x[at[i]] - old value)^2 to what is made small: 0 forgets what was there.
 * Returns 0 when the matrix is not positive definite (the positions then hold 0), else 1. */
TL_EXPORT int64_t tl_fill(double *x, const double *b, int64_t order, const int64_t *at, int64_t count, double pull,
                          double *band, double *right) {
    const int64_t width = order + 1;
    for (int64_t i = 0; i < count; i++) {
        right[i] = pull * x[at[i]];
        x[at[i]] = 0.0;
    }
    for (int64_t i = 0; i < count; i++) {
        const double *here = x + at[i];
        double sum = b[0] * here[0];
        for (int64_t k = 1; k <= order; k++)
            sum += b[k] * (here[k] + here[-k]);
        right[i] -= sum;
    }
    /* Row i of `band` holds columns i - order .. i, the diagonal last. */
    for (int64_t i = 0; i < count; i++) {
        double *row = band + i * width;
        for (int64_t j = 0; j < width; j++) {
            const int64_t column = i - order + j;
            const int64_t lag = column < 0 ? width : at[i] - at[column];
            row[j] = lag > order ? 0.0 : b[lag];
        }
        row[order] += pull;
    }
    for (int64_t i = 0; i < count; i++) {
        double *row = band + i * width;
        const int64_t first = i > order ? i - order : 0;
        for (int64_t j = first; j < i; j++) {
            const double *other = band + j * width;
            const int64_t low = j > order ? j - order : 0;
            const int64_t from = low > first ? low : first;
            double sum = row[j - i + order];
            for (int64_t k = from; k < j; k++)
                sum -= row[k - i + order] * other[k - j + order];
            row[j - i + order] = sum;
        }
        double pivot = row[order];
        for (int64_t j = first; j < i; j++) {
            const double scaled = row[j - i + order] / band[j * width + order];
            pivot -= scaled * row[j - i + order];
            row[j - i + order] = scaled;
        }
        if (!(pivot > 0.0))
            return 0;
        row[order] = pivot;
    }
    for (int64_t i = 0; i < count; i++) {
        const double *row = band + i * width;
        double sum = right[i];
        for (int64_t j = i > order ? i - order : 0; j < i; j++)
            sum -= row[j - i + order] * right[j];
        right[i] = sum;
    }
    for (int64_t i = count; i-- > 0;) {
        double sum = right[i] / band[i * width + order];
        const int64_t last = i + order < count - 1 ? i + order : count - 1;
        for (int64_t j = i + 1; j <= last; j++)
            sum -= band[j * width + i - j + order] * right[j];
        right[i] = sum;
    }
    for (int64_t i = 0; i < count; i++)
        x[at[i]] = right[i];
    return 1;
}
