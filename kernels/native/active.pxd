"""Backward is for active samples: those whose gradient by the network's output is not all zero.

The hinge loss has none for a sample that clears its margin, and after the first batches that is
true of most. The rows of the others move together, and the rest of a step sees a smaller batch. The
sums over samples keep their order and lose only zeros, so that nothing comes out differently.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from activations cimport reads_input
from norms cimport statistics_of
from numbers cimport ACTIVE, COLUMNS, DENSE, DROPOUT, KIND, LAYER_NORM, OUTPUTS, SKIP
from program cimport Run, dy_of, gathers_input, is_norm, output_columns, row_of, y_of
from shortcut cimport is_shortcut
from tile cimport real
from widths cimport panel_width


cdef inline Py_ssize_t find_active(Run* run, real* work, Py_ssize_t n) noexcept nogil:
    """Set run.active to the numbers of the active rows, in their order; returns how many.

    With NULL for it, all n are.
    """
    cdef Py_ssize_t last = run.layers - 1, outputs = run.program[last * COLUMNS + OUTPUTS]
    cdef Py_ssize_t width = row_of(run, last), r, j, count = 0
    cdef const real* dy = dy_of[real](run, last, work)
    run.active = NULL
    if not run.choices[SKIP]:
        return n
    run.active = <int64_t*> (work + run.plan[ACTIVE])
    for r in range(n):
        run.active[count] = r
        for j in range(outputs):
            if dy[r * width + j] != 0:  # or NaN
                count += 1
                break
    if count == n:
        run.active = NULL
    return count


cdef inline bint is_read_backward(const Run* run, Py_ssize_t layer) noexcept nogil:
    """Whether backward needs a layer's output: for its own gradient, or for the next one's."""
    cdef int64_t kind = run.program[layer * COLUMNS + KIND], behind
    if kind != DENSE and kind != DROPOUT and not is_norm(kind) and not is_shortcut(kind):
        return True
    if layer + 1 == run.layers:
        return False
    behind = run.program[(layer + 1) * COLUMNS + KIND]
    return behind == DENSE or is_norm(behind) or reads_input(behind)


cdef inline void move_rows(
    const Run* run, real* rows, Py_ssize_t width, Py_ssize_t first, Py_ssize_t last,
    Py_ssize_t count,
) noexcept nogil:
    """Move the columns first..last of the active rows together, to the front."""
    cdef Py_ssize_t k
    for k in range(count):
        if run.active[k] != k:
            memcpy(rows + k * width + first, rows + run.active[k] * width + first,
                   max(0, last - first) * sizeof(real))


cdef inline void keep_active(const Run* run, real* work, Py_ssize_t count) noexcept nogil:
    """Let the first rows be the active ones, wherever backward looks."""
    cdef Py_ssize_t layer, first, last
    for layer in range(run.layers):
        output_columns(run, layer, panel_width[real](work), &first, &last)
        if gathers_input(run, layer + 1):
            first, last = 0, run.program[layer * COLUMNS + OUTPUTS]
        if is_read_backward(run, layer):
            move_rows[real](run, y_of[real](run, layer, work),
                            row_of(run, layer), first, last, count)
        if run.program[layer * COLUMNS + KIND] == LAYER_NORM:
            move_rows[real](run, statistics_of[real](run, layer, work, 0), 1, 0, 1, count)
            move_rows[real](run, statistics_of[real](run, layer, work, 1), 1, 0, 1, count)
    move_rows[real](run, dy_of[real](run, run.layers - 1, work),
                    row_of(run, run.layers - 1), first, last, count)
