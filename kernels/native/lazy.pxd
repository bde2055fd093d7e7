"""The penalty on the first layer's W where data are sparse: all of W shrinks, and hardly any moves.

What is stored is W / run.scale. Then shrinking all of it is one product, and a step goes, divided
by the scale, to the blocks that meet something. Before the scale gets small, and at an epoch's end,
all of W takes it up.
"""

from libc.stdint cimport int64_t

from numbers cimport (
    DENSE, FROZEN, INPUTS, KIND, OPTIMIZER, OUTPUTS, PARAMS, PLAIN, SPARSE, STEP, W, WIDTH, Y_ROW,
)
from program cimport Run, kept_scale, output_columns, penalty_of, rule_of
from tile cimport real
from widths cimport panel_width


cdef inline bint is_lazy(const Run* run) noexcept nogil:
    """Whether this run's first layer shrinks so."""
    return (run.choices[SPARSE] and run.choices[OPTIMIZER] == PLAIN and run.l2 != 0
            and run.program[KIND] == DENSE and not run.program[FROZEN])


cdef inline void take_up_scale(Run* run, real* work) noexcept nogil:
    """This thread's part of W is stored as it is."""
    cdef Py_ssize_t panel = panel_width[real](work), inputs = run.program[INPUTS], first, last, i
    cdef real* w = work + run.plan[W]
    output_columns(run, 0, panel, &first, &last)
    last = min((last + panel - 1) // panel * panel, run.plan[WIDTH]) if first < last else first
    for i in range(first * inputs, last * inputs if run.scale != 1 else 0):
        w[i] *= <real> run.scale
    run.scale = 1


cdef inline void shrink_lazily(Run* run, real* work) noexcept nogil:
    """The penalty's part of a step of W."""
    run.scale *= 1 - run.rates.lr * rule_of(run, 0, False).rate * penalty_of(run, 0, False)
    if run.scale < 0.5:
        take_up_scale[real](run, work)


cdef inline void divide_step(
    const Run* run, real* work, Py_ssize_t n, Py_ssize_t first, Py_ssize_t last,
) noexcept nogil:
    """What is added to the stored W, for these columns."""
    cdef Py_ssize_t r, j
    cdef real* step = work + run.plan[STEP]
    cdef real share = <real> (1 / run.scale)
    for r in range(n):
        for j in range(first, last):
            step[r * run.plan[Y_ROW] + j] *= share


cdef inline void apply_scale(
    const int64_t* row, const int64_t* plan, const real* work, real* params,
) noexcept nogil:
    """Let the first row's W among the flat params, which was taken as it is stored, be W."""
    cdef double scale = kept_scale[real](plan, work)[0]
    cdef Py_ssize_t i
    for i in range(row[INPUTS] * row[OUTPUTS] if scale != 0 and scale != 1 else 0):
        params[row[PARAMS] + i] *= <real> scale
