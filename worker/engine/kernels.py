"""Loops that torch has no operation for, compiled by numba for this processor. Arrays are C-contiguous.

Loading this module takes three seconds and 70 MB, or one second where another process has compiled it before and both
were told to keep such code in the same folder (`SlotPool`). So it is imported late. Nothing is kept elsewhere: a folder
that another account can write to would be a way in.

Three traps. For most of Intel's processors LLVM makes instructions half as wide as they have, because the widest once
slowed the clock down. Between products that use those anyway `soften` takes 32 us for 150 queries, and 52 with the
others (on an AMD processor; by llvm-mca a Cascade Lake takes 34 cycles for 64 scores, and 32 for 32).

numba makes 64-bit numbers of all sums of smaller ones, and one such number in a loop halves its speed or worse: each
intermediate result is cast back. It takes the largest of floats one by one, but of integers many at a time: sizes are
compared as the integers that their bits are, which have the same order.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import config, njit
from numba.core.codegen import get_host_cpu_features

INTEGER, SINGLE, BYTE = np.int32, np.float32, np.int8
HEAVIEST = SINGLE(255)
LEAST = SINGLE(-3e38)  # minus infinity is none of the numbers that `fastmath` knows
LARGEST, ONE, HALF, ROOT_HALF = SINGLE(127), SINGLE(1), SINGLE(0.5), SINGLE(0.5**0.5)
UNSIGNED = INTEGER(0x7FFFFFFF)  # the bits of a float without its sign
FAR = SINGLE(4)  # from here on the error function is 1
# Of the error function, highest power first (Eigen, `generic_fast_erf_float`).
A = tuple(map(SINGLE, (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
                       -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)))  # fmt: skip
B = tuple(map(SINGLE, (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
                       -1.42647390514189e-02)))  # fmt: skip
SMALLEST = SINGLE(1e-12)
SHIFT, MIDDLE = INTEGER(128), SINGLE(128.5)  # added before and taken off behind: cutting off then rounds to the nearest
FARTHEST = SINGLE(0.75)  # sixteenths: what is 12 below the highest score is nothing

features: str = get_host_cpu_features()  # type: ignore[no-untyped-call]
if "+avx512f" in features:
    config.CPU_FEATURES = f"{features},-prefer-256-bit"  # type: ignore[attr-defined]


def _compiled(signature: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    made: Callable[[Callable[..., None]], Callable[..., None]] = njit(
        signature, fastmath=True, error_model="numpy", cache="NUMBA_CACHE_DIR" in os.environ
    )
    return made


@_compiled("void(float32[:,:,:,::1],int8[:,:,:,::1],float32[:,::1],float32[:,::1])")
def split(parts: Any, rounded: Any, steps: Any, value_steps: Any) -> None:
    """Queries, keys and values (positions, 3, heads, depth) -> (3, heads, positions, depth) in 8 bits.

    `steps` (heads, positions): what 1 is in a query times what 1 is in a key of the head. `value_steps` (heads, depth).
    From the keys of a head their mean is taken: that moves all scores of a query alike, and so changes nothing but how
    finely they are rounded (SageAttention, arXiv 2410.02367).
    """
    positions, _, heads, depth = parts.shape
    mean, least, most = np.zeros((heads, depth), SINGLE), parts[0, 1].copy(), parts[0, 1].copy()
    per_key, per_value = np.empty(heads, SINGLE), np.full((heads, depth), SMALLEST)
    for place in range(positions):
        for head in range(heads):
            for number in range(depth):
                key = parts[place, 1, head, number]
                mean[head, number] += key / SINGLE(positions)
                least[head, number] = min(least[head, number], key)
                most[head, number] = max(most[head, number], key)
                per_value[head, number] = max(per_value[head, number], abs(parts[place, 2, head, number]))
    for head in range(heads):
        top = SMALLEST
        for number in range(depth):
            top = max(top, most[head, number] - mean[head, number], mean[head, number] - least[head, number])
            value_steps[head, number] = per_value[head, number] / LARGEST
            per_value[head, number] = LARGEST / per_value[head, number]
        per_key[head] = LARGEST / top
    for place in range(positions):
        for head in range(heads):
            query, key, value = parts[place, 0, head], parts[place, 1, head], parts[place, 2, head]
            top = SMALLEST
            for number in range(depth):
                top = max(top, abs(query[number]))
            steps[head, place] = top / (LARGEST * per_key[head])
            per_query = LARGEST / top
            for number in range(depth):
                rounded[0, head, place, number] = BYTE(INTEGER(query[number] * per_query + MIDDLE) - SHIFT)
            for number in range(depth):
                moved = (key[number] - mean[head, number]) * per_key[head]
                rounded[1, head, place, number] = BYTE(INTEGER(moved + MIDDLE) - SHIFT)
            for number in range(depth):
                rounded[2, head, place, number] = BYTE(
                    INTEGER(value[number] * per_value[head, number] + MIDDLE) - SHIFT
                )


@_compiled("void(int32[:,::1],float32[::1],float32[::1],uint8[:,::1],float32[::1])")
def soften(scores: Any, steps: Any, dither: Any, weights: Any, total: Any) -> None:
    """Scores (queries, keys), of which 1 is `steps` of a query -> their exponentials, 255 for the highest of a query,
    and the sum of these in `total`.

    They are rounded by `dither` (keys), other fractions of 1 from key to key: so many small weights together count as
    much as they are. Rounded to the nearest they would all be dropped, and the rest would count too much.
    """
    for query in range(scores.shape[0]):
        row, step, out = scores[query], steps[query] / SINGLE(16), weights[query]
        top = row[0]
        for key in range(row.shape[0]):
            top = max(top, row[key])
        added = INTEGER(0)
        for key in range(row.shape[0]):
            below = min(SINGLE(INTEGER(top - row[key])) * step, FARTHEST)
            power = SINGLE(1) + below * (SINGLE(-1) + below * (SINGLE(0.5) + below * SINGLE(-0.153)))
            power = power * power
            power = power * power
            power = power * power
            power = power * power
            weight = INTEGER(min(power * HEAVIEST + dither[key], HEAVIEST))
            added = INTEGER(added + weight)
            out[key] = np.uint8(weight)
        total[query] = added


@_compiled("void(int32[:,::1],float32[::1],float32[::1],float32[:,:])")
def scale(found: Any, total: Any, value_steps: Any, out: Any) -> None:
    """Sums of weighed values (queries, depth) -> what each query found. `out` need not be contiguous."""
    for query in range(found.shape[0]):
        each = SINGLE(1) / total[query]
        for number in range(found.shape[1]):
            out[query, number] = SINGLE(found[query, number]) * (each * value_steps[number])


@_compiled("void(float32[:,::1],int8[:,::1],float32[::1])")
def round_rows(rows: Any, rounded: Any, steps: Any) -> None:
    """Rows in 8 bits, and what 1 is in each."""
    most = np.empty(1, INTEGER)
    for place in range(rows.shape[0]):
        row, out, bits = rows[place], rounded[place], rows[place].view(INTEGER)
        top = INTEGER(0)
        for number in range(row.shape[0]):
            top = max(top, INTEGER(bits[number] & UNSIGNED))
        most[0] = top
        step = max(most.view(SINGLE)[0], SMALLEST) / LARGEST
        for number in range(row.shape[0]):
            out[number] = BYTE(INTEGER(row[number] / step + MIDDLE) - SHIFT)
        steps[place] = step


@_compiled("void(int32[:,::1],float32[::1],float32[::1],float32[::1],int8[:,::1])")
def bend(sums: Any, weight_steps: Any, bias: Any, steps: Any, rounded: Any) -> None:
    """GELU of a product: sums of 8-bit numbers -> the same in 8 bits. `steps`: what 1 is in each row, before and after.

    GELU as torch has it, to 1e-6: the error function is Eigen's quotient of two polynomials.
    """
    line, most = np.empty(sums.shape[1], SINGLE), np.empty(1, INTEGER)
    bits = line.view(INTEGER)
    for place in range(sums.shape[0]):
        row, out, step = sums[place], rounded[place], steps[place]
        for number in range(row.shape[0]):
            x = SINGLE(row[number]) * (step * weight_steps[number]) + bias[number]
            z = min(max(x * ROOT_HALF, -FAR), FAR)
            s = z * z
            above = (((((A[0] * s + A[1]) * s + A[2]) * s + A[3]) * s + A[4]) * s + A[5]) * s + A[6]
            below = (((B[0] * s + B[1]) * s + B[2]) * s + B[3]) * s + B[4]
            line[number] = HALF * x * (ONE + z * above / below)
        top = INTEGER(0)
        for number in range(row.shape[0]):
            top = max(top, INTEGER(bits[number] & UNSIGNED))
        most[0] = top
        step = max(most.view(SINGLE)[0], SMALLEST) / LARGEST
        for number in range(row.shape[0]):
            out[number] = BYTE(INTEGER(line[number] / step + MIDDLE) - SHIFT)
        steps[place] = step


@_compiled("void(int32[:,::1],float32[::1],float32[::1],float32[::1],float32[:,::1])")
def unround(sums: Any, weight_steps: Any, bias: Any, steps: Any, out: Any) -> None:
    """A product, from its sums of 8-bit numbers."""
    for place in range(sums.shape[0]):
        for number in range(sums.shape[1]):
            out[place, number] = SINGLE(sums[place, number]) * (steps[place] * weight_steps[number]) + bias[number]


@_compiled("void(float32[:,:,:,:,::1],float32[:,:,:,::1],int64,float32[:,:,::1])")
def attend(kept: Any, parts: Any, place: int, found: Any) -> None:
    """The next token of each sequence: its query, key and value (sequences, 3, heads, depth) -> what it finds at the
    places up to its own (sequences, heads, depth). `kept` (2, more sequences, heads, places, depth): keys and values
    of the others, to which its own are added at `place`.
    """
    sequences, _, heads, depth = parts.shape
    weights = np.empty(place + 1, SINGLE)
    for sequence in range(sequences):
        for head in range(heads):
            query, key, value = parts[sequence, 0, head], parts[sequence, 1, head], parts[sequence, 2, head]
            keys, values, out = kept[0, sequence, head], kept[1, sequence, head], found[sequence, head]
            for number in range(depth):
                keys[place, number] = key[number]
                values[place, number] = value[number]
                out[number] = SINGLE(0)
            top, total = LEAST, SINGLE(0)
            for other in range(place + 1):
                score = SINGLE(0)
                for number in range(depth):
                    score += query[number] * keys[other, number]
                weights[other] = score
                top = max(top, score)
            for other in range(place + 1):
                weights[other] = np.exp(weights[other] - top)
                total += weights[other]
            for other in range(place + 1):
                weight = weights[other] / total
                for number in range(depth):
                    out[number] += weight * values[other, number]
