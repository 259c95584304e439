"""The inner product of two rows, eight numbers at a time, in one fixed order.

The order is part of the score: a compiler that is free to choose it would choose another one where
the product stands in another loop, and a pair would have two scores. Left with a loop as written
it adds number by number, at a tenth of the speed. So the eight running sums are said outright.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

LANES = 8
_SINGLES = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)


@njit(cache=True, nogil=True)
def dot(row: NDArray[np.float32], z: NDArray[np.float32]) -> float:
    """Inner product of two contiguous rows (d,): products in single precision, sums in double."""
    total: float = _dot_of_eights(row, z)  # type: ignore[call-arg]  # numba adds its own
    for k in range(len(z) - len(z) % LANES, len(z)):
        total += row[k] * z[k]
    return total


@intrinsic
def _dot_of_eights(_context: Any, row: Any, z: Any) -> Any:
    """The same over as many as are a multiple of LANES."""
    rows = types.Array(types.float32, 1, "C")
    if not all(isinstance(t, types.Array) and t.copy(readonly=False) == rows for t in (row, z)):
        return None
    return types.float64(row, z), _write_dot_of_eights


def _write_dot_of_eights(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    row, z = (
        context.make_array(kind)(context, builder, value)
        for kind, value in zip(signature.args, arguments, strict=True)
    )
    size = builder.extract_value(z.shape, 0)
    lanes = ir.Constant(size.type, LANES)
    sums = cgutils.alloca_once(builder, _DOUBLES)  # type: ignore[no-untyped-call]
    builder.store(ir.Constant(_DOUBLES, [0.0] * LANES), sums)
    with cgutils.for_range_slice(
        builder, ir.Constant(size.type, 0), builder.sub(size, builder.srem(size, lanes)), lanes
    ) as (at, _):
        product = builder.fmul(*(_load_eight(builder, array, at) for array in (row, z)))
        wide = builder.fpext(product, _DOUBLES)
        builder.store(builder.fadd(builder.load(sums), wide), sums)
    last = builder.load(sums)
    parts = [builder.extract_element(last, ir.Constant(ir.IntType(32), k)) for k in range(LANES)]
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [
            builder.fadd(first, second)
            for first, second in zip(parts[:half], parts[half:], strict=True)
        ]
    return parts[0]


def _load_eight(builder: Any, array: Any, at: Any) -> Any:
    where = builder.bitcast(builder.gep(array.data, [at]), _SINGLES.as_pointer())
    eight = builder.load(where)
    # Rows start where they start; the processor's default would have them at multiples of 32.
    eight.align = 4
    return eight
