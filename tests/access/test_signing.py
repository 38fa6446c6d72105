"""What is signed, what never is, and that each kind of key signs as its venue checks it."""

import base64
import hashlib
import hmac
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from tradedesk.access.encrypted_file import EncryptedFile, FileRecord, derive_key, new_kdf, write_rows
from tradedesk.access.secret import KeyKind
from tradedesk.access.signer_process import SignerFailed, start_signer
from tradedesk.access.signer_wire import MAX_FRAME, take_frame
from tradedesk.access.signing import MAX_SIGNED, KeySigner, NotSigned, refusal
from tradedesk.access.vault import Secret, Vault
from tradedesk.redaction import SCRUBBER

ORDER = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000&recvWindow=3000&timestamp=1764000000000"


def a_pem(private: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_each_kind_of_key_signs_what_its_venue_checks() -> None:
    assert KeySigner(Secret("k", "s")).sign(ORDER) == hmac.new(b"s", ORDER.encode(), hashlib.sha256).hexdigest()
    small = ed25519.Ed25519PrivateKey.generate()
    signed = KeySigner(Secret("k", a_pem(small), KeyKind.Ed25519)).sign(ORDER)
    small.public_key().verify(base64.b64decode(signed, validate=True), ORDER.encode())
    big = rsa.generate_private_key(65537, 2048)
    signed = KeySigner(Secret("k", a_pem(big), KeyKind.Rsa)).sign(ORDER)
    big.public_key().verify(base64.b64decode(signed, validate=True), ORDER.encode(), PKCS1v15(), SHA256())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no list of plain parameters"),
        ("hello", "no list of plain parameters"),
        ("symbol=BTCUSDT", "does not carry one timestamp"),
        (ORDER + "&timestamp=1764000000000", "does not carry one timestamp"),
        ("timestamp=soon", "is no time in ms"),
        (ORDER + "&signature=abc", "the parameter signature is none"),
        ("coin=BTC&address=bc1&amount=1&timestamp=1764000000000", "the parameter address is none"),
        ("type=MAIN_UMFUTURE&asset=USDT&amount=5&timestamp=1764000000000", "the parameter amount is none"),
        ("type=MAIN_UMFUTURE&asset=USDT&Amount=5&timestamp=1764000000000", "the parameter Amount is none"),
        ("a=1amount=5&timestamp=1764000000000", "no list of plain parameters"),  # half a query, half a body
        ("%61mount=5&timestamp=1764000000000", "no list of plain parameters"),
        (ORDER + "\n", "no list of plain parameters"),
        (ORDER + "&a=\u0430", "no list of plain parameters"),
        (ORDER + "&a=" + "x" * MAX_SIGNED, "longer than"),
        (ORDER + "&a=" + "x" * 1_001, "no list of plain parameters"),
    ],
)
def test_what_is_not_a_plain_request_of_this_desk_is_not_signed(text: str, why: str) -> None:
    signer = KeySigner(Secret("k", "CANARYsecretD4e5F6"))
    with pytest.raises(NotSigned, match=why) as refused:
        signer.sign(text)
    assert "CANARY" not in str(refused.value)


@given(st.text(max_size=200))
def test_any_text_is_refused_or_is_one_list_of_parameters_with_one_time(text: str) -> None:
    if refusal(text) is None:
        names = [part.split("=")[0].lower() for part in text.split("&")]
        assert names.count("timestamp") == 1
        assert not {"amount", "address", "signature"} & set(names)
        assert text.isascii()
        assert text.isprintable()


def test_a_signer_that_was_closed_has_forgotten_its_key() -> None:
    signer = KeySigner(Secret("k", "s"))
    signer.close()
    with pytest.raises(NotSigned, match="forgotten"):
        signer.sign(ORDER)
    assert (signer.api_key, signer.passphrase, signer.hidden()) == ("", None, ())


# ---- in a process of its own


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    folder = tmp_path_factory.mktemp("signer")
    key = derive_key("correct horse battery", new_kdf())
    write_rows(folder / "vault", key, ())
    made = Vault(EncryptedFile(folder / "vault", key), "vault", folder / "entries.lock")
    made.put("acme", "binance", Secret("CANARYkey12345678", "CANARYsecret12345678", passphrase="CANARYwords12345678"))
    return made


def test_a_signer_process_signs_the_same_and_keeps_the_same_rules(vault: Vault) -> None:
    signer = start_signer(vault.handover("acme", "binance"))
    try:
        assert signer.api_key == "CANARYkey12345678"
        assert signer.sign(ORDER) == KeySigner(vault.get("acme", "binance")).sign(ORDER)
        for text in ("amount=5&timestamp=1764000000000", "\u0430", "x" * (MAX_SIGNED + 1), ""):
            with pytest.raises(NotSigned, match="not signed"):
                signer.sign(text)
        assert signer.sign(ORDER)  # a refusal is no trouble
        assert signer.trouble() is None
    finally:
        signer.close()
    with pytest.raises(NotSigned, match="was ended"):
        signer.sign(ORDER)


def test_a_signer_outlives_a_stop_that_is_meant_for_its_desk(vault: Vault) -> None:
    """A service manager ends all processes of a service at once, and the desk's last cancels want signatures."""
    signer = start_signer(vault.handover("acme", "binance"))
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(signer.pid, number)
        assert signer.sign(ORDER)
    finally:
        signer.close()


def test_a_signer_ends_when_its_desk_is_killed(vault: Vault) -> None:
    record = vault.handover("acme", "binance")
    assert isinstance(record, FileRecord)
    desk = subprocess.Popen(
        [sys.executable, "-c", A_DESK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert desk.stdin is not None
    assert desk.stdout is not None
    desk.stdin.write(msgspec.json.encode(record).decode() + "\n")
    desk.stdin.flush()
    signer = int(desk.stdout.readline())
    desk.kill()
    desk.wait(WITHIN_S)
    desk.stdin.close()
    deadline = time.monotonic() + WITHIN_S
    while is_alive(signer):
        assert time.monotonic() < deadline, "the signer lives on"
        threading.Event().wait(0.01)
    desk.stdout.close()


A_DESK = """
import sys
import msgspec
from tradedesk.access.encrypted_file import FileRecord
from tradedesk.access.signer_process import start_signer
signer = start_signer(msgspec.json.decode(sys.stdin.readline(), type=FileRecord))
print(signer.pid, flush=True)
sys.stdin.readline()
"""
WITHIN_S = 20


def is_alive(pid: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked about does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_log_knows_a_secret_that_this_process_never_saw(vault: Vault) -> None:
    signer = start_signer(vault.handover("acme", "binance"))
    signer.close()
    assert "CANARYsecret" not in SCRUBBER.scrub("the venue said CANARYsecret12345678 back")
    assert "CANARYwords" not in SCRUBBER.scrub("and CANARYwords12345678 too")


def test_a_signer_that_cannot_open_its_record_says_why(vault: Vault) -> None:
    before = vault.handover("acme", "binance")
    vault.put("acme", "binance", vault.get("acme", "binance"))
    with pytest.raises(SignerFailed, match=r"cannot sign: .* the record of 'acme' was replaced or removed"):
        start_signer(before)


def test_a_frame_beyond_the_bound_is_not_read() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(struct.pack(">I", MAX_FRAME + 1))
        with pytest.raises(OSError, match="beyond the bound"):
            take_frame(ours)
