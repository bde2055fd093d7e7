"""Convolution on register tiles, for two orders of images in memory.

In the layers' kernels an image is (c, h, w), and a vector holds neighbours of a row of pixels. In
the engine SAMPLES images lie sample by sample, (c, h, w, SAMPLES), and a vector holds samples: then
nothing depends on the images' sizes. The tiles only know steps from one element to the next.

Where no vector fits, a tile is `narrow`: each of its vectors holds one number.

Padding is no matter of theirs: x is padded before. Every sum runs in one fixed order.
"""

from libc.stdint cimport int64_t

from tile cimport dsum4, fsum4, fvec, pinned, real, times, vec

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define spread(a, v) ((__typeof__((v)[0])) (a) + (__typeof__(v)) {0})
    #define first_lane(v) ((v)[0])
    #else
    #define spread(a, v) (a)
    #define first_lane(v) (v)
    #endif
    /* 32 vector registers hold 8 x 3 or 6 x 4 sums and 4 x 5 products; 16 hold 6 x 2 and 2 x 5 */
    enum { MOST_OUTS = VECTOR_BYTES == 64 ? 8 : 6, MOST_PRODUCTS = VECTOR_BYTES == 64 ? 4 : 2 };
    enum { MOST_SUMS = VECTOR_BYTES == 64 ? 24 : 12, MOST_POSITIONS = 8, NEAR_OUTS = 4 };
    enum { MOST_TAPS = 5 };
    """
    double spread(double a, double v) noexcept nogil  # a in all lanes of a vector like v
    double first_lane(double v) noexcept nogil
    enum:
        MOST_OUTS
        MOST_POSITIONS
        MOST_PRODUCTS
        MOST_SUMS
        MOST_TAPS
        NEAR_OUTS  # whose weights are found from one address

cdef struct Taps:  # what one output sums over, with the steps from one to the next in x and in w
    Py_ssize_t channels
    Py_ssize_t rows
    Py_ssize_t columns
    Py_ssize_t x_channel
    Py_ssize_t x_row
    Py_ssize_t x_column
    Py_ssize_t w_channel
    Py_ssize_t w_row
    Py_ssize_t w_column


# Sizes before and behind a window, the window, and the step of a pixel. Height and width are with
# padding, but for `inner`, and padding is what lies before the image.
cdef struct Images:
    Py_ssize_t channels
    Py_ssize_t height
    Py_ssize_t width
    Py_ssize_t out_channels
    Py_ssize_t out_height
    Py_ssize_t out_width
    Py_ssize_t kernel[2]
    Py_ssize_t stride[2]
    Py_ssize_t padding[2]
    Py_ssize_t inner[2]
    Py_ssize_t groups
    Py_ssize_t pixel


cdef inline Images images_between(
    const Py_ssize_t* x, const Py_ssize_t* y, const int64_t* kernel, const int64_t* stride,
) noexcept nogil:
    """Of images as layers have them, without padding: from the shapes of x and y, and a window."""
    cdef Images s
    cdef Py_ssize_t axis
    s.channels, s.height, s.width = x[1], x[2], x[3]
    s.out_channels, s.out_height, s.out_width = y[1], y[2], y[3]
    for axis in range(2):
        s.kernel[axis], s.stride[axis], s.padding[axis] = kernel[axis], stride[axis], 0
    s.inner[0], s.inner[1] = s.height, s.width
    s.groups, s.pixel = 1, 1
    return s


cdef inline Images group_of(const Images* s) noexcept nogil:
    """The same of one group's channels and filters, which lie behind those of the group before."""
    cdef Images one = s[0]
    one.channels = s.channels // s.groups
    one.out_channels = s.out_channels // s.groups
    one.groups = 1
    return one


cdef inline Py_ssize_t input_size(const Images* s) noexcept nogil:
    return s.channels * s.height * s.width


cdef inline Py_ssize_t output_size(const Images* s) noexcept nogil:
    return s.out_channels * s.out_height * s.out_width


