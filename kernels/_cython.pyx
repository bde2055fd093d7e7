# cython: language_level=3, binding=True, freethreading_compatible=True
# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""The native kernels: each function unpacks its arrays and calls an inline core without the GIL.

The cores lie in the .pxd files beside this one: tile (matrix products in registers), dense,
elementary (exp, tanh), activations, rowwise (softmax, losses, argmax). setup.py compiles this one
source once for each CPU level. The contract stands in __init__.py; nothing is checked here.
"""

from libc.stdint cimport int64_t, uint8_t

cimport activations
cimport dense
cimport rowwise
from tile cimport real

cdef extern from *:
    """
    #ifndef SOURCE_HASH
    #define SOURCE_HASH "unknown"
    #endif
    """
    const char* SOURCE_HASH

source_hash = SOURCE_HASH.decode()  # of the .pyx and .pxd files this was built from

ctypedef fused source:
    uint8_t
    float
    double


def gather(const source[:, ::1] data, const int64_t[::1] rows, double scale, real[:, ::1] x):
    """x = data[rows] * scale"""
    cdef real factor = <real> scale
    cdef const source* row
    cdef Py_ssize_t r, j
    with nogil:
        for r in range(rows.shape[0]):
            row = &data[rows[r], 0]
            for j in range(data.shape[1]):
                x[r, j] = <real> row[j] * factor


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


def relu_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = max(x, 0)"""
    with nogil:
        activations.relu_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def relu_backward(const real[:, ::1] y, const real[:, ::1] dy, real[:, ::1] dx):
    """dx = dy where y > 0, else 0"""
    with nogil:
        activations.relu_backward[real](&y[0, 0], &dy[0, 0], &dx[0, 0], y.shape[0] * y.shape[1])


def elu_forward(const real[:, ::1] x, double alpha, real[:, ::1] y):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""
    with nogil:
        activations.elu_forward[real](&x[0, 0], <real> alpha, &y[0, 0], x.shape[0] * x.shape[1])


def elu_backward(const real[:, ::1] y, const real[:, ::1] dy, double alpha, real[:, ::1] dx):
    """dx = dy where y > 0, else dy * (y + alpha)"""
    with nogil:
        activations.elu_backward[real](&y[0, 0], &dy[0, 0], <real> alpha, &dx[0, 0],
                                       y.shape[0] * y.shape[1])


def tanh_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = tanh(x)"""
    with nogil:
        activations.tanh_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def tanh_backward(const real[:, ::1] y, const real[:, ::1] dy, real[:, ::1] dx):
    """dx = dy * (1 - y**2)"""
    with nogil:
        activations.tanh_backward[real](&y[0, 0], &dy[0, 0], &dx[0, 0], y.shape[0] * y.shape[1])


def sigmoid_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = 1 / (1 + exp(-x))"""
    with nogil:
        activations.sigmoid_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def sigmoid_backward(const real[:, ::1] y, const real[:, ::1] dy, real[:, ::1] dx):
    """dx = dy * y * (1 - y)"""
    with nogil:
        activations.sigmoid_backward[real](&y[0, 0], &dy[0, 0], &dx[0, 0], y.shape[0] * y.shape[1])


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


def hinge_loss(const real[:, ::1] x, const int64_t[::1] labels, double margin, real[:, ::1] dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)"""
    cdef Py_ssize_t r, n = max(x.shape[0], 1)
    cdef double loss = 0
    with nogil:
        for r in range(x.shape[0]):
            loss += rowwise.hinge_row[real](&x[r, 0], labels[r], <real> margin, <real> (1.0 / n),
                                         &dx[r, 0], x.shape[1])
    return loss / n


def cross_entropy_loss(const real[:, ::1] x, const int64_t[::1] labels, real[:, ::1] dx):
    """mean over rows of -log(softmax(x)[label])"""
    cdef Py_ssize_t r, n = max(x.shape[0], 1)
    cdef double loss = 0
    with nogil:
        for r in range(x.shape[0]):
            loss += rowwise.cross_entropy_row[real](&x[r, 0], labels[r], <real> (1.0 / n),
                                                 &dx[r, 0], x.shape[1])
    return loss / n


def nll_loss(const real[:, ::1] x, const int64_t[::1] labels, real[:, ::1] dx):
    """mean over rows of -x[label]"""
    cdef Py_ssize_t r, n = max(x.shape[0], 1)
    cdef double loss = 0
    with nogil:
        for r in range(x.shape[0]):
            loss += rowwise.nll_row[real](&x[r, 0], labels[r], <real> (1.0 / n),
                                       &dx[r, 0], x.shape[1])
    return loss / n


def squared_error_loss(const real[:, ::1] x, const real[:, ::1] target, real[:, ::1] dx):
    """mean over all elements of (x - target)**2"""
    cdef Py_ssize_t r, size = max(x.shape[0] * x.shape[1], 1)
    cdef double loss = 0
    with nogil:
        for r in range(x.shape[0]):
            loss += rowwise.squared_error_row[real](&x[r, 0], &target[r, 0], <real> (1.0 / size),
                                                 &dx[r, 0], x.shape[1])
    return loss / size


def sgd_step(const real[::1] grads, double lr, real[::1] params):
    """params = params - lr * grads"""
    cdef real rate = <real> lr
    cdef Py_ssize_t i
    with nogil:
        for i in range(params.shape[0]):
            params[i] -= rate * grads[i]


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
            right += rowwise.argmax_row[real](&x[r, 0], x.shape[1]) == labels[r]
    return right / <double> n
