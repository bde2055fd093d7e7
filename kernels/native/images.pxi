# The kernels on images: a part of _cython.pyx, whose imports it uses. Cores in conv2d and pooling.


def conv2d_forward(const real[:, :, :, ::1] x, const real[:, :, :, ::1] w, const real[::1] b,
                   const int64_t[::1] stride, real[:, :, :, ::1] y):
    """y[i, j] = b + the sum of x[i * stride + k, j * stride + l] * w[k, l]"""
    cdef int64_t[2] kernel = [w.shape[2], w.shape[3]]
    cdef Images s = images_between(x.shape, y.shape, &kernel[0], &stride[0])
    s.groups = x.shape[1] // w.shape[1]
    with nogil:
        conv2d.forward[real](&s, x.shape[0], &x[0, 0, 0, 0], &w[0, 0, 0, 0], &b[0], &y[0, 0, 0, 0])


def conv2d_backward(const real[:, :, :, ::1] x, const real[:, :, :, ::1] dy,
                    const int64_t[::1] stride, real[:, :, :, ::1] dw, real[::1] db):
    """dw[k, l] = the sum of x[i * stride + k, ...] * dy[i, j]; db of dy"""
    cdef int64_t[2] kernel = [dw.shape[2], dw.shape[3]]
    cdef Images s = images_between(x.shape, dy.shape, &kernel[0], &stride[0])
    s.groups = x.shape[1] // dw.shape[1]
    with nogil:
        conv2d.backward[real](&s, x.shape[0], &x[0, 0, 0, 0], &dy[0, 0, 0, 0], &dw[0, 0, 0, 0],
                              &db[0])


def conv2d_backward_input(const real[:, :, :, ::1] dy, const real[:, :, :, ::1] w,
                          const int64_t[::1] stride, real[:, :, :, ::1] dx):
    """dx[i * stride + k, ...] = the sum of dy[i, j] * w[k, l]"""
    cdef int64_t[2] kernel = [w.shape[2], w.shape[3]]
    cdef Images s = images_between(dx.shape, dy.shape, &kernel[0], &stride[0])
    s.groups = dx.shape[1] // w.shape[1]
    with nogil:
        conv2d.backward_input[real](&s, dx.shape[0], &dy[0, 0, 0, 0], &w[0, 0, 0, 0],
                                    &dx[0, 0, 0, 0])


def max_pool2d_forward(const real[:, :, :, ::1] x, const int64_t[::1] kernel,
                       const int64_t[::1] stride, real[:, :, :, ::1] y):
    """y = the maximum of each window of x"""
    cdef Images s = images_between(x.shape, y.shape, &kernel[0], &stride[0])
    with nogil:
        pooling.max_forward_images[real](&s, x.shape[0], &x[0, 0, 0, 0], &y[0, 0, 0, 0])


def max_pool2d_backward(const real[:, :, :, ::1] x, const real[:, :, :, ::1] dy,
                        const int64_t[::1] kernel, const int64_t[::1] stride,
                        real[:, :, :, ::1] dx):
    """dx = the sum of dy of windows whose first maximum is there"""
    cdef Images s = images_between(x.shape, dy.shape, &kernel[0], &stride[0])
    with nogil:
        pooling.max_backward_images[real](&s, x.shape[0], &x[0, 0, 0, 0], &dy[0, 0, 0, 0],
                                          &dx[0, 0, 0, 0])


def avg_pool2d_forward(const real[:, :, :, ::1] x, const int64_t[::1] kernel,
                       const int64_t[::1] stride, real[:, :, :, ::1] y):
    """y = the mean of each window of x"""
    cdef Images s = images_between(x.shape, y.shape, &kernel[0], &stride[0])
    with nogil:
        pooling.average_forward_images[real](&s, x.shape[0], &x[0, 0, 0, 0], &y[0, 0, 0, 0])


def avg_pool2d_backward(const real[:, :, :, ::1] dy, const int64_t[::1] kernel,
                        const int64_t[::1] stride, real[:, :, :, ::1] dx):
    """dx = the sum of dy / the window's size over its windows"""
    cdef Images s = images_between(dx.shape, dy.shape, &kernel[0], &stride[0])
    with nogil:
        pooling.average_backward_images[real](&s, dx.shape[0], &dy[0, 0, 0, 0], &dx[0, 0, 0, 0])


def pad2d_forward(const real[:, :, :, ::1] x, const int64_t[::1] padding, double value,
                  real[:, :, :, ::1] y):
    """y = x with a border of value"""
    cdef Py_ssize_t r, i, j, k, top = padding[0], left = padding[1]
    with nogil:
        for r in range(y.shape[0]):
            for i in range(y.shape[1]):
                for j in range(y.shape[2]):
                    for k in range(y.shape[3]):
                        y[r, i, j, k] = <real> value
            pooling.pad[real](&x[r, 0, 0, 0], &y[r, 0, 0, 0], x.shape[1], x.shape[2], x.shape[3],
                              top, left, y.shape[2], y.shape[3], 1)


def pad2d_backward(const real[:, :, :, ::1] dy, const int64_t[::1] padding,
                   real[:, :, :, ::1] dx):
    """dx = dy without its border"""
    cdef Py_ssize_t r, i, j, k, top = padding[0], left = padding[1]
    with nogil:
        for r in range(dx.shape[0]):
            for i in range(dx.shape[1]):
                for j in range(dx.shape[2]):
                    for k in range(dx.shape[3]):
                        dx[r, i, j, k] = dy[r, i, top + j, left + k]
