"""Rows of a program that work on images: SAMPLES images at a time, which lie sample by sample.

A block is (columns, SAMPLES), a column being one number of an image, (channels, height, width).
So every loop runs over samples side by side, whatever the images' sizes. FLATTEN turns a block into
rows of samples, on which the rows behind it work as ever. What an elementwise row puts out takes
the place of what came in where nobody needs that again: see layout.pxd.
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy, memset

cimport activations
cimport convolution
cimport dropout
cimport normalization
cimport pooling
cimport shortcut
from activations cimport is_elementwise
from convolution cimport Images, group_of, input_size, output_size, w_size
from numbers cimport (
    ADD, AVG_POOL, BUFFER, CHANNELS, COLUMNS, CONV, DROPOUT, DY, FORK, GROUPS, HEIGHT, IMAGES,
    IMAGE_WIDTH, KERNEL, KIND, LOWEST, MAX_POOL, OUTPUTS, OUT_CHANNELS, OUT_HEIGHT, OUT_IMAGE_WIDTH,
    PADDED, PADDING, PARTNER, PLAN_COLUMNS, RELU, SAMPLES, STANDARDIZE, STRIDE, W, WIDTH, Y, Y_ROW,
)
from program cimport (
    Run, dy_of, has_border, masks_of, padded_size, partial_gradient, takes_steps, values_of, y_of,
)
from tile cimport dvec, fvec, real, vec
from turned cimport turn_corner


cdef inline Images images_of(const int64_t* row, bint padded) noexcept nogil:
    """The sizes of a row's images and windows; for a convolution with its border."""
    cdef Images s
    cdef Py_ssize_t axis
    for axis in range(2):
        s.kernel[axis], s.stride[axis] = row[KERNEL + axis], row[STRIDE + axis]
        s.padding[axis] = row[PADDING + axis]
    s.channels, s.height, s.width = row[CHANNELS], row[HEIGHT], row[IMAGE_WIDTH]
    s.inner[0], s.inner[1] = s.height, s.width
    s.groups = row[GROUPS] if row[KIND] == CONV else 1
    s.out_channels, s.out_height = row[OUT_CHANNELS], row[OUT_HEIGHT]
    s.out_width = row[OUT_IMAGE_WIDTH]
    s.pixel = SAMPLES
    if padded:
        s.height, s.width = padded_size(row, 0), padded_size(row, 1)
    return s


