"""Pooling of images (c, h, w), each pixel `pixel` numbers in a row: 1, or SAMPLES in the engine.

Windows may overlap, leave gaps, and reach over the border by `padding`; there they are cut off,
which for a maximum is a border of -inf and for a sum one of zeros.
"""

from convolution cimport SAMPLES, Images
from tile cimport real


cdef inline Py_ssize_t window_start(
    const Images* s, Py_ssize_t axis, Py_ssize_t at,
) noexcept nogil:
    return max(0, at * s.stride[axis] - s.padding[axis])


cdef inline Py_ssize_t window_end(
    const Images* s, Py_ssize_t axis, Py_ssize_t at, Py_ssize_t size,
) noexcept nogil:
    return min(size, at * s.stride[axis] - s.padding[axis] + s.kernel[axis])


cdef inline void max_forward(
    const Images* s, const real* x, real* y, Py_ssize_t pixel,
) noexcept nogil:
    """pixel is s.pixel, a constant at every call."""
    cdef Py_ssize_t c, i, j, k, m, n, left, right, top, bottom
    cdef const real* here
    for c in range(s.channels):
        for i in range(s.out_height):
            top, bottom = window_start(s, 0, i), window_end(s, 0, i, s.height)
            for j in range(s.out_width):
                left, right = window_start(s, 1, j), window_end(s, 1, j, s.width)
                here = x + (top * s.width + left) * pixel
                for n in range(pixel):
                    y[n] = here[n]
                for k in range(top, bottom):
                    for m in range(left, right):
                        here = x + (k * s.width + m) * pixel
                        for n in range(pixel):
                            y[n] = y[n] if here[n] <= y[n] or y[n] != y[n] else here[n]
                y += pixel
        x += s.height * s.width * pixel


cdef inline void max_backward(
    const Images* s, const real* x, const real* dy, real* dx, Py_ssize_t pixel,
) noexcept nogil:
    """dx = dy at the first maximum of its window; NaN counts as one."""
    cdef real best[SAMPLES]
    cdef real at[SAMPLES]  # its number within the window: a real, so that vectors fit
    cdef real number
    cdef Py_ssize_t c, i, j, k, m, n, left, right, top, bottom, image = s.height * s.width * pixel
    cdef const real* here
    cdef real* there
    for n in range(s.channels * image):
        dx[n] = 0
    for c in range(s.channels):
        for i in range(s.out_height):
            top, bottom = window_start(s, 0, i), window_end(s, 0, i, s.height)
            for j in range(s.out_width):
                left, right = window_start(s, 1, j), window_end(s, 1, j, s.width)
                here = x + (top * s.width + left) * pixel
                number = 0
                for n in range(pixel):
                    best[n], at[n] = here[n], 0
                for k in range(top, bottom):
                    for m in range(left, right):
                        here = x + (k * s.width + m) * pixel
                        for n in range(pixel):
                            if not (here[n] <= best[n] or best[n] != best[n]):
                                best[n], at[n] = here[n], number
                        number += 1
                number = 0
                for k in range(top, bottom):
                    for m in range(left, right):
                        there = dx + (k * s.width + m) * pixel
                        for n in range(pixel):
                            there[n] += dy[n] if at[n] == number else <real> 0
                        number += 1
                dy += pixel
        x += image
        dx += image


cdef inline void average_forward(
    const Images* s, const real* x, real* y, Py_ssize_t pixel,
) noexcept nogil:
    cdef Py_ssize_t c, i, j, k, m, n, top, bottom
    cdef const real* here
    cdef real share = <real> (1.0 / (s.kernel[0] * s.kernel[1]))
    for c in range(s.channels):
        for i in range(s.out_height):
            top, bottom = window_start(s, 0, i), window_end(s, 0, i, s.height)
            for j in range(s.out_width):
                for n in range(pixel):
                    y[n] = 0
                for k in range(top, bottom):
                    for m in range(window_start(s, 1, j), window_end(s, 1, j, s.width)):
                        here = x + (k * s.width + m) * pixel
                        for n in range(pixel):
                            y[n] += here[n]
                for n in range(pixel):
                    y[n] *= share
                y += pixel
        x += s.height * s.width * pixel


cdef inline void average_backward(
    const Images* s, const real* dy, real* dx, Py_ssize_t pixel,
) noexcept nogil:
    cdef Py_ssize_t c, i, j, k, m, n, top, bottom, image = s.height * s.width * pixel
    cdef real* there
    cdef real share = <real> (1.0 / (s.kernel[0] * s.kernel[1]))
    for n in range(s.channels * image):
        dx[n] = 0
    for c in range(s.channels):
        for i in range(s.out_height):
            top, bottom = window_start(s, 0, i), window_end(s, 0, i, s.height)
            for j in range(s.out_width):
                for k in range(top, bottom):
                    for m in range(window_start(s, 1, j), window_end(s, 1, j, s.width)):
                        there = dx + (k * s.width + m) * pixel
                        for n in range(pixel):
                            there[n] += dy[n] * share
                dy += pixel
        dx += image


cdef inline void pad(
    const real* x, real* y, Py_ssize_t channels, Py_ssize_t height, Py_ssize_t width,
    Py_ssize_t top, Py_ssize_t left, Py_ssize_t pixel,
) noexcept nogil:
    """The inside of y, which has a border, from x (channels, height, width)."""
    cdef Py_ssize_t c, i, n
    cdef Py_ssize_t row = width * pixel, y_row = (width + 2 * left) * pixel
    for c in range(channels):
        for i in range(height):
            for n in range(row):
                y[(top + i) * y_row + left * pixel + n] = x[n]
            x += row
        y += (height + 2 * top) * y_row
