/* Shared by every kernel family.
 *
 * Rules: arrays in, arrays out; the caller owns all memory, state included; no allocation, no libm, no globals. Each
 * kernel has a plain twin in twins/ that gives the same bits; keep the order of every operation the same in both.
 */
#ifndef TAPELOG_KERNELS_H
#define TAPELOG_KERNELS_H

#include <stdint.h>

#define TL_EXPORT __attribute__((visibility("default")))
#define TL_INLINE static inline __attribute__((always_inline))

typedef double v2d __attribute__((vector_size(16)));

TL_INLINE double tl_abs(double x) { return __builtin_fabs(x); }
TL_INLINE double tl_max(double a, double b) { return a > b ? a : b; }
TL_INLINE double tl_min(double a, double b) { return a < b ? a : b; }

/* What a strip gives to others: a whole number of steps of 2^-34, within +-1024 (+60 dBFS). Up to 512 such numbers have an
 * exact sum in double precision, whatever their order. 393216 is 1.5 * 2^18: what is added to it loses all finer bits. */
TL_INLINE double tl_to_step(double x) {
    const double magic = 393216.0;
    return (x + magic) - magic;
}

TL_INLINE double tl_on_grid(double x) { return tl_to_step(tl_min(tl_max(x, -1024.0), 1024.0)); }

TL_INLINE uint64_t tl_bits(double x) {
    uint64_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

TL_INLINE double tl_from_bits(uint64_t bits) {
    double x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

/* log2 for positive normal numbers, relative error about 1e-15: exponent by bits, mantissa centred on 1 and expanded as
 * 2/ln2 * atanh((m - 1)/(m + 1)). */
TL_INLINE double tl_log2(double x) {
    const uint64_t bits = tl_bits(x);
    const double magic = 4503599627370496.0; /* 2^52: an integer below it can be added to its bits */
    const double raw = tl_from_bits((bits >> 52) | 0x4330000000000000ull) - magic;
    double mantissa = tl_from_bits((bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull);
    const int high = mantissa > 1.4142135623730951;
    const double exponent = raw - (high ? 1022.0 : 1023.0);
    mantissa = high ? mantissa * 0.5 : mantissa;
    const double t = (mantissa - 1.0) / (mantissa + 1.0);
    const double s = t * t;
    double p = 1.0 / 19.0;
    p = p * s + 1.0 / 17.0;
    p = p * s + 1.0 / 15.0;
    p = p * s + 1.0 / 13.0;
    p = p * s + 1.0 / 11.0;
    p = p * s + 1.0 / 9.0;
    p = p * s + 1.0 / 7.0;
    p = p * s + 1.0 / 5.0;
    p = p * s + 1.0 / 3.0;
    p = p * s + 1.0;
    return exponent + 2.8853900817779268 * (t * p);
}

/* 2^x for |x| <= 1000 (clamped), relative error about 2e-16; exact for whole x. */
TL_INLINE double tl_exp2(double x) {
    x = tl_min(tl_max(x, -1000.0), 1000.0);
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to the nearest whole number */
    const double shifted = x + magic;
    const double f = x - (shifted - magic);
    double p = 1.3691488853904124e-12;
    p = p * f + 2.5678435993488196e-11;
    p = p * f + 4.44553827187081e-10;
    p = p * f + 7.054911620801121e-09;
    p = p * f + 1.0178086009239696e-07;
    p = p * f + 1.3215486790144305e-06;
    p = p * f + 1.5252733804059838e-05;
    p = p * f + 0.00015403530393381606;
    p = p * f + 0.0013333558146428441;
    p = p * f + 0.009618129107628477;
    p = p * f + 0.055504108664821576;
    p = p * f + 0.2402265069591007;
    p = p * f + 0.6931471805599453;
    p = p * f + 1.0;
    return p * tl_from_bits((tl_bits(shifted) + 1023) << 52);
}

/* log2 of a level: for positive normal numbers, off by 7e-9 at most (4e-8 dB) and exact at powers of two. Without a
 * division: the mantissa between 1/sqrt(2) and sqrt(2), by a polynomial fitted for the largest error,
 * in pairs of terms, which wait for each other three times instead of eight. */
TL_INLINE double tl_level_log2(double x) {
    const uint64_t bits = tl_bits(x) + 0x00095f619980c433ull; /* bits of 1 minus bits of 1/sqrt(2) */
    const double exponent = tl_from_bits((bits >> 52) | 0x4330000000000000ull) - 4503599627371519.0; /* 2^52 + 1023 */
    const double f = tl_from_bits((bits & 0x000fffffffffffffull) + 0x3fe6a09e667f3bcdull) - 1.0;
    const double f2 = f * f, f4 = f2 * f2;
    const double q0 = 1.4426948685556595 - 0.7213471284694511 * f;
    const double q1 = 0.48092252892828047 - 0.3607211953042859 * f;
    const double q2 = 0.28765667473505535 - 0.2385194382793943 * f;
    const double q3 = 0.21737938666319495 - 0.2103033352721202 * f;
    const double p = (q0 + q1 * f2) + ((q2 + q3 * f2) + 0.12541241867447173 * f4) * f4;
    return exponent + f * p;
}

/* 2^x as a gain: for |x| < 1020, relative error 5e-11 at most (4e-10 dB), exact for whole x. */
TL_INLINE double tl_gain_exp2(double x) {
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to the nearest whole number */
    const double shifted = x + magic;
    const double f = x - (shifted - magic);
    const double f2 = f * f, f4 = f2 * f2;
    const double q0 = 1.0 + 0.6931471807045319 * f;
    const double q1 = 0.24022651066561343 + 0.05550410365990362 * f;
    const double q2 = 0.009618038132020092 + 0.0013333935057352336 * f;
    const double q3 = 0.0001546675632891903 + 1.5196155930374822e-05 * f;
    const double p = (q0 + q1 * f2) + (q2 + q3 * f2) * f4;
    return p * tl_from_bits((tl_bits(shifted) + 1023) << 52);
}

#endif
