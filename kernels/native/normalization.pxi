# Scale, Standardize, BatchNorm, LayerNorm: a page of _cython.pyx, which includes it. Cores in
# normalization.pxd.


def scale_forward(const real[:, ::1] x, const real[::1] w, real[:, ::1] y):
    """y = x * w"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.scale[real](x.shape[0], o, &x[0, 0], o, &w[0], &y[0, 0], o)


def scale_backward(const real[:, ::1] x, const real[:, ::1] dy, real[::1] dw):
    """dw = the sum of x * dy over the batch"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.scale_gradient[real](x.shape[0], o, &x[0, 0], o, &dy[0, 0], o, &dw[0])


def standardize_forward(const real[:, ::1] x, const real[::1] mean, const real[::1] std,
                        real[:, ::1] y):
    """y = (x - mean) / std"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.standardize[real](x.shape[0], o, &x[0, 0], o, &mean[0], &std[0], &y[0, 0], o)


def standardize_backward(const real[:, ::1] dy, const real[::1] std, real[:, ::1] dx):
    """dx = dy / std"""
    cdef Py_ssize_t o = dy.shape[1]
    with nogil:
        normalization.unstandardize[real](dy.shape[0], o, &dy[0, 0], o, &std[0], &dx[0, 0], o)


def batch_statistics(const real[:, ::1] x, real[::1] mean, real[::1] var):
    """each column's mean and variance (over n) in the batch"""
    with nogil:
        normalization.statistics[real](x.shape[0], x.shape[1], &x[0, 0], x.shape[1], &mean[0],
                                       &var[0])


def batch_norm_forward(const real[:, ::1] x, const real[::1] mean, const real[::1] var,
                       const real[::1] w, const real[::1] b, double eps, real[:, ::1] y):
    """y = xhat * w + b, xhat = (x - mean) / sqrt(var + eps)"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.batch_norm[real](x.shape[0], o, &x[0, 0], o, &mean[0], &var[0], &w[0], &b[0],
                                       <real> eps, &y[0, 0], o)


def batch_norm_backward(const real[:, ::1] x, const real[:, ::1] dy, const real[::1] mean,
                        const real[::1] var, double eps, real[::1] dw, real[::1] db):
    """dw = the sum of dy * xhat over the batch; db = the sum of dy"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.batch_norm_gradient[real](
            x.shape[0], o, &x[0, 0], o, &dy[0, 0], o, &mean[0], &var[0], <real> eps, &dw[0], &db[0])


def batch_norm_backward_input(const real[:, ::1] x, const real[:, ::1] dy, const real[::1] mean,
                              const real[::1] var, const real[::1] w, const real[::1] dw,
                              const real[::1] db, double eps, real[:, ::1] dx):
    """dx = w / sqrt(var + eps) * (dy - (db + dw * xhat) / n)"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.batch_norm_input[real](
            x.shape[0], o, &x[0, 0], o, &dy[0, 0], o, &mean[0], &var[0], &w[0], &dw[0], &db[0],
            <real> eps, x.shape[0], &dx[0, 0], o)


def batch_norm_backward_input_in_use(const real[:, ::1] dy, const real[::1] var,
                                     const real[::1] w, double eps, real[:, ::1] dx):
    """dx = w / sqrt(var + eps) * dy, where mean and var are no batch's"""
    cdef Py_ssize_t o = dy.shape[1]
    with nogil:
        normalization.batch_norm_input_in_use[real](
            dy.shape[0], o, &dy[0, 0], o, &var[0], &w[0], <real> eps, &dx[0, 0], o)


def running_average(const real[::1] x, double share, double factor, real[::1] y):
    """y = y + share * (factor * x - y)"""
    with nogil:
        normalization.running_average[real](&x[0], share, factor, &y[0], x.shape[0])


def layer_norm_forward(const real[:, ::1] x, const real[::1] w, const real[::1] b, double eps,
                       real[::1] mean, real[::1] rstd, real[:, ::1] y):
    """y = (x - mean) * rstd * w + b; mean and rstd = 1 / sqrt(variance + eps) of each row"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.layer_norm[real](x.shape[0], o, &x[0, 0], o, &w[0], &b[0], <real> eps,
                                       &mean[0], &rstd[0], &y[0, 0], o)


def layer_norm_backward(const real[:, ::1] x, const real[:, ::1] dy, const real[::1] mean,
                        const real[::1] rstd, real[::1] dw, real[::1] db):
    """dw = the sum of dy * xhat over the batch, xhat = (x - mean) * rstd; db = the sum of dy"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.layer_norm_gradient[real](
            x.shape[0], o, &x[0, 0], o, &dy[0, 0], o, &mean[0], &rstd[0], &dw[0], &db[0])


def layer_norm_backward_input(const real[:, ::1] x, const real[:, ::1] dy, const real[::1] mean,
                              const real[::1] rstd, const real[::1] w, real[:, ::1] dx):
    """dx = rstd * (g - (sum(g) + xhat * sum(g * xhat)) / o), g = dy * w, row by row"""
    cdef Py_ssize_t o = x.shape[1]
    with nogil:
        normalization.layer_norm_input[real](
            x.shape[0], o, &x[0, 0], o, &dy[0, 0], o, &mean[0], &rstd[0], &w[0], &dx[0, 0], o)
