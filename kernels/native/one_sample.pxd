"""One sample through a whole network: no batch, no packing, no allocation."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy, memset

cimport activations
cimport normalization
cimport rowwise
cimport shortcut
from activations cimport is_elementwise
from numbers cimport (
    ADD, BATCH_NORM, BIAS, COLUMNS, COLUMN_SCALE, DENSE, FIRST_BUFFER, FORK, INPUTS, KIND,
    NORM_EPSILON, OUTPUTS, PARAMS, PARAM_VECTORS, RELU, STANDARDIZE, VALUE_COLUMNS, VECTOR,
)
from program cimport is_norm, vectors_in
from tile cimport MOST_LANES, dvec, fvec, real, times, vec

cdef extern from *:
    """
    #if defined(__AVX512VL__) && defined(__GNUC__)
    #include <immintrin.h>
    #define LISTED_AT_ONCE 16
    /* The places of what is not zero are brought together, a vector at a time. */
    static inline Py_ssize_t flist_used(const float *x, Py_ssize_t n, int32_t *used) {
        const __m512i first = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        Py_ssize_t count = 0;
        for (Py_ssize_t k = 0; k < n; k += 16) {
            __mmask16 there = (__mmask16) (n - k < 16 ? (1u << (n - k)) - 1 : 0xffff);
            __m512 v = _mm512_maskz_loadu_ps(there, x + k);
            __mmask16 some = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
            __m512i at = _mm512_add_epi32(first, _mm512_set1_epi32((int32_t) k));
            _mm512_storeu_si512(used + count, _mm512_maskz_compress_epi32(some, at));
            count += __builtin_popcount(some);
        }
        return count;
    }
    static inline Py_ssize_t dlist_used(const double *x, Py_ssize_t n, int32_t *used) {
        const __m256i first = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        Py_ssize_t count = 0;
        for (Py_ssize_t k = 0; k < n; k += 8) {
            __mmask8 there = (__mmask8) (n - k < 8 ? (1u << (n - k)) - 1 : 0xff);
            __m512d v = _mm512_maskz_loadu_pd(there, x + k);
            __mmask8 some = _mm512_cmp_pd_mask(v, _mm512_setzero_pd(), _CMP_NEQ_UQ);
            __m256i at = _mm256_add_epi32(first, _mm256_set1_epi32((int32_t) k));
            _mm256_storeu_si256((__m256i *) (used + count), _mm256_maskz_compress_epi32(some, at));
            count += __builtin_popcount(some);
        }
        return count;
    }
    #else
    #define LISTED_AT_ONCE 1
    #define LIST_USED(x, n, used) \
        Py_ssize_t count = 0; \
        for (Py_ssize_t k = 0; k < n; k++) { \
            used[count] = (int32_t) k; \
            count += x[k] != 0; \
        } \
        return count;
    static inline Py_ssize_t flist_used(const float *x, Py_ssize_t n, int32_t *used) {
        LIST_USED(x, n, used)
    }
    static inline Py_ssize_t dlist_used(const double *x, Py_ssize_t n, int32_t *used) {
        LIST_USED(x, n, used)
    }
    #endif
    """
    Py_ssize_t flist_used(const float* x, Py_ssize_t n, int32_t* used) noexcept nogil
    Py_ssize_t dlist_used(const double* x, Py_ssize_t n, int32_t* used) noexcept nogil
    enum:
        LISTED_AT_ONCE

cdef enum:
    MOST_COLUMNS = 4096  # of a layer, so that two rows of them fit onto the stack
    SUMS_AT_ONCE = 8  # vectors at a time: as many as hide how long a multiply-add takes
    LEAST_SCANNED = 48  # inputs: looking for zeros among fewer takes longer than they do

ctypedef fused number:  # what samples may consist of
    float
    double
    int32_t
    int64_t


cdef inline bint cast_sample(const number* x, Py_ssize_t n, real* y) noexcept nogil:
    """y = x in the other precision; False if a number is not finite there."""
    cdef int finite = 1
    cdef Py_ssize_t j
    for j in range(n):
        y[j] = <real> x[j]
        finite &= y[j] - y[j] == 0
    return finite


cdef inline void multiply_columns(
    Py_ssize_t vectors, Py_ssize_t chains, const real* x, const int32_t* used, Py_ssize_t count,
    const real* w, const real* b, real* y, Py_ssize_t outputs, const vec* _vec,
) noexcept nogil:
    """y = x @ w + b for so many vectors (a constant) of columns; W is (inputs, outputs).

    The sums run over every `chains`-th row each (a constant too): what is narrow has as many at a
    time as what is wide. b may be NULL, for zero; used too, for the first `count` inputs.
    """
    cdef vec acc[SUMS_AT_ONCE]
    cdef const vec* row
    cdef Py_ssize_t i = 0, j, k, c
    memset(&acc, 0, sizeof(acc))
    if b != NULL:
        for j in range(vectors):
            acc[j] = (<const vec*> b)[j]
    while i + chains <= count:
        for c in range(chains):
            k = used[i + c] if used != NULL else i + c
            row = <const vec*> (w + k * outputs)
            for j in range(vectors):
                acc[c * vectors + j] = acc[c * vectors + j] + times(x[k], row[j])
        i += chains
    while i < count:
        k = used[i] if used != NULL else i
        row = <const vec*> (w + k * outputs)
        for j in range(vectors):
            acc[j] = acc[j] + times(x[k], row[j])
        i += 1
    for c in range(1, chains):
        for j in range(vectors):
            acc[j] = acc[j] + acc[c * vectors + j]
    for j in range(vectors):
        (<vec*> y)[j] = acc[j]


cdef inline void multiply_rest(
    const real* x, const int32_t* used, Py_ssize_t count, const real* w, const real* b, real* y,
    Py_ssize_t rest, Py_ssize_t numbers, Py_ssize_t outputs, const vec* v,
) noexcept nogil:
    """The same for the last columns, fewer than a vector, of which y has room for a whole one.

    One may read past a row's end, but not past all `numbers` of w.
    """
    cdef real start[MOST_LANES]
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), within = count, k, c
    memset(&start, 0, sizeof(start))
    for c in range(rest if b != NULL else 0):
        start[c] = b[c]
    while within and (used[within - 1] if used != NULL
                      else within - 1) * outputs + lanes > numbers:
        within -= 1
    multiply_columns[real, vec](1, SUMS_AT_ONCE, x, used, within, w, &start[0], y, outputs, v)
    while within < count:
        k = used[within] if used != NULL else within
        for c in range(rest):
            y[c] += x[k] * w[k * outputs + c]
        within += 1


cdef inline void multiply_used(
    const real* x, const int32_t* used, Py_ssize_t count, const real* w, const real* b, real* y,
    Py_ssize_t inputs, Py_ssize_t outputs, const vec* v,
) noexcept nogil:
    """y = x @ w + b over the inputs that `used` lists, or if it is NULL the first `count`.

    y has room for whole vectors.
    """
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), j = 0
    while j + 8 * lanes <= outputs:
        multiply_columns[real, vec](8, 1, x, used, count, w + j, b + j if b != NULL else NULL,
                                    y + j, outputs, v)
        j += 8 * lanes
    if j + 4 * lanes <= outputs:
        multiply_columns[real, vec](4, 2, x, used, count, w + j, b + j if b != NULL else NULL,
                                    y + j, outputs, v)
        j += 4 * lanes
    while j + lanes <= outputs:
        multiply_columns[real, vec](1, 8, x, used, count, w + j, b + j if b != NULL else NULL,
                                    y + j, outputs, v)
        j += lanes
    if j < outputs:
        multiply_rest[real, vec](x, used, count, w + j, b + j if b != NULL else NULL, y + j,
                                 outputs - j, inputs * outputs - j, outputs, v)


cdef inline void multiply_row(
    const real* x, const real* w, const real* b, real* y, Py_ssize_t inputs, Py_ssize_t outputs,
    bint skip_zeros, const vec* v,
) noexcept nogil:
    """y = x @ w + b, perhaps without the rows of W that meet a zero."""
    cdef int32_t used[MOST_COLUMNS + LISTED_AT_ONCE]
    cdef const int32_t* listed = NULL
    cdef Py_ssize_t count = inputs
    if skip_zeros and LEAST_SCANNED <= inputs <= MOST_COLUMNS:
        if real is float:
            count = flist_used(x, inputs, &used[0])
        else:
            count = dlist_used(x, inputs, &used[0])
        if 8 * count < 7 * inputs:  # else all are taken as they come
            listed = &used[0]
        else:
            count = inputs
    multiply_used[real, vec](x, listed, count, w, b, y, inputs, outputs, v)


cdef inline bint may_be_zero(const int64_t* program, Py_ssize_t layer) noexcept nogil:
    """Whether many of a layer's inputs may be zeros: the network's own, and what ReLU puts out."""
    return layer == 0 or program[(layer - 1) * COLUMNS + KIND] == RELU


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
    cdef bint skips
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
            skips = skip_zeros and may_be_zero(program, layer)
            if real is float:
                multiply_row[float, fvec](x, w, b, out, row[INPUTS], n, skips, NULL)
            else:
                multiply_row[double, dvec](x, w, b, out, row[INPUTS], n, skips, NULL)
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
