"""Bytes in the rows of a tape: their addresses, their checksums, and unpacking that takes no more than was declared."""

import zlib
from functools import lru_cache
from hashlib import blake2b

from tracer.store.damage import DamageError

MAX_BLOB_BYTES = 64 << 20
"""No structure of a million nodes comes near; what claims more is not unpacked."""

DICTIONARY_BYTES = 32 << 10
"""How far back deflate looks."""


def address(data: bytes) -> bytes:
    """The digest (16 bytes) under which equal content is stored once."""
    return blake2b(data, digest_size=16).digest()


def checksum(*parts: object) -> int:
    """CRC-32 over a row's fields in order; bytes as they are, everything else by its text."""
    crc, text = 0, ""
    for part in parts:
        if isinstance(part, bytes):
            crc, text = zlib.crc32(part, zlib.crc32(text.encode(errors="surrogatepass"), crc)), ""
        else:
            text += f"\0{part}"
    return zlib.crc32(text.encode(errors="surrogatepass"), crc) if text else crc


@lru_cache(maxsize=1024)  # the same few names at every step
def storable(text: str) -> str:
    """The text, but for halves of surrogate pairs (Python's stand-ins for bytes it cannot read), which are spelled."""
    return text.encode(errors="backslashreplace").decode()


def deflated(data: bytes, base: bytes = b"", level: int = 6) -> bytes:
    """Smaller where much of it is also in the end of `base`."""
    packer = zlib.compressobj(level, zdict=dictionary(base)) if base else zlib.compressobj(level)
    return packer.compress(data) + packer.flush()


def inflated(size: int, data: bytes, base: bytes = b"", most: int = MAX_BLOB_BYTES) -> bytes:
    """Exactly `size` bytes; refuses data that would unpack to more, before it does."""
    if not 0 <= size <= most:
        raise DamageError(f"a part of it claims a size of {size} bytes, more than there can be")
    unpacker = zlib.decompressobj(zdict=dictionary(base)) if base else zlib.decompressobj()
    content = unpacker.decompress(data, size + 1)
    if len(content) != size:
        raise DamageError("a part of it does not unpack to its size")
    return content


def content(size: int, digest: bytes, data: bytes, base: bytes = b"") -> bytes:
    """Exactly `size` bytes with this address."""
    found = inflated(size, data, base)
    if address(found) != digest:
        raise DamageError("a part of it does not unpack to what was packed")
    return found


def dictionary(base: bytes) -> bytes:
    """As much of it as deflate looks back."""
    return base[-DICTIONARY_BYTES:]
