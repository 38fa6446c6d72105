"""`tradedesk accounts rotate`: another key for an account, tested at the venue before it takes the old one's place."""

import asyncio
import contextlib
from typing import TYPE_CHECKING

import typer

from tradedesk.cli.accounts_common import (
    ApiKeyOption,
    KindOption,
    NameArgument,
    SecretStdinOption,
    VenuePassphraseOption,
    a_desk_runs,
    account_in,
    secret_of,
    settings_of,
    vault_of,
)
from tradedesk.cli.endings import FAILED, end
from tradedesk.cli.reach import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    controlled,
    home_of,
    show,
    watching,
)
from tradedesk.cli.run import PassphraseOption

if TYPE_CHECKING:
    from pathlib import Path

    from tradedesk.access.keyseat import KeySeat
    from tradedesk.access.vault import Vault
    from tradedesk.config import Home, Settings
    from tradedesk.domain.accounts import Account

ROTATED_S = 60.0  # the desk asks the venue some questions, and waits for their turn


def rotate(
    name: NameArgument,
    *,
    api_key: ApiKeyOption = None,
    secret_stdin: SecretStdinOption = False,
    kind: KindOption = "hmac",
    venue_passphrase: VenuePassphraseOption = False,
    passphrase_file: PassphraseOption = None,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an account another API key, while it trades or while no desk runs. One that is no good changes nothing.

    The key must be of the same account at the venue, and fit to trade with. Take the old one away there afterwards.

    Example: tradedesk accounts rotate acme --api-key K2 --secret-stdin < secret
    """
    from tradedesk.access.keyseat import NEXT, KeySeat
    from tradedesk.access.vault import VaultError
    from tradedesk.domain.accounts import SignsIn

    home = home_of(config)
    settings = settings_of(home)
    account = account_in(settings, home, name)
    try:
        vault = vault_of(home, passphrase_file)
        seat = KeySeat(vault, account.secret, account.venue, in_process=account.signer is SignsIn.Process)
        secret = secret_of(api_key, kind, from_stdin=secret_stdin, has_passphrase=venue_passphrase)
        before = seat.fingerprint
        vault.put(account.secret + NEXT, account.venue, secret)
        try:
            seat.waiting()  # what is wrong with it here and now needs no venue
            if a_desk_runs(home):
                _told(home, account, operator, operator_passphrase_file)
            else:
                _tested(home, settings, account, vault, seat)
        except BaseException:
            with contextlib.suppress(VaultError):
                seat.discard()
            raise
        after = vault.fingerprint(account.secret, account.venue)
    except (VaultError, ValueError) as error:
        end(f"accounts.{name}: {error}")
    if as_json:
        show({"schema": "key-rotated.v1", "account": name, "old_key": before, "new_key": after})
    else:
        typer.echo(f"{name} signs with key {after[:12]} from now on; take {before[:12]} away at the venue")


def _told(home: "Home", account: "Account", operator: str | None, passphrase_file: "Path | None") -> None:
    """Have the desk that runs change the key; ends the program with its reason if it does not."""
    from tradedesk.domain import events as ev
    from tradedesk.domain.commands import NotSubmitted, RotateKey
    from tradedesk.domain.words import OperatorId
    from tradedesk.views.feed import Numbered

    control = controlled(home, operator, passphrase_file)
    ended: list[ev.KeyRotated | ev.KeyKept] = []
    with watching(home, control) as watch:
        answer = control.submit(RotateKey(account=account.id, operator=OperatorId("")))
        if isinstance(answer, NotSubmitted):
            end(f"accounts.{account.id}: {answer.reason}")

        def is_over() -> bool:
            ended.extend(
                update.event
                for update in watch.updates
                if isinstance(update, Numbered)
                and isinstance(update.event, ev.KeyRotated | ev.KeyKept)
                and update.event.account == account.id
            )
            return bool(ended)

        if not watch.until(is_over, ROTATED_S):
            end(
                f"accounts.{account.id}: the desk did not say within {ROTATED_S:.0f} s what came of it; look at its log"
            )
    if isinstance(ended[0], ev.KeyKept):
        end(f"accounts.{account.id}: the old key stays in use: {ended[0].reason}", FAILED)


def _tested(home: "Home", settings: "Settings", account: "Account", vault: "Vault", seat: "KeySeat") -> None:
    """Show the new key to the venue from here, then let it take its place. Ends the program with the reason if it is no good."""
    from tradedesk.cli.accounts_check import only
    from tradedesk.clock import SystemClock
    from tradedesk.desk.build import CannotBuild, real_parts
    from tradedesk.domain.keys import KeyReport
    from tradedesk.venues.adapter import VenueFailed
    from tradedesk.venues.hygiene import judge, refusals

    clock = SystemClock()
    try:
        adapter = real_parts(only(settings, account), vault, clock, home).adapters[account.id](lambda approved: None)
    except CannotBuild as error:
        end(str(error))
    old: KeyReport | None = None

    async def asked() -> KeyReport:
        nonlocal old
        try:
            signer, report = await adapter.prove_key(seat.waiting())
            signer.close()
            with contextlib.suppress(VenueFailed):  # a key that is refused by now is a reason to change it
                old = await adapter.key_report()
            return report
        finally:
            await adapter.close()

    try:
        report = asyncio.run(asked())
    except VenueFailed as error:
        end(f"accounts.{account.id}: the old key stays in use: the venue does not take the new one: {error.cause}")
    if old is not None and None not in (old.uid, report.uid) and old.uid != report.uid:
        end(
            f"accounts.{account.id}: the old key stays in use: the new one belongs to venue account {report.uid}, "
            f"and this account is {old.uid}"
        )
    refusal = refusals(judge(report, account, twin=None, exit_seen=None, accepted=None, now=clock.now()))
    if refusal:
        end(f"accounts.{account.id}: the old key stays in use: the new one is not fit: {refusal}")
    seat.adopt()
