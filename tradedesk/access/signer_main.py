"""A signer process: it alone holds one account's secret, signs what it is shown, and ends when its desk does.

Started by `signer_process` with the number of its socket as the only argument. What it reads first is where its secret
is; the secret itself is neither in its arguments nor in its environment, and never leaves it.
"""

import os
import signal
import socket
import sys

import msgspec

from tradedesk.access.signer_wire import Opened, Shut, encoder, opening_decoder, put_frame, take_frame
from tradedesk.access.signing import KeySigner, NotSigned
from tradedesk.access.vault import VaultError, secret_at
from tradedesk.hardening import harden
from tradedesk.redaction import Scrubber


def main() -> None:
    missing = harden()
    for told in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(
            told, signal.SIG_IGN
        )  # meant for the desk, which may still want its cancels signed; it hangs up then
    connection = socket.socket(fileno=int(sys.argv[1]))
    try:
        signer = _opened(connection, missing)
        while signer is not None:
            put_frame(connection, _answer(signer, take_frame(connection)))
    except OSError:
        pass  # the desk has gone, or is done with this key
    os._exit(0)  # at once: nothing here has to be tidied up


def _opened(connection: socket.socket, missing: tuple[str, ...]) -> KeySigner | None:
    try:
        opening = opening_decoder.decode(take_frame(connection))
        secret = secret_at(opening.handover)
    except (VaultError, msgspec.MsgspecError) as error:
        reason = str(error) if isinstance(error, VaultError) else "it was not told where its secret is"
        put_frame(connection, encoder.encode(Shut(reason=reason)))
        return None
    digests = tuple(Scrubber(opening.salt).digests_of(*secret.texts))
    opened = Opened(api_key=secret.api_key, passphrase=secret.passphrase, digests=digests, missing=missing)
    put_frame(connection, encoder.encode(opened))
    return KeySigner(secret)


def _answer(signer: KeySigner, frame: bytes) -> bytes:
    """`+` and the signature, or `-` and why there is none."""
    try:
        return b"+" + signer.sign(frame.decode("ascii")).encode()
    except NotSigned as why:
        return b"-" + str(why).encode()
    except UnicodeDecodeError:
        return b"-not signed: it is no list of plain parameters"


if __name__ == "__main__":
    main()
