"""The vault file changed at random: whatever stands in it, a secret comes back as it was put, or a sentence does."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk.access.encrypted_file import EncryptedFile, UnlockedKey, derive_key, new_kdf, write_rows
from tradedesk.access.vault import Secret, Vault, VaultError, secret_at

SECRET = "CANARYsecretD4e5F6"


class World:
    """A vault of two accounts, derived once, its file as it was written."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "vault"
        self.key: UnlockedKey = derive_key("correct horse battery", new_kdf())
        write_rows(self.path, self.key, ())
        self.vault = Vault(EncryptedFile(self.path, self.key), str(self.path), folder / "entries.lock")
        self.vault.put("acme", "binance", Secret("KEYacme", SECRET))
        self.vault.put("birch", "binance", Secret("KEYbirch", "SECRETbirch"))
        self.whole = self.path.read_bytes()
        self.record = self.vault.handover("acme", "binance")

    def holds_or_says(self, content: bytes) -> None:
        """With this in the file: the secret, or a VaultError that shows nothing of it; by vault and by handover alike."""
        self.path.write_bytes(content)
        said: list[str] = []
        for ask in (lambda: self.vault.get("acme", "binance"), lambda: secret_at(self.record), self.vault.names):
            try:
                found = ask()
            except VaultError as error:
                said.append(str(error))
            else:
                assert not isinstance(found, Secret) or found.secret == SECRET
        assert [text for text in said if str(self.path) not in text or "CANARY" in text or "KEYacme" in text] == []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("fuzz"))


def test_F83_every_byte_flipped_in_every_bit_is_found(world: World) -> None:
    for place in range(len(world.whole)):
        for bit in (0x01, 0x20, 0x80):
            flipped = world.whole[:place] + bytes([world.whole[place] ^ bit]) + world.whole[place + 1 :]
            world.path.write_bytes(flipped)
            with pytest.raises(VaultError, match="damaged"):
                world.vault.get("acme", "binance")
            with pytest.raises(VaultError, match="damaged"):
                secret_at(world.record)


def test_F83_cut_at_every_length_it_is_found(world: World) -> None:
    for length in range(len(world.whole)):
        world.path.write_bytes(world.whole[:length])
        with pytest.raises(VaultError, match="damaged"):
            world.vault.get("acme", "binance")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_F83_random_bytes_are_no_vault(world: World, content: bytes) -> None:
    world.path.write_bytes(content)
    with pytest.raises(VaultError, match="damaged or is no vault"):
        world.vault.get("acme", "binance")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_F83_pieces_moved_about_give_the_secret_or_a_sentence(world: World, data: st.DataObject) -> None:
    size = len(world.whole)
    start, end, to = (data.draw(st.integers(0, size)) for _ in range(3))
    piece = world.whole[min(start, end) : max(start, end)]
    world.holds_or_says(world.whole[:to] + piece + world.whole[to + data.draw(st.sampled_from((0, len(piece)))) :])


_leaves = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20), st.binary(max_size=40)
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        found += _places(inner, (*path, name))
    return found


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_F83_a_forger_who_knows_the_form_but_no_key_gets_a_sentence(world: World, data: st.DataObject) -> None:
    """The checksum is made right again each time: what is left to find it is the sealing."""
    content = json.loads(world.whole)["content"]
    place = data.draw(st.sampled_from(_places(content)))
    holder = content
    for name in place[:-1]:
        holder = holder[name]
    value = data.draw(_leaves)
    if data.draw(st.booleans()):
        del holder[place[-1]]
    else:
        holder[place[-1]] = base64.b64encode(value).decode() if isinstance(value, bytes) else value
    text = json.dumps(content).encode()
    world.holds_or_says(b'{"checksum":"%s","content":%s}' % (hashlib.sha256(text).hexdigest().encode(), text))
