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

/* tl_level_log2, lane by lane. */
TL_INLINE v8d level_log2_8(v8d x) {
    const v8u bits = bits8(x) + (v8u)(0x00095f619980c433ull);
    const v8d exponent = from_bits8((bits >> 52) | (v8u)(0x4330000000000000ull)) - all8(4503599627371519.0);
    const v8d f = from_bits8((bits & (v8u)(0x000fffffffffffffull)) + (v8u)(0x3fe6a09e667f3bcdull)) - all8(1.0);
    const v8d f2 = f * f, f4 = f2 * f2;
    const v8d q0 = all8(1.4426948685556595) - all8(0.7213471284694511) * f;
    const v8d q1 = all8(0.48092252892828047) - all8(0.3607211953042859) * f;
    const v8d q2 = all8(0.28765667473505535) - all8(0.2385194382793943) * f;
    const v8d q3 = all8(0.21737938666319495) - all8(0.2103033352721202) * f;
    const v8d p = (q0 + q1 * f2) + ((q2 + q3 * f2) + all8(0.12541241867447173) * f4) * f4;
    return exponent + f * p;
}

/* tl_gain_exp2, lane by lane. */
TL_INLINE v8d gain_exp2_8(v8d x) {
    const v8d magic = all8(6755399441055744.0);
    const v8d shifted = x + magic;
    const v8d f = x - (shifted - magic);
    const v8d f2 = f * f, f4 = f2 * f2;
    const v8d q0 = all8(1.0) + all8(0.6931471807045319) * f;
    const v8d q1 = all8(0.24022651066561343) + all8(0.05550410365990362) * f;
    const v8d q2 = all8(0.009618038132020092) + all8(0.0013333935057352336) * f;
    const v8d q3 = all8(0.0001546675632891903) + all8(1.5196155930374822e-05) * f;
    const v8d p = (q0 + q1 * f2) + (q2 + q3 * f2) * f4;
    return p * from_bits8((bits8(shifted) + (v8u)(1023)) << 52);
}

#endif
