"""Kernels that bring data to a network: samples by their numbers, orders, and numbers as bytes."""

ctypedef fused source:
    uint8_t
    float
    double


def gather(const source[:, ::1] data, const int64_t[::1] rows, double scale, real[:, ::1] x):
    """x = data[rows] * scale"""
    cdef real factor = <real> scale
    cdef const source* row
    cdef Py_ssize_t r, j
    with nogil:
        for r in range(rows.shape[0]):
            row = &data[rows[r], 0]
            for j in range(data.shape[1]):
                x[r, j] = <real> row[j] * factor


def permutation(bits, int64_t[::1] order):
    """order = np.random.Generator(bits).permutation(len(order))"""
    cdef void* generator = PyCapsule_GetPointer(bits.capsule, "BitGenerator")
    with bits.lock, nogil:
        orders.permutation(<orders.bitgen_t*> generator, &order[0], order.shape[0])


def as_bytes(const real[::1] x, double scale, double divisor, uint8_t[::1] found):
    """found = the bytes of which x is found * scale, or found / divisor, if that is not 0; returns whether there are such"""
    cdef bint are
    with nogil:
        are = bytewise.find[real](&x[0], x.shape[0], <real> scale, <real> divisor, &found[0])
    return are
