"""The client order ids that the exchange makes where a client sent none: 22 letters and digits, as the venue's."""

from base64 import b64encode
from hashlib import blake2b

_LENGTH = 22  # characters; they hold the 128 bits of the digest


def made_id(kind: str, number: int) -> str:
    """Of the `number`-th thing of a kind (order, cancel, list, ...): always the same, and never that of another one."""
    digest = blake2b(b"%s %d" % (kind.encode(), number), digest_size=16).digest()
    return b64encode(digest, b"Aa")[:_LENGTH].decode()
