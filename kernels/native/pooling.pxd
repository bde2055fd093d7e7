"""Pooling of images (c, h, w), each pixel one number, or SAMPLES of them in the engine.

Windows may overlap, leave gaps, and reach over the border by `padding`; there they are cut off,
which for a maximum is a border of -inf and for a sum one of zeros.
"""

from libc.string cimport memset

from convolution cimport Images, first_lane, input_size, output_size, spread
from tile cimport dvec, fvec, real, times, vec

cdef extern from *:
    """
    #if defined(__GNUC__)
    /* where (a condition of vectors, all ones or all zeros in a lane) a, else b */
    #define choose(where, a, b) \\
        ((__typeof__(a)) (((where) & (__typeof__(where)) (a)) \\
                          | (~(where) & (__typeof__(where)) (b))))
    #else
    #define choose(where, a, b) ((where) ? (a) : (b))
    #endif
    #define stays(here, best) (((here) <= (best)) | ((best) != (best)))  /* NaN stays */
    #define larger(here, best) choose(stays(here, best), best, here)
    #define at_larger(here, best, number, at) \\
        choose(stays(here, best), at, (__typeof__(at)) spread(number, at))
    #define where_at(at, number, d) \\
        choose((at) == (__typeof__(at)) spread(number, at), d, (__typeof__(d)) {0})
    #define rectified(v) choose((v) <= (__typeof__(v)) {0}, (__typeof__(v)) {0}, v)  /* NaN stays */
    #define where_positive(y, d) choose((y) > (__typeof__(y)) {0}, d, (__typeof__(d)) {0})
    """
    double rectified(double v) noexcept nogil
    double where_positive(double y, double d) noexcept nogil
    double larger(double here, double best) noexcept nogil
    double at_larger(double here, double best, double number, double at) noexcept nogil
    double where_at(double at, double number, double d) noexcept nogil


cdef inline Py_ssize_t window_start(
    const Images* s, Py_ssize_t axis, Py_ssize_t at,
) noexcept nogil:
    return max(0, at * s.stride[axis] - s.padding[axis])


cdef inline Py_ssize_t window_end(
    const Images* s, Py_ssize_t axis, Py_ssize_t at, Py_ssize_t size,
) noexcept nogil:
    return min(size, at * s.stride[axis] - s.padding[axis] + s.kernel[axis])


cdef inline bint is_tiled(const Images* s) noexcept nogil:
    """Whether every pixel is part of one window."""
    cdef Py_ssize_t axis
    cdef bint tiled = s.out_height * s.stride[0] == s.height
    for axis in range(2):
        tiled = tiled and s.stride[axis] == s.kernel[axis] and s.padding[axis] == 0
    return tiled and s.out_width * s.stride[1] == s.width


cdef inline vec pixels(const real* x, bint narrow, const vec* _vec) noexcept nogil:
    """A vector of neighbours from x on, or if narrow, x in all lanes."""
    cdef vec v
    memset(&v, 0, sizeof(v))
    if narrow:
        return <vec> spread(x[0], v)
    return (<const vec*> x)[0]


cdef inline void put(vec v, real* y, bint narrow) noexcept nogil:
    if narrow:
        y[0] = <real> first_lane(v)
    else:
        (<vec*> y)[0] = v


cdef inline void max_forward(
    const Images* s, const real* x, real* y, bint narrow, bint rectifies, const vec* v,
) noexcept nogil:
    """For one number of a pixel, if narrow (a constant), or a vector of them.

    If it rectifies, ReLU's output for the maximum, which is the maximum of ReLU's outputs.
    """
    cdef Py_ssize_t c, i, j, k, m, top, bottom, left, right, image = s.height * s.width * s.pixel
    cdef vec best, here
    for c in range(s.channels):
        for i in range(s.out_height):
            top, bottom = window_start(s, 0, i), window_end(s, 0, i, s.height)
            for j in range(s.out_width):
                left, right = window_start(s, 1, j), window_end(s, 1, j, s.width)
                best = pixels[real, vec](x + (top * s.width + left) * s.pixel, narrow, v)
                for k in range(top, bottom):
                    for m in range(left, right):
                        here = pixels[real, vec](x + (k * s.width + m) * s.pixel, narrow, v)
                        best = larger(here, best)
                if rectifies:
                    best = rectified(best)
                put[vec, real](best, y, narrow)
                y += s.pixel
        x += image


cdef inline void max_backward(
    const Images* s, const real* x, const real* dy, real* dx, bint narrow, bint tiled,
    bint rectifies, const vec* v,
) noexcept nogil:
    """dx = dy at the first maximum of its window; NaN counts as one. If not tiled, added to dx.

    If it rectifies, dx is what ReLU's backward makes of that, be x what ReLU put out or what it
    took: the maximum is positive, or there is nothing to pass on.
    """
    cdef Py_ssize_t c, i, j, k, m, top, bottom, left, right, image = s.height * s.width * s.pixel
    cdef vec best, here, d
    cdef vec at  # the maximum's number in the window: a real, as no other type fits the lanes
    cdef real number
    cdef real* there
    for c in range(s.channels):
        for i in range(s.out_height):
            top, bottom = window_start(s, 0, i), window_end(s, 0, i, s.height)
            for j in range(s.out_width):
                left, right = window_start(s, 1, j), window_end(s, 1, j, s.width)
                best = pixels[real, vec](x + (top * s.width + left) * s.pixel, narrow, v)
                memset(&at, 0, sizeof(at))
                number = 0
                for k in range(top, bottom):
                    for m in range(left, right):
                        here = pixels[real, vec](x + (k * s.width + m) * s.pixel, narrow, v)
                        at = at_larger(here, best, number, at)
                        best = larger(here, best)
                        number += 1
                d = pixels[real, vec](dy, narrow, v)
                if rectifies:
                    d = where_positive(best, d)
                number = 0
                for k in range(top, bottom):
                    for m in range(left, right):
                        there = dx + (k * s.width + m) * s.pixel
                        here = where_at(at, number, d)
                        if not tiled:
                            here = here + pixels[real, vec](there, narrow, v)
                        put[vec, real](here, there, narrow)
                        number += 1
                dy += s.pixel
        x += image
        dx += image