cdef inline void convolve(
    const Images* s, const real* x, const real* w, real* y, const vec* _vec,
) noexcept nogil:
    cdef Images one = group_of(s)
    cdef Py_ssize_t taps = one.channels * s.kernel[0] * s.kernel[1], g, i, n
    cdef const real* b = w + w_size(s)
    for g in range(s.groups):
        n = 0
        while n < SAMPLES:
            for i in range(s.out_height):
                convolution.forward_pixels[vec, real](
                    &one, i, 0, s.out_width, 1, False, <const vec*> (x + n), w, taps, 1, b, y + n)
            n += <Py_ssize_t> (sizeof(vec) // sizeof(real))
        x += input_size(&one) * SAMPLES
        y += output_size(&one) * SAMPLES
        w += w_size(&one)
        b += one.out_channels


cdef inline void convolve_back(
    const Images* s, const real* dy, const real* w, real* dx, const vec* _vec,
) noexcept nogil:
    """dx, without padding. Columns between which every pixel has as many windows go together."""
    cdef Images one = group_of(s)
    cdef Py_ssize_t right = s.padding[1] + s.inner[1], g, i, j, count, n
    for g in range(s.groups):
        n = 0
        while n < SAMPLES:
            for i in range(s.padding[0], s.padding[0] + s.inner[0]):
                j = s.padding[1]
                while j < right:
                    count = 1
                    if s.stride[1] == 1 and j >= s.kernel[1] - 1 and j < s.out_width:
                        count = min(s.out_width, right) - j
                    convolution.backward_pixels[vec, real](
                        &one, i, j, count, 1, False, <const vec*> (dy + n), w, dx + n)
                    j += count
            n += <Py_ssize_t> (sizeof(vec) // sizeof(real))
        dx += one.channels * s.inner[0] * s.inner[1] * SAMPLES
        dy += output_size(&one) * SAMPLES
        w += w_size(&one)


cdef inline void add_gradient(
    const Images* s, const real* x, const real* dy, real* dw, const vec* _vec,
) noexcept nogil:
    """dw, and db behind it, += this block's part."""
    cdef real sums[SAMPLES]
    cdef Images one = group_of(s)
    cdef Py_ssize_t g, o, i, n, image = s.out_height * s.out_width
    cdef real* db = dw + w_size(s)
    for g in range(s.groups):
        n = 0
        while n < SAMPLES:
            convolution.add_products[vec, real](
                &one, s.out_width, 1, <const vec*> (x + g * input_size(&one) * SAMPLES + n),
                dy + g * output_size(&one) * SAMPLES + n, dw + g * w_size(&one))
            n += <Py_ssize_t> (sizeof(vec) // sizeof(real))
    for o in range(s.out_channels):
        for n in range(SAMPLES):
            sums[n] = 0
        for i in range(image):
            for n in range(SAMPLES):
                sums[n] += dy[i * SAMPLES + n]
        for n in range(SAMPLES):
            db[o] += sums[n]
        dy += image * SAMPLES


cdef inline void pool(
    const Images* s, bint maximum, bint rectifies, const real* x, real* y, const vec* v,
) noexcept nogil:
    cdef Py_ssize_t n = 0
    while n < SAMPLES:
        if maximum:
            pooling.max_forward[real, vec](s, x + n, y + n, False, rectifies, v)
        else:
            pooling.average_forward[real, vec](s, x + n, y + n, False, v)
        n += <Py_ssize_t> (sizeof(vec) // sizeof(real))


cdef inline void pool_back(
    const Images* s, bint maximum, bint rectifies, const real* x, const real* dy, real* dx,
    const vec* v,
) noexcept nogil:
    cdef Py_ssize_t n = 0
    cdef bint tiled = pooling.is_tiled(s)
    if not tiled:
        memset(dx, 0, s.channels * s.height * s.width * SAMPLES * sizeof(real))
    while n < SAMPLES:
        if maximum:
            pooling.max_backward[real, vec](
                s, x + n, dy + n, dx + n, False, tiled, rectifies, v)
        else:
            pooling.average_backward[real, vec](s, dy + n, dx + n, False, tiled, v)
        n += <Py_ssize_t> (sizeof(vec) // sizeof(real))


cdef inline real* block_y(const Run* run, Py_ssize_t row, real* work) noexcept nogil:
    return work + run.kept + run.plan[row * PLAN_COLUMNS + Y]


cdef inline real* block_dy(const Run* run, Py_ssize_t row, real* work) noexcept nogil:
    return work + run.kept + run.plan[row * PLAN_COLUMNS + DY]


cdef inline real* block_dx(const Run* run, Py_ssize_t row, real* work) noexcept nogil:
    """dy of the row before, if there is one."""
    return block_dy[real](run, row - 1, work) if row else NULL


cdef inline real* block_before(const Run* run, Py_ssize_t row, real* work) noexcept nogil:
    """What the row before has put out, or the samples."""
    return block_y[real](run, row - 1, work) if row else work + run.kept + run.plan[IMAGES]


cdef inline real* block_border(const Run* run, Py_ssize_t row, real* work) noexcept nogil:
    """Where a convolution with padding has a copy of that, with a border."""
    return work + run.kept + run.plan[row * PLAN_COLUMNS + PADDED]


cdef inline const real* block_input(const Run* run, Py_ssize_t row, real* work) noexcept nogil:
    """What a row on images reads; a convolution with padding, its copy that has a border."""
    if has_border(run.program + row * COLUMNS):
        return block_border[real](run, row, work)
    return block_before[real](run, row, work)


cdef inline void flatten(
    const real* block, Py_ssize_t columns, Py_ssize_t n, real* y, Py_ssize_t y_row, const vec* v,
) noexcept nogil:
    """The first n samples of a block as rows."""
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), j, k, r = 0
    while r < n:
        for k in range(columns // lanes):
            j = k * lanes
            turn_corner[real, vec](
                lanes, n - r, block + j * SAMPLES + r, SAMPLES, y + r * y_row + j, y_row, v)
        r += lanes
    for j in range(columns // lanes * lanes, columns):
        for r in range(n):
            y[r * y_row + j] = block[j * SAMPLES + r]


cdef inline void unflatten(
    const real* dy, Py_ssize_t columns, Py_ssize_t n, Py_ssize_t dy_row, real* block, const vec* v,
) noexcept nogil:
    """n rows as a block; the other samples become 0."""
    cdef Py_ssize_t lanes = sizeof(vec) // sizeof(real), j, k, r = 0
    while r < SAMPLES:
        for k in range(columns // lanes):
            j = k * lanes
            turn_corner[real, vec](
                max(0, n - r), lanes, dy + r * dy_row + j, dy_row, block + j * SAMPLES + r,
                SAMPLES, v)
        r += lanes
    for j in range(columns // lanes * lanes, columns):
        for r in range(SAMPLES):
            block[j * SAMPLES + r] = dy[r * dy_row + j] if r < n else <real> 0


cdef inline void forward_block(
    const Run* run, Py_ssize_t row, real* work, Py_ssize_t n, Py_ssize_t segment,
) noexcept nogil:
    """What one row puts out for a block of n samples, whatever the segment."""
    cdef const int64_t* numbers = run.program + row * COLUMNS
    cdef const int64_t* plan = run.plan + row * PLAN_COLUMNS
    cdef int64_t kind = numbers[KIND]
    cdef Py_ssize_t size = numbers[OUTPUTS] * SAMPLES
    cdef const real* x = block_input[real](run, row, work)
    cdef real* y = block_y[real](run, row, work)
    cdef Images s = images_of(numbers, kind == CONV)
    cdef bint rectifies = row and numbers[KIND - COLUMNS] == RELU
    cdef dropout.Masks masks
    if kind == CONV:
        if has_border(numbers):
            pooling.pad[real](
                block_before[real](run, row, work), block_border[real](run, row, work),
                numbers[CHANNELS], numbers[HEIGHT], numbers[IMAGE_WIDTH], numbers[PADDING],
                numbers[PADDING + 1], s.height, s.width, SAMPLES)
        if real is float:
            convolve[float, fvec](&s, x, work + plan[W], y, NULL)
        else:
            convolve[double, dvec](&s, x, work + plan[W], y, NULL)
    elif kind == MAX_POOL or kind == AVG_POOL:
        if real is float:
            pool[float, fvec](&s, kind == MAX_POOL, rectifies, x, y, NULL)
        else:
            pool[double, dvec](&s, kind == MAX_POOL, rectifies, x, y, NULL)
    elif kind == RELU and numbers[KIND + COLUMNS] == MAX_POOL and y == x:
        return  # which does it, to fewer numbers
    elif is_elementwise(kind):
        activations.forward[real](kind, values_of(run, row), x, y, size)
    elif kind == DROPOUT:
        masks = masks_of(run, row)
        dropout.drop_block[real](&masks, run.sample, numbers[OUTPUTS], x, y)
    elif kind == ADD:
        shortcut.sum_of[real](x, block_y[real](run, numbers[PARTNER], work), y, size)
    elif kind == FORK:
        return  # its y is x
    elif kind == STANDARDIZE:
        normalization.standardize_block[real](
            numbers[OUTPUTS], x, work + plan[BUFFER], work + plan[BUFFER] + plan[WIDTH], y)
    else:
        if real is float:
            flatten[float, fvec](
                x, numbers[OUTPUTS], n, y_of[real](run, row, work), plan[Y_ROW], NULL)
        else:
            flatten[double, dvec](
                x, numbers[OUTPUTS], n, y_of[real](run, row, work), plan[Y_ROW], NULL)


cdef inline void add_to_segment(
    const Run* run, Py_ssize_t row, real* work, Py_ssize_t segment, const Images* s, const real* x,
    const real* dy,
) noexcept nogil:
    """A convolution's part of a segment's dw."""
    cdef real* dw = partial_gradient[real](run, row, work, segment)
    if real is float:
        add_gradient[float, fvec](s, x, dy, dw, NULL)
    else:
        add_gradient[double, dvec](s, x, dy, dw, NULL)


cdef inline void backward_block(
    const Run* run, Py_ssize_t row, real* work, Py_ssize_t n, Py_ssize_t segment,
) noexcept nogil:
    """From dy of one row, dy of the row before it; and a convolution's part of a segment's dw."""
    cdef const int64_t* numbers = run.program + row * COLUMNS
    cdef const int64_t* plan = run.plan + row * PLAN_COLUMNS
    cdef int64_t kind = numbers[KIND]
    cdef Py_ssize_t size = numbers[OUTPUTS] * SAMPLES
    cdef const real* y = block_y[real](run, row, work)
    cdef const real* dy = block_dy[real](run, row, work)
    cdef const real* x = block_input[real](run, row, work)
    cdef real* dx = block_dx[real](run, row, work)
    cdef Images s = images_of(numbers, kind == CONV)
    cdef bint rectifies = row and numbers[KIND - COLUMNS] == RELU
    cdef dropout.Masks masks
    if kind == CONV:
        if takes_steps(run, row):
            add_to_segment[real](run, row, work, segment, &s, x, dy)
        if row == run.choices[LOWEST]:
            return
        if real is float:
            convolve_back[float, fvec](&s, dy, work + plan[W], dx, NULL)
        else:
            convolve_back[double, dvec](&s, dy, work + plan[W], dx, NULL)
    elif kind == MAX_POOL or kind == AVG_POOL:
        if real is float:
            pool_back[float, fvec](&s, kind == MAX_POOL, rectifies, x, dy, dx, NULL)
        else:
            pool_back[double, dvec](&s, kind == MAX_POOL, rectifies, x, dy, dx, NULL)
    elif kind == RELU and numbers[KIND + COLUMNS] == MAX_POOL:
        return  # which has done it
    elif is_elementwise(kind):
        activations.backward[real](kind, values_of(run, row), x, y, dy, dx, size)
    elif kind == DROPOUT:
        masks = masks_of(run, row)
        dropout.drop_block[real](&masks, run.sample, numbers[OUTPUTS], dy, dx)
    elif kind == ADD:
        memcpy(dx, dy, size * sizeof(real))
    elif kind == FORK:
        shortcut.sum_of[real](dy, block_dy[real](run, numbers[PARTNER], work), dx, size)
    elif kind == STANDARDIZE:
        normalization.unstandardize_block[real](
            numbers[OUTPUTS], dy, work + plan[BUFFER] + plan[WIDTH], dx)
    else:
        if real is float:
            unflatten[float, fvec](
                dy_of[real](run, row, work), numbers[OUTPUTS], n, plan[Y_ROW], dx, NULL)
        else:
            unflatten[double, dvec](
                dy_of[real](run, row, work), numbers[OUTPUTS], n, plan[Y_ROW], dx, NULL)
