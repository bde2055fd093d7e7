"""What this processor can run. Compiled for the plainest processor, so it may ask any."""

cdef extern from *:
    """
    #if defined(__GNUC__) && defined(__x86_64__)
    #include <cpuid.h>  /* and not __builtin_cpu_supports, which zig's runtime library lacks */
    static int cpu_level(void) {
        unsigned int a, b, c, d, extended = 0, features = 0, more = 0, saved = 0;
        if (!__get_cpuid(1, &a, &b, &c, &d)) return 1;
        #define HAS(found, bits) (((found) & (bits)) == (bits))
        if (!HAS(c, bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT)) return 1;
        features = c;
        /* AVX registers must be saved by the operating system: bits 1, 2, and 5 to 7 of XCR0. */
        if (HAS(features, bit_OSXSAVE)) __asm__("xgetbv" : "=a"(saved), "=d"(d) : "c"(0));
        if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) more = b;
        if (__get_cpuid(0x80000001, &a, &b, &c, &d)) extended = c;
        if (!(HAS(features, bit_AVX | bit_FMA | bit_F16C | bit_MOVBE) && HAS(saved, 0x06)
              && HAS(more, bit_AVX2 | bit_BMI | bit_BMI2) && HAS(extended, bit_LZCNT))) return 2;
        if (!(HAS(more, bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL)
              && HAS(saved, 0xe6))) return 3;
        return 4;
    }
    #else
    static int cpu_level(void) { return 0; }
    #endif
    """
    int cpu_level() nogil


def level():
    """The x86-64 level of this processor, 1 to 4, or 0 where the question makes no sense."""
    return cpu_level()
