"""Elementwise rows of a program: which activation a kind is."""

from libc.stdint cimport int64_t

cimport activations
from program cimport ELU, RELU, SIGMOID, TANH
from tile cimport real


cdef inline bint is_elementwise(int64_t kind) noexcept nogil:
    return kind == RELU or kind == ELU or kind == TANH or kind == SIGMOID


cdef inline void forward(
    int64_t kind, real alpha, const real* x, real* y, Py_ssize_t n,
) noexcept nogil:
    """n numbers in a row; alpha is ELU's."""
    if kind == RELU:
        activations.relu_forward[real](x, y, n)
    elif kind == ELU:
        activations.elu_forward[real](x, alpha, y, n)
    elif kind == TANH:
        activations.tanh_forward[real](x, y, n)
    else:
        activations.sigmoid_forward[real](x, y, n)


cdef inline void backward(
    int64_t kind, real alpha, const real* y, const real* dy, real* dx, Py_ssize_t n,
) noexcept nogil:
    if kind == RELU:
        activations.relu_backward[real](y, dy, dx, n)
    elif kind == ELU:
        activations.elu_backward[real](y, dy, alpha, dx, n)
    elif kind == TANH:
        activations.tanh_backward[real](y, dy, dx, n)
    else:
        activations.sigmoid_backward[real](y, dy, dx, n)
