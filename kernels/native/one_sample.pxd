"""One sample through a whole network: no batch, no packing, no allocation."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

cimport activations
cimport normalization
cimport rowwise
cimport shortcut
from activations cimport is_elementwise
from numbers cimport (
    ADD, BATCH_NORM, BIAS, COLUMNS, COLUMN_SCALE, DENSE, FIRST_BUFFER, FORK, INPUTS, KIND,
    NORM_EPSILON, OUTPUTS, PARAMS, PARAM_VECTORS, STANDARDIZE, VALUE_COLUMNS, VECTOR,
)
from program cimport is_norm, vectors_in
from tile cimport MOST_LANES, dvec, fvec, real, times, vec

cdef extern from *:
    """
    #if defined(__GNUC__)
    typedef uint64_t eight_bytes __attribute__((aligned(4), may_alias));
    #else
    typedef uint64_t eight_bytes;
    #endif
    """
    ctypedef uint64_t eight_bytes

cdef enum:
    MOST_COLUMNS = 4096  # of a layer, so that two rows of them fit onto the stack
    SUMS_AT_ONCE = 8  # vectors at a time: as many as hide how long a multiply-add takes


cdef inline void multiply_columns(
    Py_ssize_t vectors, const real* x, const int32_t* used, Py_ssize_t count, const real* w,
    const real* b, real* y, Py_ssize_t outputs, const vec* _vec,
) noexcept nogil:
    """y = x @ w + b for so many vectors (a constant) of columns; W is (inputs, outputs).

    b may be NULL, for zero.
    """
    cdef vec acc[SUMS_AT_ONCE]
    cdef const vec* row
    cdef Py_ssize_t i, j, k
    memset(&acc, 0, sizeof(acc))
    if b != NULL:
        for j in range(vectors):
            acc[j] = (<const vec*> b)[j]
    for i in range(count):
        k = used[i] if used != NULL else i
        row = <const vec*> (w + k * outputs)
        for j in range(vectors):
            acc[j] = acc[j] + times(x[k], row[j])
    for j in range(vectors):
        (<vec*> y)[j] = acc[j]


cdef inline void multiply_used(
    const real* x, const int32_t* used, Py_ssize_t count, const real* w, const real* b, real* y,
    Py_ssize_t inputs, Py_ssize_t outputs, const vec* v,
) noexcept nogil:
    """y = x @ w + b over the inputs that `used` lists, or if it is NULL the first `count`."""
    cdef vec acc
    cdef real sums[MOST_LANES]
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), j = 0, i, k, c
    while j + SUMS_AT_ONCE * lanes <= outputs:
        multiply_columns[real, vec](SUMS_AT_ONCE, x, used, count, w + j,
                                    b + j if b != NULL else NULL, y + j, outputs, v)
        j += SUMS_AT_ONCE * lanes
    while j + lanes <= outputs:
        multiply_columns[real, vec](1, x, used, count, w + j, b + j if b != NULL else NULL, y + j,
                                    outputs, v)
        j += lanes
    if j == outputs:
        return
    # Fewer columns than a vector: of all rows but the last few, one may read past the row's end.
    memset(&acc, 0, sizeof(acc))
    if b != NULL:
        memcpy(&acc, b + j, (outputs - j) * sizeof(real))
    i = 0
    while i < count:
        k = used[i] if used != NULL else i
        if k * outputs + j + lanes > inputs * outputs:
            break
        acc = acc + times(x[k], (<const vec*> (w + k * outputs + j))[0])
        i += 1
    memcpy(&sums, &acc, sizeof(acc))
    while i < count:
        k = used[i] if used != NULL else i
        for c in range(outputs - j):
            sums[c] += x[k] * w[k * outputs + j + c]
        i += 1
    memcpy(y + j, &sums, (outputs - j) * sizeof(real))


cdef inline void multiply_row(
    const real* x, const real* w, const real* b, real* y, Py_ssize_t inputs, Py_ssize_t outputs,
    bint skip_zeros, const vec* v,
) noexcept nogil:
    """y = x @ w + b, perhaps without the rows of W that meet a zero."""
    cdef int32_t used[MOST_COLUMNS]
    cdef const eight_bytes* words
    cdef Py_ssize_t k = 0, count = 0, at_once = 32 // sizeof(real)
    if skip_zeros and inputs <= MOST_COLUMNS:
        while k < inputs:
            words = <const eight_bytes*> (x + k)
            if k + at_once <= inputs and not (words[0] | words[1] | words[2] | words[3]):
                k += at_once  # zeros lie together
                continue
            used[count] = <int32_t> k
            count += x[k] != 0
            k += 1
        multiply_used[real, vec](x, &used[0], count, w, b, y, inputs, outputs, v)
    else:
        multiply_used[real, vec](x, NULL, inputs, w, b, y, inputs, outputs, v)


cdef inline bint knows(const int64_t* row) noexcept nogil:
    """Whether a norm has its vectors as it computes with them: one number a column, none implied.
    """
    return (not is_norm(row[KIND])
            or row[VECTOR] == row[OUTPUTS] and row[PARAM_VECTORS] == vectors_in(row))


cdef inline void norm_of_one(
    const int64_t* row, const double* values, const real* params, const real* buffers,
    const real* x, real* y,
) noexcept nogil:
    """What a row of normalization makes of one sample."""
    cdef Py_ssize_t n = row[OUTPUTS]
    cdef const real* w = params + row[PARAMS]
    cdef const real* mean = buffers + row[FIRST_BUFFER]
    cdef real own_mean, rstd, eps = <real> values[NORM_EPSILON]
    if row[KIND] == COLUMN_SCALE:
        normalization.scale[real](1, n, x, n, w, y, n)
    elif row[KIND] == STANDARDIZE:
        normalization.standardize[real](1, n, x, n, mean, mean + n, y, n)
    elif row[KIND] == BATCH_NORM:
        normalization.batch_norm[real](1, n, x, n, mean, mean + n, w, w + n, eps, y, n)
    else:
        normalization.layer_norm[real](1, n, x, n, w, w + n, eps, &own_mean, &rstd, y, n)


cdef inline const real* scores_of_one(
    const int64_t* program, Py_ssize_t layers, const double* values, const real* params,
    const real* buffers, bint skip_zeros, const real* x, real* y, real* other, real* forked,
) noexcept nogil:
    """The last layer's output for one sample: in y or in `other`, which take turns.

    What shortcuts lead past layers lies in `forked`, the latest last.
    """
    cdef const int64_t* row
    cdef const real* w
    cdef const real* b
    cdef real* out = y
    cdef Py_ssize_t layer, n
    for layer in range(layers):
        row = program + layer * COLUMNS
        n = row[OUTPUTS]
        if row[KIND] == FORK:
            memcpy(forked, x, n * sizeof(real))
            forked += n
            continue
        out = other if out == y else y
        if row[KIND] == DENSE:
            w = params + row[PARAMS]
            b = w + row[INPUTS] * n if row[BIAS] else NULL
            if real is float:
                multiply_row[float, fvec](x, w, b, out, row[INPUTS], n, skip_zeros, NULL)
            else:
                multiply_row[double, dvec](x, w, b, out, row[INPUTS], n, skip_zeros, NULL)
        elif is_elementwise(row[KIND]):
            activations.forward[real](row[KIND], values + layer * VALUE_COLUMNS, x, out, n)
        elif row[KIND] == ADD:
            forked -= n
            shortcut.sum_of[real](x, forked, out, n)
        elif is_norm(row[KIND]):
            norm_of_one[real](row, values + layer * VALUE_COLUMNS, params, buffers, x, out)
        else:
            rowwise.log_softmax_row[real](x, out, n)
        x = out
    return out
