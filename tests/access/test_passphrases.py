"""The file of the operators' passphrases: what it takes for one, what it gives away, and what it does when it is broken."""

import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradedesk.access.passphrases import MAX_FILE, PassphraseError, Passphrases
from tradedesk.domain.words import OperatorId

ANN, BEN = OperatorId("ann"), OperatorId("ben")
WORDS = "correct horse battery"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "operators"


def test_a_passphrase_opens_for_its_operator_alone(file: Path) -> None:
    kept = Passphrases(file)
    kept.put(ANN, WORDS)
    assert kept.names() == {ANN}
    assert kept.check(ANN, WORDS)
    assert not kept.check(ANN, WORDS + " ")
    assert not kept.check(BEN, WORDS)


def test_a_desk_without_the_file_knows_no_passphrase(file: Path) -> None:
    assert Passphrases(file).names() == frozenset()
    assert not Passphrases(file).check(ANN, WORDS)
    assert not file.exists()


def test_the_file_is_the_owners_alone_and_does_not_hold_the_words(file: Path) -> None:
    Passphrases(file).put(ANN, WORDS)
    assert file.stat().st_mode & 0o777 == 0o600
    assert WORDS.encode() not in file.read_bytes()


def test_two_operators_with_the_same_words_have_different_hashes(file: Path) -> None:
    kept = Passphrases(file)
    kept.put(ANN, WORDS)
    kept.put(BEN, WORDS)
    rows = kept._read()
    assert rows[ANN].digest != rows[BEN].digest


def test_a_new_passphrase_takes_the_place_of_the_old_one(file: Path) -> None:
    kept = Passphrases(file)
    kept.put(ANN, WORDS)
    kept.put(ANN, "another one altogether")
    assert not kept.check(ANN, WORDS)
    assert kept.check(ANN, "another one altogether")


def test_a_passphrase_can_be_forgotten(file: Path) -> None:
    kept = Passphrases(file)
    kept.put(ANN, WORDS)
    kept.remove(ANN)
    assert kept.names() == frozenset()
    with pytest.raises(PassphraseError, match="ann has no passphrase"):
        kept.remove(ANN)


@pytest.mark.parametrize("words", ["", "short", "x" * 1_025])
def test_what_is_too_short_or_too_long_is_no_passphrase(file: Path, words: str) -> None:
    with pytest.raises(PassphraseError, match="8 to 1024 characters"):
        Passphrases(file).put(ANN, words)
    assert not file.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_or_write_lets_nobody_in(file: Path, mode: int) -> None:
    kept = Passphrases(file)
    kept.put(ANN, WORDS)
    file.chmod(mode)
    with pytest.raises(PassphraseError, match="chmod 600"):
        kept.check(ANN, WORDS)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff" * 40, b"[]", b'{"format":"tradedesk-vault","version":1,"operators":{}}', b"x" * (MAX_FILE + 1)],
    ids=["empty", "cut", "bytes", "list", "another", "huge"],
)
def test_a_damaged_file_lets_nobody_in_and_says_so(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(PassphraseError, match=str(file)):
        Passphrases(file).names()


def test_a_hash_that_was_made_cheap_is_not_believed(file: Path) -> None:
    kept = Passphrases(file)
    kept.put(ANN, WORDS)
    file.write_bytes(file.read_bytes().replace(b'"memory_kib":65536', b'"memory_kib":64'))
    with pytest.raises(PassphraseError, match="too weak or too heavy"):
        kept.check(ANN, WORDS)


def test_a_link_to_nowhere_is_not_an_absent_file(file: Path) -> None:
    file.symlink_to(file.with_name("gone"))
    with pytest.raises(PassphraseError):
        Passphrases(file).names()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=400) | st.text(max_size=200).map(str.encode),
    at=st.integers(0, 400),
    is_whole=st.booleans(),
)
def test_whatever_stands_in_the_file_is_a_file_of_passphrases_or_refused(
    file: Path, content: bytes, at: int, is_whole: bool
) -> None:
    """bytes of any kind, alone or written into a file that was sound"""
    kept = Passphrases(file)
    if not is_whole:
        file.write_bytes(SOUND)
        whole = SOUND
        content = whole[: at % len(whole)] + content + whole[at % len(whole) + len(content) :]
    file.write_bytes(content)
    file.chmod(0o600)
    with contextlib.suppress(PassphraseError):
        assert all(isinstance(name, str) for name in kept.names())


def _sound() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "operators"
        Passphrases(file).put(ANN, WORDS)
        return file.read_bytes()


SOUND = _sound()
