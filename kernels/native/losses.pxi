# The kernels of losses: a part of _cython.pyx, whose imports it uses. Cores in losses.pxd.

from numbers cimport (
    ABSOLUTE_ERROR, BCE_WITH_LOGITS, CROSS_ENTROPY, HINGE, HUBER, NLL, POISSON_NLL,
    SOFT_CROSS_ENTROPY, SQUARED_ERROR, SQUARED_HINGE,
)


def hinge_loss(const real[:, ::1] x, const int64_t[::1] labels, double margin, real[:, ::1] dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](HINGE, &margin, &x[0, 0], &labels[0], NULL, x.shape[0],
                                      &dx[0, 0], x.shape[1])
    return loss


def cross_entropy_loss(const real[:, ::1] x, const int64_t[::1] labels, double smoothing,
                       real[:, ::1] dx):
    """mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * onehot + smoothing / o"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](CROSS_ENTROPY, &smoothing, &x[0, 0], &labels[0], NULL,
                                      x.shape[0], &dx[0, 0], x.shape[1])
    return loss


def soft_cross_entropy_loss(const real[:, ::1] x, const real[:, ::1] target, double smoothing,
                            real[:, ::1] dx):
    """mean over rows of -sum(q * log(softmax(x))), q = (1 - smoothing) * target + smoothing / o"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](SOFT_CROSS_ENTROPY, &smoothing, &x[0, 0], NULL, &target[0, 0],
                                      x.shape[0], &dx[0, 0], x.shape[1])
    return loss


def nll_loss(const real[:, ::1] x, const int64_t[::1] labels, real[:, ::1] dx):
    """mean over rows of -x[label]"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](NLL, NULL, &x[0, 0], &labels[0], NULL, x.shape[0],
                                      &dx[0, 0], x.shape[1])
    return loss


def squared_error_loss(const real[:, ::1] x, const real[:, ::1] target, real[:, ::1] dx):
    """mean over all elements of (x - target)**2"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](SQUARED_ERROR, NULL, &x[0, 0], NULL, &target[0, 0], x.shape[0],
                                      &dx[0, 0], x.shape[1])
    return loss


def absolute_error_loss(const real[:, ::1] x, const real[:, ::1] target, real[:, ::1] dx):
    """mean over all elements of |x - target|"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](ABSOLUTE_ERROR, NULL, &x[0, 0], NULL, &target[0, 0], x.shape[0],
                                      &dx[0, 0], x.shape[1])
    return loss


def huber_loss(const real[:, ::1] x, const real[:, ::1] target, double delta, real[:, ::1] dx):
    """mean over all elements of c * (|d| - c / 2), d = x - target, c = min(|d|, delta)"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](HUBER, &delta, &x[0, 0], NULL, &target[0, 0], x.shape[0],
                                      &dx[0, 0], x.shape[1])
    return loss


def squared_hinge_loss(const real[:, ::1] x, const int64_t[::1] labels, double margin,
                       real[:, ::1] dx):
    """mean over rows of sum over j != label of max(0, x[j] - x[label] + margin)**2"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](SQUARED_HINGE, &margin, &x[0, 0], &labels[0], NULL,
                                      x.shape[0], &dx[0, 0], x.shape[1])
    return loss


def poisson_nll_loss(const real[:, ::1] x, const real[:, ::1] target, real[:, ::1] dx):
    """mean over all elements of exp(x) - target * x"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](POISSON_NLL, NULL, &x[0, 0], NULL, &target[0, 0], x.shape[0],
                                      &dx[0, 0], x.shape[1])
    return loss


def bce_with_logits_loss(const real[:, ::1] x, const real[:, ::1] target,
                         const double[::1] pos_weight, real[:, ::1] dx):
    """mean over all elements of -pos_weight * t * log(p) - (1 - t) * log(1 - p), p = sigmoid(x)"""
    cdef double loss
    with nogil:
        loss = losses.mean_loss[real](BCE_WITH_LOGITS, &pos_weight[0], &x[0, 0], NULL, &target[0, 0],
                                      x.shape[0], &dx[0, 0], x.shape[1])
    return loss
