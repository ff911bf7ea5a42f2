"""The array of a Token Status List: statuses of 1, 2, 4 or 8 bits each, and their compressed form.

Spec: draft-ietf-oauth-status-list 4.1 (packing, compression), 7.1 (values).
"""

import zlib
from dataclasses import dataclass
from typing import Final, Self

from byoid.errors import MalformedInput, Revoked, StatusUnavailable, Suspended

VALID: Final = 0
INVALID: Final = 1
SUSPENDED: Final = 2
BITS: Final = (1, 2, 4, 8)
MAX_ARRAY_BYTES: Final = 16 << 20  # 134 million statuses of one bit


@dataclass(frozen=True, slots=True)
class StatusArray:
    """A decompressed status list: `bits` per status, packed least significant bit first (4.1).

    The bytes are kept packed. Publishers hold them in a `bytearray` and change them with `set_status`; what a verifier
    has read is `bytes`.
    """

    bits: int
    data: bytes | bytearray

    def __post_init__(self) -> None:
        if type(self.bits) is not int or self.bits not in BITS:
            raise MalformedInput("expected 1, 2, 4 or 8 bits per status")

    @classmethod
    def of_size(cls, size: int, *, bits: int = 1) -> Self:
        """Make an array of at least `size` statuses, all VALID, for a publisher."""
        return cls(bits, bytearray(-(-size * bits // 8)))

    @classmethod
    def from_compressed(cls, compressed: bytes, *, bits: int, max_bytes: int = MAX_ARRAY_BYTES) -> Self:
        """Inflate a list.

        Raises:
            MalformedInput: not one complete ZLIB stream, or longer than `max_bytes` when inflated.
        """
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(compressed, max_bytes + 1)
        except zlib.error as error:
            raise MalformedInput("expected a status list in the ZLIB data format") from error
        if len(data) > max_bytes:
            raise MalformedInput(f"a status list inflates to more than {max_bytes} bytes")
        if not inflater.eof or inflater.unused_data:
            raise MalformedInput("expected exactly one complete ZLIB stream as status list")
        return cls(bits, data)

    @property
    def size(self) -> int:
        """The number of statuses."""
        return len(self.data) * 8 // self.bits

    def status_at(self, index: int) -> int:
        """Return the status at `index`: 0 valid, 1 invalid, 2 suspended (7.1).

        Raises:
            StatusUnavailable: the place is outside the list: nobody said anything about this credential.
        """
        bits = self.bits
        byte, slot = divmod(index, 8 // bits)
        if not 0 <= byte < len(self.data):
            raise StatusUnavailable(f"index {index} is outside a list of {self.size} statuses")
        return self.data[byte] >> slot * bits & (1 << bits) - 1

    def set_status(self, index: int, status: int) -> None:
        """Set the status at `index`.

        Raises:
            ValueError: the place is outside the list, the value does not fit, or the array is one that was read.
        """
        bits, data = self.bits, self.data
        byte, slot = divmod(index, 8 // bits)
        mask = (1 << bits) - 1
        if not isinstance(data, bytearray) or not 0 <= byte < len(data) or not 0 <= status <= mask:
            raise ValueError(f"cannot set status {status} at {index} in {self.size} statuses of {bits} bits")
        data[byte] = data[byte] & ~(mask << slot * bits) & 0xFF | status << slot * bits

    def compress(self) -> bytes:
        """Return the list in the ZLIB data format.

        Run-length matches only: as small as level 9 where few are revoked, and about 150 times faster.
        """
        deflater = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
        return deflater.compress(self.data) + deflater.flush()


def require_valid(status: int) -> None:
    """Accept the status VALID alone (7.1).

    Raises:
        Revoked: INVALID.
        Suspended: SUSPENDED.
        StatusUnavailable: a value whose meaning is the application's own, or reserved: nothing says that it is valid.
    """
    if status == INVALID:
        raise Revoked("the issuer has revoked the credential")
    if status == SUSPENDED:
        raise Suspended("the issuer has suspended the credential")
    if status != VALID:
        raise StatusUnavailable(f"the credential has the status {status:#04x}, which byoid cannot judge")
