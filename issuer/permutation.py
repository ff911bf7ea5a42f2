"""Random status indices that are never given twice, from a counter: a keyed permutation of [0, size).

A status index must be unpredictable and unique (Token Status List 13.2, HAIP 6.1). A store hands out a counter with one
compare-and-set statement; this turns it into an index. Six Feistel rounds over the next even number of bits, walking
the cycle until the value falls inside the range.
"""

import hashlib
from typing import Final

_ROUNDS: Final = 6


def permute(counter: int, *, size: int, key: bytes) -> int:
    """Return the index of the `counter`-th draw; distinct counters below `size` give distinct indices below `size`."""
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    value = counter
    while True:
        value = _feistel(value, half, key)
        if value < size:
            return value


def _feistel(value: int, half: int, key: bytes) -> int:
    mask = (1 << half) - 1
    left, right = value >> half, value & mask
    for number in range(_ROUNDS):
        digest = hashlib.blake2b(right.to_bytes(8, "big"), key=key, salt=bytes([number]), digest_size=8).digest()
        left, right = right, left ^ (int.from_bytes(digest, "big") & mask)
    return left << half | right
