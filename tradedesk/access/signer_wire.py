"""What the desk and a signer process say to each other over their socket pair: frames with their length before them."""

import socket
import struct

import msgspec
from msgspec import Struct

from tradedesk.access.vault import Handover

MAX_FRAME = 256 * 1024  # bytes; an opening carries the digests of one secret's forms
_LENGTH = struct.Struct(">I")


class Opening(Struct, frozen=True, kw_only=True):
    """The first frame to the signer: where its one secret is, and the salt under which the desk's log knows secrets."""

    handover: Handover
    salt: bytes


class Opened(Struct, frozen=True, kw_only=True, tag="opened"):
    """The signer's answer: what requests carry in the clear anyway, and by what the log recognises the secret."""

    api_key: str
    passphrase: str | None
    digests: tuple[bytes, ...]
    missing: tuple[str, ...]  # what the system would not grant of the hardening, in sentences


class Shut(Struct, frozen=True, kw_only=True, tag="shut"):
    """It could not open the secret, and ends."""

    reason: str


opening_decoder = msgspec.msgpack.Decoder(Opening)
answer_decoder: msgspec.msgpack.Decoder[Opened | Shut] = msgspec.msgpack.Decoder(Opened | Shut)
encoder = msgspec.msgpack.Encoder()


def put_frame(connection: socket.socket, frame: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(frame)) + frame)


def take_frame(connection: socket.socket) -> bytes:
    """The next frame. Raises OSError if the other side has gone, or sends what is none."""
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > MAX_FRAME:
        raise OSError("a frame beyond the bound")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    taken = b""
    while len(taken) < count:
        chunk = connection.recv(count - len(taken))
        if not chunk:
            raise ConnectionError("the other side has gone")
        taken += chunk
    return taken
