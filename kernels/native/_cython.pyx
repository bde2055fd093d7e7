"""The native kernels: each function unpacks its arrays and calls an inline core without the GIL.

The cores lie in the .pxd files beside this one: tile and convolution (products in registers),
dense and conv2d, pooling, elementary (exp, tanh), activations, shortcut (the sum), dropout,
normalization, rowwise (softmax, argmax), losses, updates; epoch, epoch_images, samples, predictions
and one_sample are the engine's ways through a network.
The .pxi files are parts of this one, a family of kernels each. setup.py makes C of all of it, and
compiles that once for each CPU level. The contract stands in kernels/__init__.py; nothing is checked
here.
"""

cimport numpy
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int32_t, int64_t, uint8_t

cimport activations
cimport bytewise
cimport conv2d
cimport dense
cimport dropout as dropout_
cimport epoch
cimport epoch_images
cimport layout
cimport lazy
cimport losses
cimport one_sample
cimport normalization
cimport orders
cimport packing
cimport pooling
cimport predictions
cimport program as program_
cimport rowwise
cimport samples as samples_
cimport shortcut
cimport updates
from convolution cimport Images, images_between
from denormals cimport flush_denormals, restore_denormals
from numbers cimport ADD, BY_SAMPLES, FORK, INPUTS, KIND, OUTPUTS, SPLIT, THREADS
from tile cimport real

cdef extern from *:
    """
    #ifndef SOURCE_HASH
    #define SOURCE_HASH "unknown"
    #endif
    """
    const char* SOURCE_HASH

numpy.import_array()

CAPABILITIES = frozenset(
    {"bytes", "engine", "images", "one_sample", "orders", "samples", "sparse_limits"})
source_hash = SOURCE_HASH.decode()  # of the sources this was built from

include "data.pxi"


def dense_forward(const real[:, ::1] x, const real[:, ::1] w, const real[::1] b, real[:, ::1] y):
    """y = x @ w + b"""
    with nogil:
        dense.forward[real](&x[0, 0], &w[0, 0], &b[0], &y[0, 0],
                            x.shape[0], w.shape[0], w.shape[1])


def dense_backward(const real[:, ::1] x, const real[:, ::1] dy, real[:, ::1] dw, real[::1] db):
    """dw = x.T @ dy; db = the sum of dy over the batch"""
    with nogil:
        dense.backward[real](&x[0, 0], &dy[0, 0], &dw[0, 0], &db[0],
                             x.shape[0], dw.shape[0], dw.shape[1])


def dense_backward_input(const real[:, ::1] dy, const real[:, ::1] w, real[:, ::1] dx):
    """dx = dy @ w.T"""
    with nogil:
        dense.backward_input[real](&dy[0, 0], &w[0, 0], &dx[0, 0],
                                   dy.shape[0], w.shape[0], w.shape[1])


include "elementwise.pxi"  # the activations, and the sum
include "normalization.pxi"


def dropout(const real[:, ::1] x, double p, int64_t seed, int64_t step, real[:, ::1] y):
    """y = x / (1 - p), but 0 with probability p; by Philox of seed, step, row and column"""
    cdef dropout_.Masks masks = dropout_.masks_from(p, seed, step)
    cdef Py_ssize_t r
    with nogil:
        for r in range(x.shape[0]):
            dropout_.drop_row[real](&masks, r, 0, x.shape[1], &x[r, 0], &y[r, 0])


include "images.pxi"  # convolution and pooling


def softmax_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = exp(x) / sum(exp(x)), row by row"""
    cdef Py_ssize_t r
    with nogil:
        for r in range(x.shape[0]):
            rowwise.softmax_row[real](&x[r, 0], &y[r, 0], x.shape[1])


def log_softmax_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = x - log(sum(exp(x))), row by row"""
    cdef Py_ssize_t r
    with nogil:
        for r in range(x.shape[0]):
            rowwise.log_softmax_row[real](&x[r, 0], &y[r, 0], x.shape[1])


