/* Which instruction sets this processor has, and which sources this library was made from. */
#include "tapelog_kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t enabled_registers(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}
#endif

/* 2, 3 or 4 for x86-64-v2..v4, as the psABI defines them and the operating system has switched them on; 0 elsewhere. */
TL_EXPORT int64_t tl_cpu_level(void) {
#if defined(__x86_64__)
    uint32_t a, b, c, d, b7 = 0, c7 = 0, d7 = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 2;
    const uint32_t osxsave = 1u << 27, avx = 1u << 28, fma = 1u << 12, f16c = 1u << 29, movbe = 1u << 22;
    if ((c & (osxsave | avx | fma | f16c | movbe)) != (osxsave | avx | fma | f16c | movbe)) return 2;
    const uint64_t state = enabled_registers();
    if ((state & 0x6) != 0x6) return 2;
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7)) return 2;
    const uint32_t bmi1 = 1u << 3, avx2 = 1u << 5, bmi2 = 1u << 8;
    if ((b7 & (bmi1 | avx2 | bmi2)) != (bmi1 | avx2 | bmi2)) return 2;
    const uint32_t f = 1u << 16, dq = 1u << 17, cd = 1u << 28, bw = 1u << 30, vl = 1u << 31;
    if ((b7 & (f | dq | cd | bw | vl)) != (f | dq | cd | bw | vl)) return 3;
    return (state & 0xe6) == 0xe6 ? 4 : 3;
#else
    return 0;
#endif
}

TL_EXPORT int64_t tl_source_stamp(void) { return TL_SOURCE_STAMP; }
