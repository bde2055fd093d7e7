"""What this processor can run. Compiled for the plainest processor, so it may ask any."""

cdef extern from *:
    """
    #if defined(__GNUC__) && defined(__x86_64__)
    static int cpu_level(void) {
        __builtin_cpu_init();  /* asks the operating system as well: AVX registers must be saved */
        #define HAS(feature) __builtin_cpu_supports(feature)
        if (!(HAS("ssse3") && HAS("sse4.1") && HAS("sse4.2") && HAS("popcnt"))) return 1;
        if (!(HAS("avx2") && HAS("fma") && HAS("bmi") && HAS("bmi2"))) return 2;
        if (!(HAS("avx512f") && HAS("avx512bw") && HAS("avx512cd") && HAS("avx512dq")
              && HAS("avx512vl"))) return 3;
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
