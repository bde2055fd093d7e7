"""The order of an epoch's samples: NumPy's permutation, number for number, in half of its time.

Generator.shuffle swaps each place, from the last on, with one drawn up to it: of bits that a mask
leaves the first that are not above. A draw in five is, unforeseen, and the place is seldom near.
So places are drawn for many swaps before the first, without a branch, and fetched meanwhile.
"""

from libc.stdint cimport UINT32_MAX, int64_t, uint32_t, uint64_t

from batch cimport fetch_ahead

# As numpy.random has it, whose own .pxd would import all of that where the kernels are loaded.
cdef extern from "numpy/random/bitgen.h":
    ctypedef struct bitgen_t:
        void* state
        uint64_t (*next_uint64)(void* state) noexcept nogil
        uint32_t (*next_uint32)(void* state) noexcept nogil

cdef enum:
    DRAWN = 256  # places at a time


cdef inline Py_ssize_t draw(bitgen_t* bits, Py_ssize_t last, int64_t* places) noexcept nogil:
    """Places for last, last - 1 and so on, each up to it, as far as one mask serves; how many."""
    cdef int64_t mask = last
    cdef Py_ssize_t count, k = 0
    cdef int shift = 1
    while shift < 64:
        mask |= mask >> shift
        shift *= 2
    count = min(<Py_ssize_t> DRAWN, last - (mask >> 1))
    while k < count:
        if mask > <int64_t> UINT32_MAX:
            places[k] = <int64_t> (bits.next_uint64(bits.state) & <uint64_t> mask)
        else:
            places[k] = bits.next_uint32(bits.state) & mask
        k += places[k] <= last - k
    return count


cdef inline void permutation(bitgen_t* bits, int64_t* order, Py_ssize_t n) noexcept nogil:
    """order (n,) becomes 0 to n - 1 in an order by chance."""
    cdef int64_t places[DRAWN]
    cdef Py_ssize_t last = n - 1, count, k
    cdef int64_t kept
    for k in range(n):
        order[k] = k
    while last > 0:
        count = draw(bits, last, &places[0])
        for k in range(count):
            fetch_ahead(order + places[k])
        for k in range(count):
            kept = order[places[k]]
            order[places[k]] = order[last - k]
            order[last - k] = kept
        last -= count
