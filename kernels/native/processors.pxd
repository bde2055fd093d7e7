"""Threads that wait for each other do not share a processor while another one is idle.

Linux often puts a new or a woken thread onto the processor of the thread that woke it, above all
in a virtual machine, where it takes an idle processor for one that the host has taken away. Only
after 20 to 60 ms it looks for a better one: longer than a short epoch takes.
"""

from libc.stdint cimport int64_t

from barrier cimport wait_until_all_arrived
from numbers cimport ARRIVALS, GIVE_UP, ROUNDS, TAKEN

cdef extern from *:
    """
    #if defined(__linux__)
    #include <sys/syscall.h>
    #include <unistd.h>

    /* `taken` has a bit for every processor (modulo 64) that one of the threads is on. A thread
       that finds its own taken moves to another one; then it may go anywhere it might before. */
    static inline void leave_taken_processor(int64_t *taken) {
        uint64_t allowed[16] = {0}, free[16], any = 0;
        unsigned here;
        if (syscall(SYS_getcpu, &here, NULL, NULL)) return;
        uint64_t bit = (uint64_t) 1 << here % 64;
        uint64_t before = __atomic_fetch_or((uint64_t *) taken, bit, __ATOMIC_ACQ_REL);
        if (!(before & bit) || syscall(SYS_sched_getaffinity, 0, sizeof(allowed), allowed) < 0)
            return;
        for (int i = 0; i < 16; i++) any |= free[i] = allowed[i] & ~before;
        if (!any || syscall(SYS_sched_setaffinity, 0, sizeof(free), free)) return;
        if (!syscall(SYS_getcpu, &here, NULL, NULL))
            __atomic_fetch_or((uint64_t *) taken, (uint64_t) 1 << here % 64, __ATOMIC_ACQ_REL);
        syscall(SYS_sched_setaffinity, 0, sizeof(allowed), allowed);
    }
    #else
    static inline void leave_taken_processor(int64_t *taken) { (void) taken; }
    #endif
    """
    void leave_taken_processor(int64_t* taken) noexcept nogil


cdef inline void spread(int64_t* sync, int64_t threads) noexcept nogil:
    """Begin together, each thread on a processor of its own.

    Whoever waits here yields at every turn: a thread that shares its processor has to run before
    it can leave.
    """
    if threads > 1:
        leave_taken_processor(sync + TAKEN)
        wait_until_all_arrived(sync + ARRIVALS, sync + ROUNDS, sync + GIVE_UP, 0, threads)
