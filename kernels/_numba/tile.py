"""The register tiles: what keeps a tile of a matrix product in registers.

`rows`, `columns` and `vectors` of an intrinsic are constants at every call; strides count elements.
"""

import llvmlite.ir
import numba.extending
from numba import types
from numba.core import cgutils

from .jit import core
from .pointers import shift
from .vectors import VECTOR_BYTES, Vectors, lanes_of, void

# Rows and vectors of a tile of _multiply, rows and columns of one of _dots: as many sums as fit
# into the registers beside what they are made of.
ROWS, _VECTORS, _DOTS = (8, 2, 4) if VECTOR_BYTES == 64 else (4, 2, 2)
PANEL = 4  # vectors in a row of a panel
PANEL_ROWS = 128  # rows of a panel that fit into the nearest cache


@numba.extending.intrinsic(prefer_literal=True)
def _multiply(typing, rows, vectors, tile):
    """c[i, :] = start[i, :] + the sum over k < depth of a[i, k] * b[k, :].

    The tile is (depth, a, a_row, a_depth, b, b_depth, start, start_row, c, c_row).
    """
    if not isinstance(rows, types.Literal):
        return None
    m, width = rows.literal_value, vectors.literal_value

    def generate(context, builder, signature, arguments):
        depth, a, a_row, a_depth, b, b_depth, start, start_row, c, c_row = cgutils.unpack_tuple(
            builder, arguments[2]
        )
        v = Vectors(context, builder, signature.args[2][1])
        tile = [(i, j) for i in range(m) for j in range(width)]
        starts = [v.where(start, (v.number(i), start_row)) for i in range(m)]
        sums = {(i, j): v.variable(v.load(starts[i], j)) for i, j in tile}
        with cgutils.for_range(builder, depth, intp=v.intp) as loop:
            b_row = v.where(b, (loop.index, b_depth))
            factors = [v.load(b_row, j) for j in range(width)]
            a_column = v.where(a, (loop.index, a_depth))
            for i in range(m):
                number = v.spread(v.where(a_column, (v.number(i), a_row)))
                for j in range(width):
                    v.add_product(sums[i, j], number, factors[j])
        for i, j in tile:
            v.store(builder.load(sums[i, j]), v.where(c, (v.number(i), c_row)), j)
        return context.get_dummy_value()

    return void(rows, vectors, tile), generate


