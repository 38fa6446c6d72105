"""The desk's end of a signer process: starts it, shows it what is to be signed, and notices that it is gone.

The desk does not read the secret: it hands over where the vault has it, with the key of that one record, and the signer
opens it. What the desk's memory keeps is enough to start the signer anew (`Handover`), also while the vault is locked.
"""

import contextlib
import socket
import subprocess
import sys

import msgspec

from tradedesk.access.signer_wire import Opened, Opening, answer_decoder, encoder, put_frame, take_frame
from tradedesk.access.signing import NotSigned
from tradedesk.access.vault import Handover
from tradedesk.redaction import SCRUBBER

START_S = 20.0  # an interpreter on a busy machine
SIGN_S = 1.0  # a signature takes a twentieth of a millisecond, or with RSA one; the account's thread waits so long
END_S = 1.0
_GONE = "its signer process ended; it is started again"
_MUTE = f"its signer process gave no answer within {SIGN_S:.0f} s and was ended; it is started again"


class SignerFailed(Exception):
    """No signer could be started. The text is a sentence for the operator."""


class ProcessSigner:
    """Implements Signer over one process. Made by `start_signer`; for one thread."""

    def __init__(self, process: "subprocess.Popen[bytes]", connection: socket.socket, opened: Opened) -> None:
        self._process = process
        self._connection = connection
        self._opened = opened
        self._trouble: str | None = None

    @property
    def api_key(self) -> str:
        return self._opened.api_key

    @property
    def passphrase(self) -> str | None:
        return self._opened.passphrase

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def missing(self) -> tuple[str, ...]:
        """What the system would not grant of its hardening."""
        return self._opened.missing

    def sign(self, text: str) -> str:
        if self._trouble is not None:
            raise NotSigned(self._trouble)
        try:
            put_frame(self._connection, text.encode())
            answer = take_frame(self._connection)
        except OSError as error:
            self._lose(_MUTE if isinstance(error, TimeoutError) else _GONE)
            raise NotSigned(self._trouble or _GONE) from None
        if answer[:1] == b"+":
            return answer[1:].decode("ascii", "replace")
        raise NotSigned(answer[1:].decode("utf-8", "replace")[:200])

    def hidden(self) -> tuple[str, ...]:
        return tuple(text for text in (self._opened.api_key, self._opened.passphrase) if text is not None)

    def trouble(self) -> str | None:
        if self._trouble is None and self._process.poll() is not None:
            self._lose(_GONE)
        return self._trouble

    def close(self) -> None:
        self._lose("its signer process was ended")

    def _lose(self, why: str) -> None:
        """From here on nothing is signed: an answer that comes late would be taken for that of the next question."""
        if self._trouble is None:
            self._trouble = why
            end_process(self._process, self._connection)


def start_signer(handover: Handover) -> ProcessSigner:
    """A process that has opened the secret and signs with it. Blocks for about half a second. Raises SignerFailed."""
    ours, theirs = socket.socketpair()
    try:
        command = [sys.executable, "-m", "tradedesk.access.signer_main", str(theirs.fileno())]
        process = subprocess.Popen(  # noqa: S603  (ourselves)
            command,
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # it would be written over a screen
            start_new_session=True,  # a Ctrl+C at the terminal is the desk's: its orders may still want a signature
        )
    except OSError as error:
        ours.close()
        raise SignerFailed(f"its signer process could not be started ({error.strerror}); look at the log") from None
    finally:
        theirs.close()
    reason = "it ended before it had its key"
    try:
        ours.settimeout(START_S)
        put_frame(ours, encoder.encode(Opening(handover=handover, salt=SCRUBBER.salt)))
        answer = answer_decoder.decode(take_frame(ours))
        if isinstance(answer, Opened):
            SCRUBBER.adopt(answer.digests)
            ours.settimeout(SIGN_S)
            return ProcessSigner(process, ours, answer)
        reason = answer.reason
    except TimeoutError:
        reason = f"it did not start within {START_S:.0f} s"
    except (OSError, msgspec.MsgspecError):
        pass  # `reason` says it
    end_process(process, ours)
    raise SignerFailed(f"its signer process cannot sign: {reason}")


def end_process(process: "subprocess.Popen[bytes]", connection: socket.socket) -> None:
    """Hang up, which ends it; by force where it does not listen any more."""
    with contextlib.suppress(OSError):
        connection.close()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
