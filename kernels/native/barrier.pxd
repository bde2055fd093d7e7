"""A barrier for the threads of one training run, on C11 atomics: no OpenMP, nothing to clean up.

sync[0] counts arrivals and sync[8], a cache line further on, the rounds. sync[16] set to 1 lets
everybody through at once, for when a run is given up. A thread spins for sync[17] turns, a few
microseconds, which is what the others usually need; then it yields its processor at every turn: it
may be what they wait for. sync[TAKEN] is for processors.pxd.
"""

from libc.stdint cimport int64_t

cdef enum:
    TAKEN = 18

cdef extern from *:
    """
    #if defined(_WIN32)
    #include <windows.h>
    #define yield_processor() SwitchToThread()
    #else
    #include <sched.h>
    #define yield_processor() sched_yield()
    #endif
    #if defined(__x86_64__)
    #define relax() __builtin_ia32_pause()
    #else
    #define relax() ((void) 0)
    #endif

    static inline int wait_for_all(int64_t *sync, int64_t threads) {
        int64_t round = __atomic_load_n(&sync[8], __ATOMIC_ACQUIRE);
        if (__atomic_add_fetch(&sync[0], 1, __ATOMIC_ACQ_REL) == threads) {
            __atomic_store_n(&sync[0], 0, __ATOMIC_RELAXED);
            __atomic_store_n(&sync[8], round + 1, __ATOMIC_RELEASE);
            return 1;
        }
        for (int64_t turn = 0; __atomic_load_n(&sync[8], __ATOMIC_ACQUIRE) == round; turn++) {
            if (__atomic_load_n(&sync[16], __ATOMIC_RELAXED)) return 0;
            if (turn < sync[17]) relax();
            else yield_processor();
        }
        return 1;
    }
    """
    # 0 if the run was given up
    bint wait_for_all(int64_t* sync, int64_t threads) noexcept nogil
