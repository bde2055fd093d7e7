"""Numbers too small to be normal are flushed to 0 inside the engine's workers, and only there.

Gradients that fade (sigmoid, ELU) become subnormal, and arithmetic on those is a hundred times
slower. The caller's floating-point state is restored on the way out.
"""

cdef extern from *:
    """
    #if defined(__GNUC__) && defined(__x86_64__)
    static inline unsigned long flush_denormals(void) {
        unsigned int state = __builtin_ia32_stmxcsr();
        __builtin_ia32_ldmxcsr(state | 0x8040);  /* FTZ and DAZ */
        return state;
    }
    static inline void restore_denormals(unsigned long state) { __builtin_ia32_ldmxcsr(state); }
    #elif defined(__GNUC__) && defined(__aarch64__)
    static inline unsigned long flush_denormals(void) {
        unsigned long state;
        __asm__ volatile("mrs %0, fpcr" : "=r"(state));
        __asm__ volatile("msr fpcr, %0" :: "r"(state | (1ul << 24)));
        return state;
    }
    static inline void restore_denormals(unsigned long state) {
        __asm__ volatile("msr fpcr, %0" :: "r"(state));
    }
    #else
    static inline unsigned long flush_denormals(void) { return 0; }
    static inline void restore_denormals(unsigned long state) { (void) state; }
    #endif
    """
    unsigned long flush_denormals() noexcept nogil
    void restore_denormals(unsigned long state) noexcept nogil