cdef inline Py_ssize_t w_size(const Images* s) noexcept nogil:
    """Of all groups."""
    return s.out_channels * (s.channels // s.groups) * s.kernel[0] * s.kernel[1]


cdef inline void _sum_tile(
    Py_ssize_t outs, Py_ssize_t positions, bint narrow, const Taps* taps,
    const vec* x, Py_ssize_t x_position, const real* w, Py_ssize_t w_out, const real* b,
    real* y, Py_ssize_t y_out, Py_ssize_t y_position,
) noexcept nogil:
    """y[o, p] = b[o] + the sum over taps of w[o] * x[p], for `outs` by `positions`.

    Both, and narrow, are constants at every call. b may be NULL, for zero.
    """
    cdef vec acc[MOST_SUMS]
    cdef vec x_now[MOST_POSITIONS]
    cdef const real* x_start
    cdef const real* w_start
    cdef const real* w_now[2]
    cdef Py_ssize_t o, p, c, k, j
    for o in range(outs):
        for p in range(positions):
            acc[o * positions + p] = spread(b[o] if b != NULL else 0, acc[0])
    for c in range(taps.channels):
        for k in range(taps.rows):
            x_start = <const real*> x + c * taps.x_channel + k * taps.x_row
            w_start = w + c * taps.w_channel + k * taps.w_row
            for j in range(taps.columns):
                for p in range(positions):
                    if narrow:
                        x_now[p] = spread(x_start[p * x_position], acc[0])
                    else:
                        x_now[p] = (<const vec*> (x_start + p * x_position))[0]
                for o in range((outs + NEAR_OUTS - 1) // NEAR_OUTS):
                    w_now[o] = <const real*> pinned(w_start + o * NEAR_OUTS * w_out)
                for o in range(outs):
                    for p in range(positions):
                        acc[o * positions + p] = acc[o * positions + p] + times(
                            w_now[o // NEAR_OUTS][o % NEAR_OUTS * w_out], x_now[p])
                x_start += taps.x_column
                w_start += taps.w_column
    for o in range(outs):
        for p in range(positions):
            if narrow:
                y[o * y_out + p * y_position] = <real> first_lane(acc[o * positions + p])
            else:
                (<vec*> (y + o * y_out + p * y_position))[0] = acc[o * positions + p]


cdef inline void _sum_outs(
    Py_ssize_t outs, Py_ssize_t positions, bint narrow, const Taps* taps,
    const vec* x, Py_ssize_t x_position, const real* w, Py_ssize_t w_out, const real* b,
    real* y, Py_ssize_t y_out, Py_ssize_t y_position,
) noexcept nogil:
    """_sum_tile for any number of positions; a single out takes many at once."""
    cdef Py_ssize_t p = 0
    while outs == 1 and p + MOST_POSITIONS <= positions:
        _sum_tile[vec, real](
            1, MOST_POSITIONS, narrow, taps, <const vec*> (<const real*> x + p * x_position),
            x_position, w, w_out, b, y + p * y_position, y_out, y_position)
        p += MOST_POSITIONS
    while 4 * outs <= MOST_SUMS and p + 4 <= positions:
        _sum_tile[vec, real](
            outs, 4, narrow, taps, <const vec*> (<const real*> x + p * x_position), x_position,
            w, w_out, b, y + p * y_position, y_out, y_position)
        p += 4
    while 3 * outs <= MOST_SUMS < 4 * outs and p + 3 <= positions and p + 4 != positions:
        _sum_tile[vec, real](
            outs, 3, narrow, taps, <const vec*> (<const real*> x + p * x_position), x_position,
            w, w_out, b, y + p * y_position, y_out, y_position)
        p += 3
    while p + 2 <= positions:
        _sum_tile[vec, real](
            outs, 2, narrow, taps, <const vec*> (<const real*> x + p * x_position), x_position,
            w, w_out, b, y + p * y_position, y_out, y_position)
        p += 2
    if p < positions:
        _sum_tile[vec, real](
            outs, 1, narrow, taps, <const vec*> (<const real*> x + p * x_position), x_position,
            w, w_out, b, y + p * y_position, y_out, y_position)


cdef inline void sums(
    Py_ssize_t outs, Py_ssize_t positions, bint narrow, const Taps* taps,
    const vec* x, Py_ssize_t x_position, const real* w, Py_ssize_t w_out, const real* b,
    real* y, Py_ssize_t y_out, Py_ssize_t y_position,
) noexcept nogil:
    """_sum_tile for any number of outs and positions."""
    cdef Py_ssize_t o = 0, count
    while o < outs:
        count = outs - o
        if count >= MOST_OUTS:
            count = MOST_OUTS
            _sum_outs[vec, real](MOST_OUTS, positions, narrow, taps, x, x_position, w, w_out, b,
                                   y, y_out, y_position)
        elif count >= 6:
            count = 6
            _sum_outs[vec, real](6, positions, narrow, taps, x, x_position, w, w_out, b,
                                   y, y_out, y_position)
        elif count >= 4:
            count = 4
            _sum_outs[vec, real](4, positions, narrow, taps, x, x_position, w, w_out, b,
                                   y, y_out, y_position)
        else:
            count = 1
            _sum_outs[vec, real](1, positions, narrow, taps, x, x_position, w, w_out, b,
                                   y, y_out, y_position)
        w += count * w_out
        if b != NULL:
            b += count
        y += count * y_out
        o += count


cdef inline void forward_pixels(
    const Images* s, Py_ssize_t i, Py_ssize_t j, Py_ssize_t positions, Py_ssize_t position,
    bint narrow, const vec* x, const real* w, Py_ssize_t w_out, Py_ssize_t w_tap, const real* b,
    real* y,
) noexcept nogil:
    """The outputs (i, j) and on, `position` pixels apart, of all channels: y = x ⋆ w + b."""
    cdef Taps taps
    cdef Py_ssize_t x_column = s.stride[1] * s.pixel
    taps.channels, taps.rows, taps.columns = s.channels, s.kernel[0], s.kernel[1]
    taps.x_column, taps.w_column = s.pixel, w_tap
    taps.x_row, taps.w_row = s.width * s.pixel, s.kernel[1] * w_tap
    taps.x_channel, taps.w_channel = s.height * taps.x_row, s.kernel[0] * taps.w_row
    sums[vec, real](
        s.out_channels, positions, narrow, &taps,
        <const vec*> (<const real*> x + i * s.stride[0] * taps.x_row + j * x_column),
        position * x_column, w, w_out, b, y + (i * s.out_width + j) * s.pixel,
        s.out_height * s.out_width * s.pixel, position * s.pixel)


cdef inline Py_ssize_t first_window(
    Py_ssize_t at, Py_ssize_t kernel, Py_ssize_t stride,
) noexcept nogil:
    """The first window that a row or column is part of."""
    return (at - kernel + stride) // stride if at >= kernel else 0


cdef inline void backward_pixels(
    const Images* s, Py_ssize_t i, Py_ssize_t j, Py_ssize_t positions, Py_ssize_t position,
    bint narrow, const vec* dy, const real* w, real* dx,
) noexcept nogil:
    """dx at (i, j) of x and on, `position` pixels apart, of all channels: dx = dy ⋆ᵀ w.

    More than one position only where all have as many windows. dx has no padding.
    """
    cdef Taps taps
    cdef Py_ssize_t top = first_window(i, s.kernel[0], s.stride[0])
    cdef Py_ssize_t left = first_window(j, s.kernel[1], s.stride[1])
    cdef Py_ssize_t window = s.kernel[0] * s.kernel[1]
    taps.channels = s.out_channels
    taps.rows = max(0, min(s.out_height, i // s.stride[0] + 1) - top)
    taps.columns = max(0, min(s.out_width, j // s.stride[1] + 1) - left)
    taps.x_column, taps.w_column = s.pixel, -s.stride[1]
    taps.x_row, taps.w_row = s.out_width * s.pixel, -s.stride[0] * s.kernel[1]
    taps.x_channel, taps.w_channel = s.out_height * taps.x_row, s.channels * window
    sums[vec, real](
        s.channels, positions, narrow, &taps,
        <const vec*> (<const real*> dy + top * taps.x_row + left * s.pixel), position * s.pixel,
        w + (i - top * s.stride[0]) * s.kernel[1] + j - left * s.stride[1], window, NULL,
        dx + ((i - s.padding[0]) * s.inner[1] + j - s.padding[1]) * s.pixel,
        s.inner[0] * s.inner[1] * s.pixel, position * s.pixel)


cdef inline void _product_tile(
    Py_ssize_t outs, Py_ssize_t taps, Py_ssize_t rows, Py_ssize_t columns,
    const vec* x, Py_ssize_t x_tap, Py_ssize_t x_row, Py_ssize_t x_column,
    const real* dy, Py_ssize_t dy_out, Py_ssize_t dy_row, Py_ssize_t dy_column,
    real* dw, Py_ssize_t dw_out,
) noexcept nogil:
    """dw[o, t] += the sum over rows, columns and lanes of dy[o] * x[t], `outs` by `taps`."""
    cdef vec acc[MOST_PRODUCTS][MOST_TAPS]
    cdef vec row[8]
    cdef real totals[8]
    cdef const real* x_at
    cdef const real* dy_at
    cdef Py_ssize_t o, t, i, j
    for o in range(outs):
        for t in range(taps):
            acc[o][t] = spread(0, acc[0][0])
    for i in range(rows):
        x_at = <const real*> x + i * x_row
        dy_at = dy + i * dy_row
        for j in range(columns):
            for o in range(outs):
                for t in range(taps):
                    acc[o][t] = acc[o][t] + ((<const vec*> (dy_at + o * dy_out))[0]
                                             * (<const vec*> (x_at + t * x_tap))[0])
            x_at += x_column
            dy_at += dy_column
    for o in range(outs):
        for t in range(8):
            row[t] = acc[o][min(t, taps - 1)]  # a copy: see tile_dot
        if vec is fvec:
            fsum4(&row[0], <float*> &totals[0])
            if taps > 4:
                fsum4(&row[4], <float*> &totals[4])
        else:
            dsum4(&row[0], <double*> &totals[0])
            if taps > 4:
                dsum4(&row[4], <double*> &totals[4])
        for t in range(taps):
            dw[o * dw_out + t] += totals[t]


cdef inline void _product_outs(
    Py_ssize_t outs, Py_ssize_t taps, Py_ssize_t rows, Py_ssize_t columns,
    const vec* x, Py_ssize_t x_tap, Py_ssize_t x_row, Py_ssize_t x_column,
    const real* dy, Py_ssize_t dy_out, Py_ssize_t dy_row, Py_ssize_t dy_column,
    real* dw, Py_ssize_t dw_out,
) noexcept nogil:
    """_product_tile for any number of outs; taps is a constant."""
    cdef Py_ssize_t o = 0
    while o + MOST_PRODUCTS <= outs:
        _product_tile[vec, real](
            MOST_PRODUCTS, taps, rows, columns, x, x_tap, x_row, x_column, dy + o * dy_out, dy_out,
            dy_row, dy_column, dw + o * dw_out, dw_out)
        o += MOST_PRODUCTS
    while o + 2 <= outs:
        _product_tile[vec, real](
            2, taps, rows, columns, x, x_tap, x_row, x_column, dy + o * dy_out, dy_out,
            dy_row, dy_column, dw + o * dw_out, dw_out)
        o += 2
    if o < outs:
        _product_tile[vec, real](
            1, taps, rows, columns, x, x_tap, x_row, x_column, dy + o * dy_out, dy_out,
            dy_row, dy_column, dw + o * dw_out, dw_out)


cdef inline void add_products(
    const Images* s, Py_ssize_t columns, Py_ssize_t column,
    const vec* x, const real* dy, real* dw,
) noexcept nogil:
    """dw += x ⋆ dy over so many columns of dy, `column` pixels apart, and a vector's lanes."""
    cdef Py_ssize_t c, k, j = 0, taps, x_row = s.width * s.pixel
    cdef Py_ssize_t window = s.kernel[0] * s.kernel[1], image = s.out_height * s.out_width
    cdef const real* x_start
    cdef real* w_start
    for c in range(s.channels):
        for k in range(s.kernel[0]):
            j = 0
            while j < s.kernel[1]:
                taps = min(MOST_TAPS, s.kernel[1] - j)
                x_start = <const real*> x + (c * s.height + k) * x_row + j * s.pixel
                w_start = dw + c * window + k * s.kernel[1] + j
                if taps == 5:
                    _product_outs[vec, real](
                        s.out_channels, 5, s.out_height, columns, <const vec*> x_start, s.pixel,
                        s.stride[0] * x_row, column * s.stride[1] * s.pixel,
                        dy, image * s.pixel, s.out_width * s.pixel, column * s.pixel,
                        w_start, s.channels * window)
                elif taps >= 3:
                    taps = 3
                    _product_outs[vec, real](
                        s.out_channels, 3, s.out_height, columns, <const vec*> x_start, s.pixel,
                        s.stride[0] * x_row, column * s.stride[1] * s.pixel,
                        dy, image * s.pixel, s.out_width * s.pixel, column * s.pixel,
                        w_start, s.channels * window)
                else:
                    taps = 1
                    _product_outs[vec, real](
                        s.out_channels, 1, s.out_height, columns, <const vec*> x_start, s.pixel,
                        s.stride[0] * x_row, column * s.stride[1] * s.pixel,
                        dy, image * s.pixel, s.out_width * s.pixel, column * s.pixel,
                        w_start, s.channels * window)
                j += taps
