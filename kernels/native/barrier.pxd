"""A barrier for the threads of one training run, on C11 atomics: no OpenMP, nothing to clean up.

GIVE_UP set to 1 lets everybody through at once, for when a run is given up. A thread spins for
SPINS turns, a few microseconds, which is what the others usually need; then it yields its processor
at every turn: it may be what they wait for.
"""

from libc.stdint cimport int64_t

from numbers cimport ARRIVALS, GIVE_UP, ROUNDS, SPINS

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

    static inline int wait_until_all_arrived(
        int64_t *arrivals, int64_t *rounds, int64_t *give_up, int64_t spins, int64_t threads
    ) {
        int64_t round = __atomic_load_n(rounds, __ATOMIC_ACQUIRE);
        if (__atomic_add_fetch(arrivals, 1, __ATOMIC_ACQ_REL) == threads) {
            __atomic_store_n(arrivals, 0, __ATOMIC_RELAXED);
            __atomic_store_n(rounds, round + 1, __ATOMIC_RELEASE);
            return 1;
        }
        for (int64_t turn = 0; __atomic_load_n(rounds, __ATOMIC_ACQUIRE) == round; turn++) {
            if (__atomic_load_n(give_up, __ATOMIC_RELAXED)) return 0;
            if (turn < spins) relax();
            else yield_processor();
        }
        return 1;
    }
    """
    bint wait_until_all_arrived(
        int64_t* arrivals, int64_t* rounds, int64_t* give_up, int64_t spins, int64_t threads,
    ) noexcept nogil


cdef inline bint wait_for_all(int64_t* sync, int64_t threads) noexcept nogil:
    """Wait for the other threads of a run; 0 if it was given up."""
    return wait_until_all_arrived(
        sync + ARRIVALS, sync + ROUNDS, sync + GIVE_UP, sync[SPINS], threads)
