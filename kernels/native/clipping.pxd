"""Whether numbers of a dense layer's gradient may have to be clipped.

Each is a sum over samples of x * dy: no larger than the sum of each sample's largest dy, times the
largest x of all. Where that is within the limit, a step is as plain as without one. On sparse data
that is decided panel by panel; else for a layer whose dy every thread has whole, and whose inputs
are known to be within -1..1. So all numbers of threads come to the same.
"""

from libc.stdint cimport int64_t

from batch cimport blocks_of
from numbers cimport (
    BLOCK, BYTES, BY_OUTPUTS, CLIP_VALUE, COLUMNS, DIVISOR, INPUTS, KIND, OPTIMIZER, OUTPUTS, PLAIN,
    PLAN_COLUMNS, SCALE, SIGMOID, SOURCE, SPARSE, SPLIT, TANH,
)
from program cimport Input, Run, dy_of, row_of
from tile cimport real
from widths cimport panel_width

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* As numbers without a sign, so that it takes vectors; NaN is the largest of all. */
    #define LARGEST(name, real, bits) \\
        static inline real name(const real *v, Py_ssize_t n) { \\
            bits most = 0, each; \\
            real found; \\
            for (Py_ssize_t i = 0; i < n; i++) { \\
                memcpy(&each, v + i, sizeof each); \\
                each &= (bits) (((unsigned long long) 1 << (8 * sizeof(bits) - 1)) - 1); \\
                most = each > most ? each : most; \\
            } \\
            memcpy(&found, &most, sizeof found); \\
            return found; \\
        }
    LARGEST(flargest, float, int32_t)
    LARGEST(dlargest, double, int64_t)
    """
    float flargest(const float* v, Py_ssize_t n) noexcept nogil
    double dlargest(const double* v, Py_ssize_t n) noexcept nogil


cdef inline double largest(const real* v, Py_ssize_t n) noexcept nogil:
    """The largest of n numbers without their signs."""
    if real is float:
        return flargest(v, n)
    else:
        return dlargest(v, n)


cdef inline double largest_dy(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """The sum over samples of each one's largest dy in these columns."""
    cdef const real* dy = dy_of[real](run, layer, work) + first
    cdef Py_ssize_t r
    cdef double total = 0
    for r in range(n):
        total += largest[real](dy + r * row_of(run, layer), last - first)
    return total


cdef inline double largest_entry(
    const Run* run, const Input* input, const real* _real,
) noexcept nogil:
    """The largest x of a sparse batch, which is one chunk."""
    cdef const real* x = <const real*> input.x
    cdef Py_ssize_t block, first
    cdef double most = 0
    if run.choices[SOURCE] == BYTES:
        most = 255 / run.settings[DIVISOR] if run.settings[DIVISOR] else 255 * run.settings[SCALE]
        return most if most > 0 else -most
    for block in range(blocks_of(run.program[INPUTS])):
        first = input.bounds[2 * block] * BLOCK
        most = max(most, largest[real](x + first, input.bounds[2 * block + 1] * BLOCK - first))
    return most


cdef inline bint panel_within(
    const Run* run, Py_ssize_t layer, real* work, Py_ssize_t n, Py_ssize_t p,
) noexcept nogil:
    """Whether the gradient of the panel at column p is, of the first layer on sparse data."""
    cdef Py_ssize_t last = min(p + panel_width[real](work), run.program[OUTPUTS])
    if layer or run.settings[CLIP_VALUE] == 0 or not run.choices[SPARSE]:
        return False
    return run.most_x * largest_dy[real](run, 0, work, n, p, last) <= run.settings[CLIP_VALUE]


cdef inline void look_at_limit(
    Run* run, Py_ssize_t layer, real* work, const Input* input,
) noexcept nogil:
    """Before a step of plain SGD: whether the layer's gradient is within; of panels, most_x."""
    cdef const int64_t* row = run.program + layer * COLUMNS
    cdef int64_t before = row[KIND - COLUMNS] if layer else 0
    run.within = False
    if run.settings[CLIP_VALUE] == 0 or run.l2 != 0 or run.choices[OPTIMIZER] != PLAIN:
        return
    if input.bounds != NULL:
        run.most_x = max(<double> 1, largest_entry[real](run, input, work))  # b has inputs of 1
    elif (before == TANH or before == SIGMOID) and (
            run.plan[layer * PLAN_COLUMNS + SPLIT] != BY_OUTPUTS):
        run.within = largest_dy[real](
            run, layer, work, input.n, 0, row[OUTPUTS]) <= run.settings[CLIP_VALUE]
