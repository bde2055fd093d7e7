# Elementwise kernels, the activations and the sum: a page of _cython.pyx, which includes it.


def add(const real[:, ::1] x, const real[:, ::1] z, real[:, ::1] y):
    """y = x + z"""
    with nogil:
        shortcut.sum_of[real](&x[0, 0], &z[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def relu_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = max(x, 0)"""
    with nogil:
        activations.relu_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def relu_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                  real[:, ::1] dx):
    """dx = dy where y > 0, else 0"""
    with nogil:
        activations.relu_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0], &dx[0, 0],
                                        y.shape[0] * y.shape[1])


def elu_forward(const real[:, ::1] x, double alpha, real[:, ::1] y):
    """y = x where x > 0, else alpha * (exp(x) - 1)"""
    with nogil:
        activations.elu_forward[real](&x[0, 0], <real> alpha, &y[0, 0], x.shape[0] * x.shape[1])


def elu_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                 double alpha, real[:, ::1] dx):
    """dx = dy where y > 0, else dy * (y + alpha)"""
    with nogil:
        activations.elu_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0], <real> alpha, &dx[0, 0],
                                       y.shape[0] * y.shape[1])


def tanh_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = tanh(x)"""
    with nogil:
        activations.tanh_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def tanh_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                  real[:, ::1] dx):
    """dx = dy * (1 - y**2)"""
    with nogil:
        activations.tanh_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0], &dx[0, 0],
                                        y.shape[0] * y.shape[1])


def sigmoid_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = 1 / (1 + exp(-x))"""
    with nogil:
        activations.sigmoid_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def sigmoid_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                     real[:, ::1] dx):
    """dx = dy * y * (1 - y)"""
    with nogil:
        activations.sigmoid_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0], &dx[0, 0],
                                           y.shape[0] * y.shape[1])


def leaky_relu_forward(const real[:, ::1] x, double negative_slope, real[:, ::1] y):
    """y = x where x > 0, else negative_slope * x"""
    with nogil:
        activations.leaky_relu_forward[real](&x[0, 0], <real> negative_slope, &y[0, 0],
                                             x.shape[0] * x.shape[1])


def leaky_relu_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                        double negative_slope, real[:, ::1] dx):
    """dx = dy where y > 0, else dy * negative_slope"""
    with nogil:
        activations.leaky_relu_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0], <real> negative_slope,
                                              &dx[0, 0], y.shape[0] * y.shape[1])


def selu_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = scale * (x where x > 0, else alpha * (exp(x) - 1))"""
    with nogil:
        activations.selu_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def selu_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                  real[:, ::1] dx):
    """dx = dy * scale where y > 0, else dy * (y + scale * alpha)"""
    with nogil:
        activations.selu_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0],
                                        &dx[0, 0], y.shape[0] * y.shape[1])


def silu_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = x / (1 + exp(-x))"""
    with nogil:
        activations.silu_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def silu_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                  real[:, ::1] dx):
    """dx = dy * s * (1 + x * (1 - s)), s = 1 / (1 + exp(-x))"""
    with nogil:
        activations.silu_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0],
                                        &dx[0, 0], y.shape[0] * y.shape[1])


def mish_forward(const real[:, ::1] x, real[:, ::1] y):
    """y = x * tanh(log(1 + exp(x)))"""
    with nogil:
        activations.mish_forward[real](&x[0, 0], &y[0, 0], x.shape[0] * x.shape[1])


def mish_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                  real[:, ::1] dx):
    """dx = dy * (t + x * (1 - t**2) / (1 + exp(-x))), t = tanh(log(1 + exp(x)))"""
    with nogil:
        activations.mish_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0],
                                        &dx[0, 0], y.shape[0] * y.shape[1])


def softplus_forward(const real[:, ::1] x, double beta, double threshold, real[:, ::1] y):
    """y = log(1 + exp(beta * x)) / beta, but x where beta * x > threshold"""
    with nogil:
        activations.softplus_forward[real](&x[0, 0], <real> beta, <real> threshold, &y[0, 0],
                                           x.shape[0] * x.shape[1])


def softplus_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                      double beta, double threshold, real[:, ::1] dx):
    """dx = dy / (1 + exp(-beta * x)), but dy where beta * x > threshold"""
    with nogil:
        activations.softplus_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0],
                                            <real> beta, <real> threshold, &dx[0, 0], y.shape[0] * y.shape[1])


def gelu_forward(const real[:, ::1] x, double approximate, real[:, ::1] y):
    """y = x * (1 + erf(x / sqrt(2))) / 2; by tanh, if approximate"""
    with nogil:
        activations.gelu_forward[real](&x[0, 0], <real> approximate, &y[0, 0],
                                       x.shape[0] * x.shape[1])


def gelu_backward(const real[:, ::1] x, const real[:, ::1] y, const real[:, ::1] dy,
                  double approximate, real[:, ::1] dx):
    """dx = dy * (p + x * density); p = y / x, density its slope"""
    with nogil:
        activations.gelu_backward[real](&x[0, 0], &y[0, 0], &dy[0, 0],
                                        <real> approximate, &dx[0, 0], y.shape[0] * y.shape[1])
