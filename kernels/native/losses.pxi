# The kernels of losses: a part of _cython.pyx, whose imports it uses. Cores in losses.pxd.

from numbers cimport (
    ABSOLUTE_ERROR, BCE_WITH_LOGITS, CROSS_ENTROPY, HINGE, HUBER, NLL, POISSON_NLL,
    SOFT_CROSS_ENTROPY, SQUARED_ERROR, SQUARED_HINGE,
)

cdef inline const double* _first(const double[::1] weights) noexcept nogil:
    """Where weights start, or NULL where there are none."""
    return &weights[0] if weights.shape[0] else NULL


cdef inline double _of_labels(
    int64_t kind, const double* numbers, const real[:, ::1] x, const int64_t[::1] labels,
    const double[::1] weights, real[:, ::1] dx,
) noexcept nogil:
    return losses.mean_loss[real](kind, numbers, &x[0, 0], &labels[0], NULL, _first(weights),
                                  x.shape[0], &dx[0, 0], x.shape[1])


cdef inline double _of_values(
    int64_t kind, const double* numbers, const real[:, ::1] x, const real[:, ::1] target,
    const double[::1] weights, real[:, ::1] dx,
) noexcept nogil:
    return losses.mean_loss[real](kind, numbers, &x[0, 0], NULL, &target[0, 0], _first(weights),
                                  x.shape[0], &dx[0, 0], x.shape[1])


def hinge_loss(const real[:, ::1] x, const int64_t[::1] labels, const double[::1] weights,
               double margin, real[:, ::1] dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)"""
    cdef double loss
    with nogil:
        loss = _of_labels[real](HINGE, &margin, x, labels, weights, dx)
    return loss


def cross_entropy_loss(const real[:, ::1] x, const int64_t[::1] labels, const double[::1] weights,
                       double smoothing, real[:, ::1] dx):
    """mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * onehot + smoothing / o"""
    cdef double loss
    with nogil:
        loss = _of_labels[real](CROSS_ENTROPY, &smoothing, x, labels, weights, dx)
    return loss


def soft_cross_entropy_loss(const real[:, ::1] x, const real[:, ::1] target,
                            const double[::1] weights, double smoothing, real[:, ::1] dx):
    """mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * target + smoothing / o"""
    cdef double loss
    with nogil:
        loss = _of_values[real](SOFT_CROSS_ENTROPY, &smoothing, x, target, weights, dx)
    return loss


def nll_loss(const real[:, ::1] x, const int64_t[::1] labels, const double[::1] weights,
             real[:, ::1] dx):
    """mean over rows of -x[label]"""
    cdef double loss
    with nogil:
        loss = _of_labels[real](NLL, NULL, x, labels, weights, dx)
    return loss


def squared_error_loss(const real[:, ::1] x, const real[:, ::1] target, const double[::1] weights,
                       real[:, ::1] dx):
    """mean over all elements of (x - target)**2"""
    cdef double loss
    with nogil:
        loss = _of_values[real](SQUARED_ERROR, NULL, x, target, weights, dx)
    return loss


def absolute_error_loss(const real[:, ::1] x, const real[:, ::1] target, const double[::1] weights,
                        real[:, ::1] dx):
    """mean over all elements of |x - target|"""
    cdef double loss
    with nogil:
        loss = _of_values[real](ABSOLUTE_ERROR, NULL, x, target, weights, dx)
    return loss


def huber_loss(const real[:, ::1] x, const real[:, ::1] target, const double[::1] weights,
               double delta, real[:, ::1] dx):
    """mean over all elements of c * (|d| - c / 2), d = x - target, c = min(|d|, delta)"""
    cdef double loss
    with nogil:
        loss = _of_values[real](HUBER, &delta, x, target, weights, dx)
    return loss


def squared_hinge_loss(const real[:, ::1] x, const int64_t[::1] labels, const double[::1] weights,
                       double margin, real[:, ::1] dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)**2"""
    cdef double loss
    with nogil:
        loss = _of_labels[real](SQUARED_HINGE, &margin, x, labels, weights, dx)
    return loss


def poisson_nll_loss(const real[:, ::1] x, const real[:, ::1] target, const double[::1] weights,
                     real[:, ::1] dx):
    """mean over all elements of exp(x) - target * x"""
    cdef double loss
    with nogil:
        loss = _of_values[real](POISSON_NLL, NULL, x, target, weights, dx)
    return loss


def bce_with_logits_loss(const real[:, ::1] x, const real[:, ::1] target, const double[::1] weights,
                         const double[::1] pos_weight, real[:, ::1] dx):
    """mean over all elements of -pos_weight * t * log(p) - (1 - t) * log(1 - p), p = sigmoid(x)"""
    cdef double loss
    with nogil:
        loss = _of_values[real](BCE_WITH_LOGITS, &pos_weight[0], x, target, weights, dx)
    return loss
