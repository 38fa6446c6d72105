"""One account's place in the vault: the key it trades with, and for a moment the one that is to take its place.

The vault is needed when the desk starts and for a change of keys. Between the two it may be locked: what an account needs
to come back after its worker was started again is kept here, and that is its own key alone (or, with a signer process, the
key of its one record). So locking protects everything that is not in use, and never takes an account out of the market.
"""

from tradedesk.access.keyholder import KeySource
from tradedesk.access.secret import key_fingerprint
from tradedesk.access.vault import Entry, Vault, VaultError

NEXT = ".next"  # after the name of the entry whose place it is to take


class KeySeat:
    """Reads the vault when it is made. `source` and `fingerprint` from any thread; the rest blocks, one call at a time."""

    def __init__(self, vault: Vault, name: str, venue: str, *, in_process: bool) -> None:
        """`in_process`: a process of its own reads the secret, and this one does not. Raises VaultError."""
        self._vault = vault
        self._name = name
        self._venue = venue
        self._in_process = in_process
        self.api_key = vault.api_key(name, venue)
        self.source = self._read(name)

    @property
    def fingerprint(self) -> str:
        """Of its API key, whole."""
        return key_fingerprint(self.api_key)

    def waiting(self) -> KeySource:
        """The key that was put in to take this one's place. Raises VaultError."""
        self._vault.reopen()
        if Entry(self._name + NEXT, self._venue) not in self._vault.names():
            raise VaultError("no new key waits in the vault; put one in with `tradedesk accounts rotate`")
        found = self._vault.fingerprint(self._name + NEXT, self._venue)
        if found == self.fingerprint:
            raise VaultError("the new key is the one in use; make another at the venue")
        for entry in self._vault.names():
            if entry.name not in (self._name, self._name + NEXT) and self._vault.fingerprint(*_of(entry)) == found:
                raise VaultError(f"the new key is that of {entry.name} already; each account needs its own")
        return self._read(self._name + NEXT)

    def adopt(self) -> KeySource:
        """Put the waiting key in place of the other, which is forgotten. Raises VaultError."""
        self._vault.reopen()
        self._vault.put(self._name, self._venue, self._vault.get(self._name + NEXT, self._venue))
        self._vault.remove(self._name + NEXT, self._venue)
        self.api_key = self._vault.api_key(self._name, self._venue)
        self.source = self._read(self._name)
        return self.source

    def discard(self) -> None:
        """Forget the waiting key, if there is one. Raises VaultError."""
        self._vault.reopen()
        if Entry(self._name + NEXT, self._venue) in self._vault.names():
            self._vault.remove(self._name + NEXT, self._venue)

    def _read(self, name: str) -> KeySource:
        return self._vault.handover(name, self._venue) if self._in_process else self._vault.get(name, self._venue)


def _of(entry: Entry) -> tuple[str, str]:
    return entry.name, entry.venue