@numba.extending.intrinsic(prefer_literal=True)
def _dots(typing, rows, columns, depth, a, a_row, b, b_row, start, c, c_row):
    """c[i, j] = start[j] + the sum over k of a[i, k] * b[j, k], k over `depth` whole vectors."""
    m, n = rows.literal_value, columns.literal_value

    def generate(context, builder, signature, arguments):
        _, _, depth, a, a_row, b, b_row, start, c, c_row = arguments
        v = Vectors(context, builder, signature.args[3])
        sums = {(i, j): v.variable() for i in range(m) for j in range(n)}
        with cgutils.for_range(builder, depth, intp=v.intp) as loop:
            k = loop.index, v.number(v.lanes)
            rows = [v.load(v.where(a, k, (v.number(i), a_row))) for i in range(m)]
            columns = [v.load(v.where(b, k, (v.number(j), b_row))) for j in range(n)]
            for i, j in sums:
                v.add_product(sums[i, j], rows[i], columns[j])
        results = v.sums([builder.load(total) for total in sums.values()])
        count = results[0].type.count
        width = min(n, count)  # sums of one row, in one vector
        for at in range(0, m * n, width):
            (i, j), part = divmod(at, n), v.part(results[at // count], at % count, width)
            bias = v.load(v.where(start, v.number(j)), type_=part.type)
            c_ij = v.where(c, (v.number(i), c_row), v.number(j))
            v.store(builder.fadd(part, bias), c_ij)
        return context.get_dummy_value()

    return void(rows, columns, depth, a, a_row, b, b_row, start, c, c_row), generate


@numba.extending.intrinsic(prefer_literal=True)
def add_listed_rows(typing, vectors, panels, first, last, index, x, w, w_row, w_panel, start, y):
    """y = start + the sum of x[k] * w[k, :] over k in index[first:last].

    w[k, :] lies in so many panels: two at once keep the processor busy while sums wait.
    """
    width, places = vectors.literal_value, vectors.literal_value * panels.literal_value

    def generate(context, builder, signature, arguments):
        _, _, first, last, index, x, w, w_row, w_panel, start, y = arguments
        v = Vectors(context, builder, signature.args[5])
        sums = [v.variable(v.load(start, j)) for j in range(places)]
        with cgutils.for_range_slice(builder, first, last, v.number(1), v.intp) as (entry, _):
            k = builder.zext(builder.load(v.where(index, entry)), v.intp)
            row, number = v.where(w, (k, w_row)), v.spread(v.where(x, k))
            for j in range(places):
                panel = v.where(row, (v.number(j // width), w_panel))
                v.add_product(sums[j], number, v.load(panel, j % width))
        for j in range(places):
            v.store(builder.load(sums[j]), y, j)
        return context.get_dummy_value()

    return void(vectors, panels, first, last, index, x, w, w_row, w_panel, start, y), generate


@numba.extending.intrinsic(prefer_literal=True)
def add_samples(typing, vectors, panels, count, samples, x, x_row, step, step_row, w, w_panel):
    """W += the sum of x[r] * step[r, :] over the `count` samples r whose bit is set.

    W lies in panels as in add_listed_rows.
    """
    width, places = vectors.literal_value, vectors.literal_value * panels.literal_value

    def generate(context, builder, signature, arguments):
        _, _, count, samples, x, x_row, step, step_row, w, w_panel = arguments
        v = Vectors(context, builder, signature.args[4])
        places_of = [
            (v.where(w, (v.number(j // width), w_panel)), j % width) for j in range(places)
        ]
        sums = [v.variable(v.load(*place)) for place in places_of]
        left = cgutils.alloca_once_value(builder, samples)
        with cgutils.for_range(builder, count, intp=v.intp):
            bits = builder.load(left)
            r = builder.cttz(bits, llvmlite.ir.Constant(llvmlite.ir.IntType(1), 1))
            builder.store(builder.and_(bits, builder.sub(bits, v.number(1))), left)
            row, number = v.where(step, (r, step_row)), v.spread(v.where(x, (r, x_row)))
            for j in range(places):
                v.add_product(sums[j], number, v.load(row, j))
        for total, place in zip(sums, places_of, strict=True):
            v.store(builder.load(total), *place)
        return context.get_dummy_value()

    return void(vectors, panels, count, samples, x, x_row, step, step_row, w, w_panel), generate


@core
def product(rows, columns, depth, a, a_row, a_depth, b, b_depth, start, start_row, c, c_row):
    """c = start + a @ b, (rows, columns) of it; columns are whole vectors. start may be c."""
    lanes, i = lanes_of(c[0]), 0
    while i < rows:
        m, j = ROWS if i + ROWS <= rows else 2 if i + 2 <= rows else 1, 0
        while j < columns:
            vectors = _VECTORS if j + _VECTORS * lanes <= columns else 1
            a_i, b_j, c_ij = shift(a, i * a_row), shift(b, j), shift(c, i * c_row + j)
            start_ij = shift(start, i * start_row + j)
            tile = depth, a_i, a_row, a_depth, b_j, b_depth, start_ij, start_row, c_ij, c_row
            if m == ROWS and vectors == _VECTORS:
                _multiply(ROWS, _VECTORS, tile)
            elif m == ROWS:
                _multiply(ROWS, 1, tile)
            elif m == 2 and vectors == _VECTORS:
                _multiply(2, _VECTORS, tile)
            elif m == 2:
                _multiply(2, 1, tile)
            elif vectors == _VECTORS:
                _multiply(1, _VECTORS, tile)
            else:
                _multiply(1, 1, tile)
            j += vectors * lanes
        i += m


@core
def product_of_rows(rows, first, last, depth, a, a_row, b, b_row, start, c, c_row):
    """c = start + a @ b.T for the columns first to last of c, which are whole fours."""
    lanes = lanes_of(c[0])
    for j in range(first, last, 4):
        b_j, start_j, i = shift(b, j * b_row), shift(start, j), 0
        while i < rows:
            a_i, c_i = shift(a, i * a_row), shift(c, i * c_row + j)
            if i + _DOTS <= rows:
                _dots(_DOTS, 4, depth // lanes, a_i, a_row, b_j, b_row, start_j, c_i, c_row)
                i += _DOTS
            else:
                _dots(1, 4, depth // lanes, a_i, a_row, b_j, b_row, start_j, c_i, c_row)
                i += 1
