/* Eight doubles at a time: one register on the widest processors, several on others, the same bits on all. */
#ifndef TAPELOG_VECTORS_H
#define TAPELOG_VECTORS_H

#include "tapelog_kernels.h"

typedef double v8d __attribute__((ext_vector_type(8)));
typedef double v8d_any __attribute__((ext_vector_type(8), aligned(8)));
typedef int64_t v8l __attribute__((ext_vector_type(8)));
typedef uint64_t v8u __attribute__((ext_vector_type(8)));

TL_INLINE v8d load8(const double *from) { return *(const v8d_any *)from; }
TL_INLINE void store8(double *to, v8d x) { *(v8d_any *)to = x; }
TL_INLINE v8d all8(double x) { return (v8d)(x); }
TL_INLINE v8d max8(v8d a, v8d b) { return a > b ? a : b; }
TL_INLINE v8d min8(v8d a, v8d b) { return a < b ? a : b; }
TL_INLINE v8d abs8(v8d x) { return __builtin_elementwise_abs(x); }

TL_INLINE v8u bits8(v8d x) {
    v8u bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

TL_INLINE v8d from_bits8(v8u bits) {
    v8d x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

/* tl_log2, lane by lane. */
TL_INLINE v8d log2_8(v8d x) {
    const v8u bits = bits8(x);
    const v8d raw = from_bits8((bits >> 52) | (v8u)(0x4330000000000000ull)) - all8(4503599627370496.0);
    v8d mantissa = from_bits8((bits & (v8u)(0x000fffffffffffffull)) | (v8u)(0x3ff0000000000000ull));
    const v8l high = mantissa > all8(1.4142135623730951);
    const v8d exponent = raw - (high ? all8(1022.0) : all8(1023.0));
    mantissa = high ? mantissa * 0.5 : mantissa;
    const v8d t = (mantissa - 1.0) / (mantissa + 1.0);
    const v8d s = t * t;
    v8d p = all8(1.0 / 19.0);
    p = p * s + all8(1.0 / 17.0);
    p = p * s + all8(1.0 / 15.0);
    p = p * s + all8(1.0 / 13.0);
    p = p * s + all8(1.0 / 11.0);
    p = p * s + all8(1.0 / 9.0);
    p = p * s + all8(1.0 / 7.0);
    p = p * s + all8(1.0 / 5.0);
    p = p * s + all8(1.0 / 3.0);
    p = p * s + all8(1.0);
    return exponent + all8(2.8853900817779268) * (t * p);
}

/* tl_exp2, lane by lane. */
TL_INLINE v8d exp2_8(v8d x) {
    x = min8(max8(x, all8(-1000.0)), all8(1000.0));
    const v8d magic = all8(6755399441055744.0);
    const v8d shifted = x + magic;
    const v8d f = x - (shifted - magic);
    v8d p = all8(1.3691488853904124e-12);
    p = p * f + all8(2.5678435993488196e-11);
    p = p * f + all8(4.44553827187081e-10);
    p = p * f + all8(7.054911620801121e-09);
    p = p * f + all8(1.0178086009239696e-07);
    p = p * f + all8(1.3215486790144305e-06);
    p = p * f + all8(1.5252733804059838e-05);
    p = p * f + all8(0.00015403530393381606);
    p = p * f + all8(0.0013333558146428441);
    p = p * f + all8(0.009618129107628477);
    p = p * f + all8(0.055504108664821576);
    p = p * f + all8(0.2402265069591007);
    p = p * f + all8(0.6931471805599453);
    p = p * f + all8(1.0);
    return p * from_bits8((bits8(shifted) + (v8u)(1023)) << 52);
}

#endif
