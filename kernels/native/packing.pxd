"""Bringing flat vectors, as networks have them, to where layout.pxd put them, and back."""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

cimport panels
from numbers cimport (
    BIAS, BUFFER, BUFFERS, CONV, DENSE, FIRST_BUFFER, INPUTS, KIND, OUTPUTS, PARAMS, PARAM_VECTORS,
    VECTOR, W,
)
from program cimport length_of, parameters_of, vectors_in
from tile cimport real
from widths cimport weights_row, width_of


cdef inline void copy_vectors(
    bint forth, const int64_t* row, Py_ssize_t count, real* flat, real* place,
) noexcept nogil:
    """Bring vectors that follow each other in flat to where each starts at a panel, or back.

    A channel's number of Standardize goes to each of the channel's columns.
    """
    cdef Py_ssize_t length = length_of(row), numbers = row[VECTOR], i, j, k
    for i in range(count):
        for j in range(length):
            k = i * numbers + j * numbers // length
            if forth:
                place[i * width_of[real](length, place) + j] = flat[k]
            else:
                flat[k] = place[i * width_of[real](length, place) + j]


cdef inline void pack_row(
    const int64_t* row, const int64_t* plan, Py_ssize_t part, const real* flat, real* work,
) noexcept nogil:
    """A row's parameters, what is remembered of them, or its buffers, from their flat vector."""
    cdef real* place = work + plan[W + part]
    cdef const real* params = flat + row[PARAMS]
    cdef Py_ssize_t j
    if W + part == BUFFER:
        copy_vectors[real](True, row, row[BUFFERS], <real*> flat + row[FIRST_BUFFER], place)
    elif row[KIND] == CONV:
        memcpy(place, params, parameters_of(row) * sizeof(real))
    elif row[KIND] == DENSE:
        panels.pack[real](params, row[INPUTS], row[OUTPUTS], row[BIAS], place,
                          weights_row[real](plan, NULL))
    else:
        copy_vectors[real](True, row, row[PARAM_VECTORS], <real*> params, place)
        if part == 0 and row[PARAM_VECTORS] < vectors_in(row):  # w of a norm that has none
            for j in range(row[VECTOR]):
                place[j] = 1


cdef inline void unpack_row(
    const int64_t* row, const int64_t* plan, Py_ssize_t part, const real* work, real* flat,
) noexcept nogil:
    """The way back."""
    cdef const real* place = work + plan[W + part]
    cdef real* params = flat + row[PARAMS]
    if W + part == BUFFER:
        copy_vectors[real](False, row, row[BUFFERS], flat + row[FIRST_BUFFER], <real*> place)
    elif row[KIND] == CONV:
        memcpy(params, place, parameters_of(row) * sizeof(real))
    elif row[KIND] == DENSE:
        panels.unpack[real](place, weights_row[real](plan, NULL),
                            row[INPUTS], row[OUTPUTS], row[BIAS], params)
    else:
        copy_vectors[real](False, row, row[PARAM_VECTORS], params, <real*> place)
