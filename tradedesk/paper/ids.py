"""The client order ids that the exchange makes where a client sent none: 22 letters and digits, as the venue's."""

from binascii import b2a_base64
from hashlib import blake2b

_LENGTH = 22  # characters; they hold the 128 bits of the digest
_LETTERS = bytes.maketrans(b"+/", b"Aa")


def made_id(kind: str, number: int) -> str:
    """Of the `number`-th thing of a kind (order, cancel, list, ...): always the same, and never that of another one."""
    digest = blake2b(f"{kind} {number}".encode(), digest_size=16).digest()
    return b2a_base64(digest)[:_LENGTH].translate(_LETTERS).decode()
