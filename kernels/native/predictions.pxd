"""The scores of samples in a row, some of which go through all layers while they are near.

There is no mathematics here, only calls of the cores that the single kernels wrap too.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from batch cimport bytes_of, source
from epoch cimport buffer
from marks cimport LINE, add_panel, mark_rows
from numbers cimport (
    BATCH, BYTES, COLUMNS, FEATURES, FLOATS, INPUTS, OUTPUTS, PLAN_COLUMNS, SCALE, SOURCE, SPARSE,
    W, WIDTH, Y, Y_ROW,
)
from program cimport Input, Run, hidden_input
from stages cimport forward_apart
from tile cimport PANEL, dvec, fvec, pinned, real, vec
from widths cimport lanes_of, padded_columns, panel_width, vectors_of, weights_row


cdef inline void read_from(
    const Run* run, const source* data, Input* input, real* x, uint64_t* marks,
) noexcept nogil:
    """Let the input be data * scale: where the data lie, if that is what they are, or else x."""
    cdef Py_ssize_t features = run.choices[FEATURES], j
    cdef real scale = <real> run.settings[SCALE]
    if run.choices[SPARSE]:
        mark_rows[source](data, features, input.n, marks)
    if (source is float and real is float or source is double and real is double) and scale == 1:
        input.x = data
        return
    for j in range(input.n * features):
        x[j] = <real> data[j] * scale


cdef inline void read_any(
    const Run* run, const uint8_t* data, Input* input, real* x, uint64_t* marks,
) noexcept nogil:
    if run.choices[SOURCE] == BYTES:
        read_from[uint8_t, real](run, data, input, x, marks)
    elif run.choices[SOURCE] == FLOATS:
        read_from[float, real](run, <const float*> data, input, x, marks)
    else:
        read_from[double, real](run, <const double*> data, input, x, marks)


# Through a pointer that the compiler cannot see through: see stages.pxd.
ctypedef void (*read_function)(
    const Run*, const uint8_t*, Input*, real*, uint64_t*) noexcept nogil


cdef inline void forward_marked(
    const Run* run, real* work, const Input* input, const uint64_t* marks, const uint8_t* coming,
    Py_ssize_t lines,
) noexcept nogil:
    """The first layer's output, while so many lines of data that are needed next are fetched."""
    cdef const int64_t* plan = run.plan
    cdef Py_ssize_t inputs = run.program[INPUTS], outputs = run.program[OUTPUTS], r, j, p = 0
    cdef Py_ssize_t panel = panel_width[real](work), fetched
    cdef Py_ssize_t count = padded_columns(0, outputs, panel)
    cdef const real* b = work + plan[W] + plan[WIDTH] * inputs
    cdef real* y = work + plan[Y]
    for r in range(input.n):
        for j in range(count):
            y[r * plan[Y_ROW] + j] = b[j]
    while p < outputs:
        fetched = lines * p // outputs
        add_panel[real](
            inputs, min(PANEL, vectors_of(outputs - p, panel)), marks, <const real*> input.x,
            work + plan[W] + p * inputs, weights_row[real](plan, work), y + p, plan[Y_ROW],
            coming + fetched * LINE, lines * min(outputs, p + panel) // outputs - fetched)
        p += panel


cdef inline void put_vectors(
    const real* y, Py_ssize_t y_row, Py_ssize_t n, Py_ssize_t outputs, real* scores,
    const vec* _vec,
) noexcept nogil:
    """scores (n, outputs) = rows of y, as whole vectors, whose gaps the next rows overwrite."""
    cdef Py_ssize_t lanes = lanes_of[real](y), r = 0, j
    cdef Py_ssize_t vectors = (outputs + lanes - 1) // lanes
    while r * outputs + vectors * lanes <= n * outputs:
        for j in range(vectors):
            (<vec*> (scores + r * outputs))[j] = (<const vec*> (y + r * y_row))[j]
        r += 1
    while r < n:
        memcpy(scores + r * outputs, y + r * y_row, outputs * sizeof(real))
        r += 1


cdef inline void put_rows(
    const real* y, Py_ssize_t y_row, Py_ssize_t n, Py_ssize_t outputs, real* scores,
) noexcept nogil:
    if real is float:
        put_vectors[float, fvec](y, y_row, n, outputs, scores, NULL)
    else:
        put_vectors[double, dvec](y, y_row, n, outputs, scores, NULL)


cdef inline void forward_samples(
    Run* run, real* work, const uint8_t* data, Py_ssize_t first, Py_ssize_t last, real* scores,
) noexcept nogil:
    """The last layer's output for the samples first..last."""
    cdef Py_ssize_t final = run.layers - 1, outputs = run.program[final * COLUMNS + OUTPUTS]
    cdef Py_ssize_t bytes_a_row = run.choices[FEATURES] * bytes_of(run.choices[SOURCE])
    cdef const int64_t* plan = run.plan + final * PLAN_COLUMNS
    cdef Py_ssize_t start = first, layer, n, coming
    cdef read_function read = read_any[real]
    cdef uint64_t* marks
    cdef Input input
    while start < last:
        n = min(run.choices[BATCH], last - start)
        coming = min(run.choices[BATCH], last - start - n)
        input = buffer[real](run, work, 0, n)
        marks = <uint64_t*> input.starts
        input.bounds = NULL
        (<read_function> pinned(<const void*> read))(
            run, data + start * bytes_a_row, &input, <real*> input.x, marks)
        for layer in range(run.layers):
            if layer:
                input = hidden_input[real](run, layer, work, n)
            if layer == 0 and run.choices[SPARSE]:
                forward_marked[real](run, work, &input, marks, data + (start + n) * bytes_a_row,
                                     coming * bytes_a_row // LINE)
            else:
                forward_apart[real](run, layer, work, &input)
        put_rows[real](work + plan[Y], plan[Y_ROW], n, outputs, scores + start * outputs)
        start += n
