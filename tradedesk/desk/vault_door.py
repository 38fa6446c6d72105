"""The vault of a running desk: who may lock it, and how fast one may try to open it again."""

import asyncio

from tradedesk.access.operators import Operator, Verb, may
from tradedesk.access.vault import Vault, VaultError
from tradedesk.clock import Clock
from tradedesk.log import Log

LONGEST_WAIT_S = 60


class VaultDoor:
    """Belongs to the desk thread, which it never holds up: a passphrase is proved on a thread of its own, one at a time."""

    def __init__(self, vault: Vault, clock: Clock, log: Log) -> None:
        self._vault = vault
        self._clock = clock
        self._log = log
        self._wrong = 0  # passphrases in a row
        self._next_at = 0  # monotonic ns; none is tried before
        self._lock = asyncio.Lock()

    def lock(self, operator: Operator) -> str | None:
        """Forget the key. None if that is done, else why not."""
        self._vault.lock()
        if not self._vault.is_locked:
            return f"{self._vault.where}: is locked by the system, not by the desk"
        self._log.info("vault_locked", by=operator.name)
        return None

    async def open(self, operator: Operator, passphrase: str) -> str | None:
        """None if the vault is open now, else why not."""
        refusal = may(operator, Verb.LockVault, None)
        if refusal is not None:
            return refusal
        async with self._lock:
            wait_ns = self._next_at - self._clock.monotonic()
            if wait_ns > 0:
                return f"wrong passphrases before; try again in {wait_ns // 10**9 + 1} s"
            try:
                await asyncio.to_thread(self._vault.unlock, passphrase)
            except VaultError as error:
                self._wrong += 1
                pause = min(LONGEST_WAIT_S, 1 << min(self._wrong - 1, 10))
                self._next_at = self._clock.monotonic() + pause * 10**9
                self._log.warning("vault_not_opened", by=operator.name, in_a_row=self._wrong)
                return str(error)
            self._wrong = 0
        self._log.info("vault_opened", by=operator.name)
        return None
