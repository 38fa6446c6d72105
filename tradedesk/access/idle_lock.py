"""Locks a vault that was not used for a while."""

from tradedesk.access.vault import Vault


class IdleLock:
    """Looked at again and again by one thread; the vault may be used by others meanwhile."""

    def __init__(self, vault: Vault, after_ns: int) -> None:
        self._vault = vault
        self._after_ns = after_ns
        self._uses = vault.uses
        self._since: int | None = None  # monotonic ns of the look at which it was first found unused

    def look(self, elapsed: int) -> bool:
        """Whether it was locked just now; `elapsed` is monotonic ns."""
        if self._since is None or self._vault.uses != self._uses:
            self._uses, self._since = self._vault.uses, elapsed
            return False
        if elapsed - self._since < self._after_ns or self._vault.is_locked:
            return False
        self._vault.lock()
        return self._vault.is_locked