def log_softmax_backward(const real[:, ::1] y, const real[:, ::1] dy, real[:, ::1] dx):
    """dx = dy - exp(y) * sum(dy), row by row"""
    cdef Py_ssize_t r
    with nogil:
        for r in range(y.shape[0]):
            rowwise.log_softmax_backward_row[real](&y[r, 0], &dy[r, 0], &dx[r, 0], y.shape[1])


include "losses.pxi"
include "updates.pxi"


def argmax(const real[:, ::1] x, int64_t[::1] labels):
    """labels = the first column of each row's largest value"""
    cdef Py_ssize_t r
    with nogil:
        for r in range(x.shape[0]):
            labels[r] = rowwise.argmax_row[real](&x[r, 0], x.shape[1])


def accuracy(const real[:, ::1] x, const int64_t[::1] labels):
    """the share of rows whose largest value is in column label"""
    cdef Py_ssize_t r, right = 0, n = max(x.shape[0], 1)
    with nogil:
        for r in range(x.shape[0]):
            right += rowwise.is_argmax[real](&x[r, 0], labels[r], x.shape[1])
    return right / <double> n


def sum_errors(const real[:, ::1] x, const real[:, ::1] target, double[:, ::1] errors):
    """errors = in double, the sums over rows of (x - target)**2 and of |x - target|"""
    with nogil:
        rowwise.sum_errors[real](&x[0, 0], &target[0, 0], x.shape[0], x.shape[1], &errors[0, 0],
                                 &errors[1, 0])


def engine_plan(const int64_t[:, ::1] program, Py_ssize_t batch, Py_ssize_t states,
                Py_ssize_t segments, Py_ssize_t buffers, const real[::1] params,
                int64_t[:, :, ::1] plan):
    """lay out the workspace, with each thread's buffers; returns its size in elements"""
    return layout.lay_out[real](&program[0, 0], program.shape[0], batch, states, segments, buffers,
                                &plan[0, 0, 0], plan.shape[0], &params[0])


def engine_pack(const int64_t[:, ::1] program, const int64_t[:, ::1] plan, Py_ssize_t part,
                const real[::1] params, real[::1] work):
    """bring the flat params into part W (0), M (1), V (2) or, buffers, BUFFER (3) of work"""
    cdef Py_ssize_t layer
    with nogil:
        for layer in range(program.shape[0]):
            packing.pack_row[real](&program[layer, 0], &plan[layer, 0], part, &params[0], &work[0])
        if part == 0 and not program_.on_images(&program[0, 0], program.shape[0]):
            program_.kept_scale[real](&plan[0, 0], &work[0])[0] = 0


def engine_unpack(const int64_t[:, ::1] program, const int64_t[:, ::1] plan, Py_ssize_t part,
                  const real[::1] work, real[::1] params):
    """bring part W (0), M (1), V (2) or, buffers, BUFFER (3) of work back into flat params"""
    cdef Py_ssize_t layer
    with nogil:
        for layer in range(program.shape[0]):
            packing.unpack_row[real](&program[layer, 0], &plan[layer, 0], part, &work[0],
                                    &params[0])
        if part == 0 and not program_.on_images(&program[0, 0], program.shape[0]):
            lazy.apply_scale[real](&program[0, 0], &plan[0, 0], &work[0], &params[0])


# Functions of their own, so that the compiler takes the engine in parts.

cdef Py_ssize_t train_on_rows(
    program_.Run* run, real* work, const uint8_t* data, const int64_t* labels, const real* values,
    const int64_t* order, Py_ssize_t first, Py_ssize_t last, double* losses,
) noexcept nogil:
    return epoch.train_steps[real](
        run, work, data, labels, values, order, first, last, losses)


cdef Py_ssize_t train_on_images(
    program_.Run* run, real* work, const uint8_t* data, const int64_t* labels, const real* values,
    const int64_t* order, Py_ssize_t first, Py_ssize_t last, double* losses,
) noexcept nogil:
    return epoch_images.train_steps[real](
        run, work, data, labels, values, order, first, last, losses)


cdef Py_ssize_t train_by_samples(
    program_.Run* run, real* work, const uint8_t* data, const int64_t* labels, const real* values,
    const int64_t* order, Py_ssize_t first, Py_ssize_t last, double* losses,
) noexcept nogil:
    return samples_.train_steps[real](
        run, work, data, labels, values, order, first, last, losses)


