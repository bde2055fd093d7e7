"""The convolution layer's kernels: images (c, h, w), one after another, on convolution's tiles.

Where windows lie side by side (stride 1 along a row), a vector holds neighbours; what is left of a
row, and every other stride, goes pixel by pixel.
"""

from libc.string cimport memset

from convolution cimport (
    Images, add_products, backward_pixels, forward_pixels, group_of, input_size, output_size,
    w_size,
)
from tile cimport dvec, fvec, real, vec
from widths cimport lanes_of


cdef inline void forward_image(
    const Images* s, const real* x, const real* w, const real* b, real* y, const vec* v,
) noexcept nogil:
    cdef Py_ssize_t i, lanes = lanes_of[real](x), window = s.kernel[0] * s.kernel[1]
    cdef Py_ssize_t vectors = s.out_width // lanes if s.stride[1] == 1 else 0
    for i in range(s.out_height):
        forward_pixels[vec, real](
            s, i, 0, vectors, lanes, False, <const vec*> x, w, s.channels * window, 1, b, y)
        forward_pixels[vec, real](
            s, i, vectors * lanes, s.out_width - vectors * lanes, 1, True, <const vec*> x, w,
            s.channels * window, 1, b, y)


cdef inline void backward_input_image(
    const Images* s, const real* dy, const real* w, real* dx, const vec* v,
) noexcept nogil:
    cdef Py_ssize_t i, j, lanes = lanes_of[real](dy), first = s.kernel[1] - 1
    # Between these columns every pixel has as many windows.
    cdef Py_ssize_t inside = s.out_width - first if s.stride[1] == 1 else 0
    cdef Py_ssize_t vectors = max(0, inside) // lanes
    for i in range(s.height):
        if vectors:
            backward_pixels[vec, real](
                s, i, first, vectors, lanes, False, <const vec*> dy, w, dx)
        for j in range(s.width):
            if j < first or j >= first + vectors * lanes:
                backward_pixels[vec, real](s, i, j, 1, 1, True, <const vec*> dy, w, dx)


cdef inline void backward_image(
    const Images* s, const real* x, const real* dy, real* dw, real* db, const vec* v,
) noexcept nogil:
    """Add this image's part of dw and db."""
    cdef Py_ssize_t lanes = lanes_of[real](x), o, i, j
    cdef Py_ssize_t vectors = s.out_width // lanes if s.stride[1] == 1 else 0
    if vectors:
        add_products[vec, real](s, vectors, lanes, <const vec*> x, dy, dw)
    for o in range(s.out_channels):
        for i in range(s.out_height):
            for j in range(s.out_width):
                db[o] += dy[(o * s.out_height + i) * s.out_width + j]
            for j in range(vectors * lanes, s.out_width):
                _add_product(s, x, dy[(o * s.out_height + i) * s.out_width + j], i, j,
                             dw + o * s.channels * s.kernel[0] * s.kernel[1])


cdef inline void _add_product(
    const Images* s, const real* x, real dy, Py_ssize_t i, Py_ssize_t j, real* dw,
) noexcept nogil:
    """dw += dy * the window of x at (i, j)."""
    cdef Py_ssize_t c, k, m
    cdef const real* row
    for c in range(s.channels):
        for k in range(s.kernel[0]):
            row = x + (c * s.height + i * s.stride[0] + k) * s.width + j * s.stride[1]
            for m in range(s.kernel[1]):
                dw[m] += dy * row[m]
            dw += s.kernel[1]


cdef inline void forward(
    const Images* s, Py_ssize_t n, const real* x, const real* w, const real* b, real* y,
) noexcept nogil:
    """Of n images, group by group, which are as good as images."""
    cdef Images one = group_of(s)
    cdef Py_ssize_t r, g, before = input_size(&one), behind = output_size(&one)
    for r in range(n * s.groups):
        g = r % s.groups
        if real is float:
            forward_image[float, fvec](&one, x + r * before, w + g * w_size(&one),
                                       b + g * one.out_channels, y + r * behind, NULL)
        else:
            forward_image[double, dvec](&one, x + r * before, w + g * w_size(&one),
                                        b + g * one.out_channels, y + r * behind, NULL)


cdef inline void backward(
    const Images* s, Py_ssize_t n, const real* x, const real* dy, real* dw, real* db,
) noexcept nogil:
    cdef Images one = group_of(s)
    cdef Py_ssize_t r, g, before = input_size(&one), behind = output_size(&one)
    memset(dw, 0, w_size(s) * sizeof(real))
    memset(db, 0, s.out_channels * sizeof(real))
    for r in range(n * s.groups):
        g = r % s.groups
        if real is float:
            backward_image[float, fvec](&one, x + r * before, dy + r * behind,
                                        dw + g * w_size(&one), db + g * one.out_channels, NULL)
        else:
            backward_image[double, dvec](&one, x + r * before, dy + r * behind,
                                         dw + g * w_size(&one), db + g * one.out_channels, NULL)


cdef inline void backward_input(
    const Images* s, Py_ssize_t n, const real* dy, const real* w, real* dx,
) noexcept nogil:
    cdef Images one = group_of(s)
    cdef Py_ssize_t r, g, before = input_size(&one), behind = output_size(&one)
    for r in range(n * s.groups):
        g = r % s.groups
        if real is float:
            backward_input_image[float, fvec](&one, dy + r * behind, w + g * w_size(&one),
                                              dx + r * before, NULL)
        else:
            backward_input_image[double, dvec](&one, dy + r * behind, w + g * w_size(&one),
                                               dx + r * before, NULL)
