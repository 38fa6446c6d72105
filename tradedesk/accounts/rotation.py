"""A change of keys while an account trades: the new one is tested, then takes over between two requests.

First the vault, then the venue's requests, then the record: whatever breaks off in the middle, the key that the next start
finds has been tested. The old subscription to the account's events lives until the new one is up, so nothing is missed
and no order is held up.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from tradedesk.access.keyseat import KeySeat
from tradedesk.access.lease import Lease, LeaseError
from tradedesk.access.secret import key_fingerprint
from tradedesk.access.signing import Signer
from tradedesk.access.vault import VaultError
from tradedesk.accounts.admission import Admission
from tradedesk.accounts.core import Core
from tradedesk.clock import Clock
from tradedesk.domain import events as ev
from tradedesk.domain.commands import RotateKey
from tradedesk.domain.keys import FINGERPRINT_DIGITS
from tradedesk.domain.words import OperatorId
from tradedesk.log import Log
from tradedesk.venues.adapter import Adapter, VenueFailed


class NotTaken(Exception):
    """The new key is not gone on with. The text is a sentence for the operator."""


class Rotation:
    """Of one start of a worker, on its loop. One change at a time."""

    def __init__(
        self,
        core: Core,
        adapter: Adapter,
        seat: KeySeat | None,
        admission: Admission,
        lease: Lease | None,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        look: Callable[[], None],
        restart_stream: Callable[[str], None],
        clock: Clock,
        log: Log,
    ) -> None:
        self._core = core
        self._adapter = adapter
        self._seat = seat
        self._admission = admission
        self._lease = lease
        self._spawn = spawn
        self._look = look
        self._restart_stream = restart_stream
        self._clock = clock
        self._log = log
        self._is_under_way = False

    def begin(self, command: RotateKey) -> None:
        if self._seat is None:
            self._kept("this desk has no vault to take it from", command.operator)
        elif self._is_under_way:
            self._kept("another change of its key is under way; wait for its end", command.operator)
        else:
            self._is_under_way = True
            self._spawn(self._change(self._seat, command.operator))

    async def _change(self, seat: KeySeat, by: OperatorId) -> None:
        reason = "the change was interrupted"
        try:
            await self._taken_over(seat, by)
            return
        except VenueFailed as error:
            reason = f"the venue does not take the new key: {error.cause}"
        except (NotTaken, VaultError, LeaseError) as error:
            reason = str(error)
        finally:
            self._is_under_way = False
        with contextlib.suppress(VaultError):  # it lies there until the next change; it is not used
            await asyncio.to_thread(seat.discard)
        self._kept(reason, by)

    async def _taken_over(self, seat: KeySeat, by: OperatorId) -> None:
        source = await asyncio.to_thread(seat.waiting)
        signer, report = await self._adapter.prove_key(source)
        try:
            refusal = self._admission.against(report)
            if refusal:
                raise NotTaken(f"the new key is not fit: {refusal}")
            self._take_lease(signer)
            old = seat.fingerprint
            source = await asyncio.to_thread(seat.adopt)
        except BaseException:
            signer.close()
            raise
        new = key_fingerprint(signer.api_key)
        self._adapter.use_key(source, signer)
        account = msgspec.structs.replace(self._core.account, key=new[:FINGERPRINT_DIGITS])
        self._core.use_account(account)
        self._core.note(
            ev.KeyRotated(
                at=self._clock.now(),
                source=self._source,
                account=account.id,
                old_fingerprint=old[:FINGERPRINT_DIGITS],
                new_fingerprint=new[:FINGERPRINT_DIGITS],
                by=by,
            )
        )
        self._core.note(ev.AccountListed(at=self._clock.now(), source=self._source, account=account))
        self._log.info("key_rotated", account=account.id, by=by, fingerprint=new[:FINGERPRINT_DIGITS])
        self._admission.take(report)
        try:
            await self._adapter.move_stream()
        except VenueFailed as error:
            self._restart_stream(error.cause)
        self._look()  # what came between the two subscriptions is read from the venue

    def _take_lease(self, signer: Signer) -> None:
        """One desk at a time drives an account by any of its keys. Raises NotTaken or LeaseError."""
        holder = None if self._lease is None else self._lease.change_key(signer.api_key, self._clock.now())
        if holder is not None:
            raise NotTaken(f"the new key is in use by {holder}; each desk needs its own")

    def _kept(self, reason: str, by: OperatorId) -> None:
        account = self._core.account.id
        self._log.warning("key_kept", account=account, by=by, why=reason)
        self._core.note(ev.KeyKept(at=self._clock.now(), source=self._source, account=account, reason=reason, by=by))

    @property
    def _source(self) -> str:
        return f"worker:{self._core.account.id}"