ctypedef Py_ssize_t (*steps_function)(
    program_.Run*, real*, const uint8_t*, const int64_t*, const real*, const int64_t*, Py_ssize_t,
    Py_ssize_t, double*) noexcept nogil


def train_steps(const int64_t[:, ::1] program, const int64_t[:, ::1] plan,
                const double[::1] settings, const int64_t[::1] choices, const uint8_t[::1] data,
                const int64_t[::1] labels, const real[:, ::1] values, const double[::1] weights,
                const int64_t[::1] order, const int64_t[::1] starts, const double[:, ::1] rates,
                Py_ssize_t thread, Py_ssize_t first, Py_ssize_t last, real[::1] work, double[::1] losses, real[:, ::1] kept, int64_t[::1] sync):
    """run the steps first..last of an epoch as one of its threads; returns the first not done"""
    cdef program_.Run run = program_.run_from(
        &program[0, 0], program.shape[0], &plan[0, 0], &settings[0], &choices[0], thread,
        choices[THREADS], &sync[0])
    cdef steps_function function = train_on_rows[real]
    cdef Py_ssize_t step
    cdef unsigned long state
    if program_.on_images(run.program, run.layers):
        function = train_on_images[real]
    elif run.plan[SPLIT] == BY_SAMPLES:
        function = train_by_samples[real]
    run.starts, run.rates_of_steps, run.weights = &starts[0], &rates[0, 0], _first(weights)
    run.scores = &kept[0, 0] if kept.shape[0] else NULL
    with nogil:
        state = flush_denormals()
        step = function(&run, &work[0], &data[0], &labels[0], &values[0, 0], &order[0],
                        first, last, &losses[0])
        restore_denormals(state)
    return step


def forward_samples(const int64_t[:, ::1] program, const int64_t[:, ::1] plan,
                    const double[::1] settings, const int64_t[::1] choices,
                    const uint8_t[::1] data, Py_ssize_t thread, Py_ssize_t first, Py_ssize_t last,
                    real[::1] work, real[:, ::1] scores):
    """write the scores of the samples first..last, alone and without waiting for anybody"""
    cdef program_.Run run = program_.run_from(
        &program[0, 0], program.shape[0], &plan[0, 0], &settings[0], &choices[0], 0, 1, NULL)
    cdef unsigned long state
    with nogil:
        state = flush_denormals()
        if program_.on_images(run.program, run.layers):
            epoch_images.forward_samples[real](&run, &work[0], &data[0], first, last, &scores[0, 0])
        else:
            predictions.forward_samples[real](&run, &work[0], &data[0], first, last, &scores[0, 0])
        restore_denormals(state)