cdef inline void average_forward(
    const Images* s, const real* x, real* y, bint narrow, const vec* v,
) noexcept nogil:
    cdef Py_ssize_t c, i, j, k, m, top, bottom, left, right, image = s.height * s.width * s.pixel
    cdef vec total
    cdef real share = <real> (1.0 / (s.kernel[0] * s.kernel[1]))
    for c in range(s.channels):
        for i in range(s.out_height):
            top, bottom = window_start(s, 0, i), window_end(s, 0, i, s.height)
            for j in range(s.out_width):
                left, right = window_start(s, 1, j), window_end(s, 1, j, s.width)
                memset(&total, 0, sizeof(total))
                for k in range(top, bottom):
                    for m in range(left, right):
                        total = total + pixels[real, vec](
                            x + (k * s.width + m) * s.pixel, narrow, v)
                put[vec, real](<vec> times(share, total), y, narrow)
                y += s.pixel
        x += image


cdef inline void average_backward(
    const Images* s, const real* dy, real* dx, bint narrow, bint tiled, const vec* v,
) noexcept nogil:
    """dx = dy / the window's size. If not tiled, added to dx."""
    cdef Py_ssize_t c, i, j, k, m, top, bottom, left, right, image = s.height * s.width * s.pixel
    cdef vec d, here
    cdef real* there
    cdef real share = <real> (1.0 / (s.kernel[0] * s.kernel[1]))
    for c in range(s.channels):
        for i in range(s.out_height):
            top, bottom = window_start(s, 0, i), window_end(s, 0, i, s.height)
            for j in range(s.out_width):
                left, right = window_start(s, 1, j), window_end(s, 1, j, s.width)
                d = <vec> times(share, pixels[real, vec](dy, narrow, v))
                for k in range(top, bottom):
                    for m in range(left, right):
                        there = dx + (k * s.width + m) * s.pixel
                        here = d
                        if not tiled:
                            here = here + pixels[real, vec](there, narrow, v)
                        put[vec, real](here, there, narrow)
                dy += s.pixel
        dx += image


# The kernels: n images, one after another, each pixel one number.

cdef inline void max_forward_images(
    const Images* s, Py_ssize_t n, const real* x, real* y,
) noexcept nogil:
    cdef Py_ssize_t r, before = input_size(s), behind = output_size(s)
    for r in range(n):
        if real is float:
            max_forward[float, fvec](s, x + r * before, y + r * behind, True, False, NULL)
        else:
            max_forward[double, dvec](s, x + r * before, y + r * behind, True, False, NULL)


cdef inline void max_backward_images(
    const Images* s, Py_ssize_t n, const real* x, const real* dy, real* dx,
) noexcept nogil:
    cdef Py_ssize_t r, before = input_size(s), behind = output_size(s)
    memset(dx, 0, n * before * sizeof(real))
    for r in range(n):
        if real is float:
            max_backward[float, fvec](s, x + r * before, dy + r * behind, dx + r * before,
                                      True, False, False, NULL)
        else:
            max_backward[double, dvec](s, x + r * before, dy + r * behind, dx + r * before,
                                       True, False, False, NULL)


cdef inline void average_forward_images(
    const Images* s, Py_ssize_t n, const real* x, real* y,
) noexcept nogil:
    cdef Py_ssize_t r, before = input_size(s), behind = output_size(s)
    for r in range(n):
        if real is float:
            average_forward[float, fvec](s, x + r * before, y + r * behind, True, NULL)
        else:
            average_forward[double, dvec](s, x + r * before, y + r * behind, True, NULL)


cdef inline void average_backward_images(
    const Images* s, Py_ssize_t n, const real* dy, real* dx,
) noexcept nogil:
    cdef Py_ssize_t r, before = input_size(s), behind = output_size(s)
    memset(dx, 0, n * before * sizeof(real))
    for r in range(n):
        if real is float:
            average_backward[float, fvec](s, dy + r * behind, dx + r * before, True, False, NULL)
        else:
            average_backward[double, dvec](s, dy + r * behind, dx + r * before, True, False, NULL)


cdef inline void pad(
    const real* x, real* y, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width,
    Py_ssize_t top, Py_ssize_t left, Py_ssize_t y_height, Py_ssize_t y_width, Py_ssize_t pixel,
) noexcept nogil:
    """The inside of y, which has a border, from x (channels, height, width)."""
    cdef Py_ssize_t c, i, n
    cdef Py_ssize_t row = width * pixel, y_row = y_width * pixel
    for c in range(channels):
        for i in range(height):
            for n in range(row):
                y[(top + i) * y_row + left * pixel + n] = x[n]
            x += row
        y += y_height * y_row