cdef class OneSample:
    """A network of built-in layers, ready for one sample at a time: nothing is allocated for it.

    program (layers, columns), values (layers, VALUE_COLUMNS) and the flat vectors params and buffers
    are kept, not copied.
    skip_zeros leaves out the weights of inputs that are zero, which is the same only if all
    parameters are finite.
    """

    cdef const int64_t[:, ::1] program
    cdef const double[:, ::1] values
    cdef object vectors  # keeps the memory of the next two, of which one is NULL, and of buffers
    cdef const float* floats
    cdef const double* doubles
    cdef const void* buffers
    cdef Py_ssize_t inputs, outputs
    cdef bint skip_zeros

    def __init__(self, const int64_t[:, ::1] program, const double[:, ::1] values, params, buffers,
                 bint skip_zeros):
        cdef const float[::1] floats
        cdef const double[::1] doubles
        cdef const uint8_t[::1] bytes_ = buffers.view("u1")
        self.program, self.values, self.vectors = program, values, (params, buffers)
        self.floats, self.doubles, self.skip_zeros = NULL, NULL, skip_zeros
        self.buffers = &bytes_[0]
        self.inputs, self.outputs = program[0, INPUTS], program[program.shape[0] - 1, OUTPUTS]
        if params.dtype.itemsize == sizeof(float):
            floats = params
            self.floats = &floats[0]
        else:
            doubles = params
            self.doubles = &doubles[0]

    def fits(self):
        """Whether no layer is too wide, nor all that shortcuts lead past layers at a time, and
        each computes with what it finds.
        """
        cdef Py_ssize_t layer, forked = 0
        for layer in range(self.program.shape[0]):
            if self.program[layer, KIND] == FORK:
                forked += self.program[layer, OUTPUTS]
            elif self.program[layer, KIND] == ADD:
                forked -= self.program[layer, OUTPUTS]
            if (max(self.program[layer, OUTPUTS], forked) > one_sample.MOST_COLUMNS
                    or not one_sample.knows(&self.program[layer, 0])):
                return False
        return True

    def scores(self, x):
        """The scores (1, outputs) of x (1, inputs), or (outputs,) of x (inputs,).

        None if x is no such C-contiguous array of real numbers, or not all are finite in the
        parameters' dtype.
        """
        return self.answer(x, False)

    def probabilities(self, x):
        """The same of their softmax."""
        return self.answer(x, True)

    cdef object answer(self, x, bint softmax):
        cdef numpy.npy_intp shape[2]
        cdef numpy.npy_intp* columns
        cdef int axes, kind = numpy.NPY_FLOAT if self.floats != NULL else numpy.NPY_DOUBLE
        cdef bint done
        if not numpy.PyArray_CheckExact(x) or not numpy.PyArray_ISCARRAY_RO(x):
            return None
        axes, columns = numpy.PyArray_NDIM(x), numpy.PyArray_DIMS(x)
        if not 1 <= axes <= 2 or columns[axes - 1] != self.inputs or axes == 2 and columns[0] != 1:
            return None
        shape[0], shape[1] = 1, self.outputs
        y = numpy.PyArray_SimpleNew(axes, &shape[2 - axes], kind)
        if kind == numpy.NPY_FLOAT:
            done = self.fill[float](x, self.floats, y, softmax)
        else:
            done = self.fill[double](x, self.doubles, y, softmax)
        return y if done else None

    cdef bint fill(self, numpy.ndarray x, const real* params, numpy.ndarray y, bint softmax):
        """Fill y with the answer to x; False where its dtype is none of those known."""
        cdef const void* data = numpy.PyArray_DATA(x)
        cdef real* scores = <real*> numpy.PyArray_DATA(y)
        cdef int kind = numpy.PyArray_TYPE(x)
        cdef real cast[one_sample.MOST_COLUMNS]
        if kind == numpy.PyArray_TYPE(y):
            self.run[real](<const real*> data, params, scores, softmax)
            return True
        if self.inputs > one_sample.MOST_COLUMNS:
            return False
        if kind == numpy.NPY_DOUBLE:
            if not one_sample.cast_sample[double, real](
                    <const double*> data, self.inputs, &cast[0]):
                return False
        elif kind == numpy.NPY_FLOAT:
            if not one_sample.cast_sample[float, real](<const float*> data, self.inputs, &cast[0]):
                return False
        elif kind == numpy.NPY_INT64:
            one_sample.cast_sample[int64_t, real](<const int64_t*> data, self.inputs, &cast[0])
        elif kind == numpy.NPY_INT32:
            one_sample.cast_sample[int32_t, real](<const int32_t*> data, self.inputs, &cast[0])
        else:
            return False
        self.run[real](&cast[0], params, scores, softmax)
        return True

    cdef void run(self, const real* x, const real* params, real* y, bint softmax) noexcept:
        cdef real one[one_sample.MOST_COLUMNS]
        cdef real other[one_sample.MOST_COLUMNS]
        cdef real forked[one_sample.MOST_COLUMNS]
        cdef Py_ssize_t layers = self.program.shape[0], j
        cdef unsigned long state = flush_denormals()
        cdef const real* scores = one_sample.scores_of_one[real](
            &self.program[0, 0], layers, &self.values[0, 0], params, <const real*> self.buffers,
            self.skip_zeros, x, &one[0], &other[0], &forked[0])
        if softmax:
            rowwise.softmax_row[real](scores, y, self.outputs)
        else:
            for j in range(self.outputs):
                y[j] = scores[j]
        restore_denormals(state)
