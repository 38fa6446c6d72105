"""What the setup and the doctor ask of a venue: its clock, its list, a key. Each answer becomes a finding; nothing trades."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal

from msgspec import Struct

from tradedesk.access.egress import EgressError, open_session, parse_egress
from tradedesk.access.secret import Secret
from tradedesk.access.signing import KeySigner
from tradedesk.clock import Clock
from tradedesk.domain.accounts import Account
from tradedesk.domain.findings import Finding, Level, fail, ok, warn
from tradedesk.domain.keys import KeyReport
from tradedesk.domain.positions import Balance
from tradedesk.domain.words import AccountId, VenueId
from tradedesk.redaction import SCRUBBER
from tradedesk.venues import spot
from tradedesk.venues.adapter import VenueFailed
from tradedesk.venues.ccxt_binance import GuardedBinance, addresses_of
from tradedesk.venues.hygiene import judge
from tradedesk.venues.questions import load_instruments, readable, told, venue_clock
from tradedesk.venues.spot_key import look_at_key
from tradedesk.venues.spot_quote import touch

TIMEOUT_MS = 5_000  # of one question: a person waits
FAR_OFF_MS = 500  # of our clock from a venue's: the desk corrects it there, and our own records are still off


class Unreached(Exception):
    """There is no way to the venue from here. Its text is a sentence."""


class KeySeen(Struct, frozen=True, kw_only=True):
    """What a signed question brought; without a report the key did not work."""

    findings: tuple[Finding, ...]
    report: KeyReport | None = None
    free: Decimal = Decimal(0)  # of the first instrument's quote currency
    held: Decimal = Decimal(0)  # what the largest holding of a base currency is worth, in quote units


@asynccontextmanager
async def reached(
    exit_: str, password: str | None, site: str | None, clock: Clock, secret: Secret | None = None
) -> AsyncIterator[GuardedBinance]:
    """The venue at `site` (None: the real one), by this exit and no other. Raises Unreached."""
    egress = parse_egress(exit_, password)
    if isinstance(egress, str):
        raise Unreached(egress)
    addresses = addresses_of(site)
    cause = ""
    try:
        session = open_session(egress, addresses.hosts)
    except EgressError as error:
        cause = str(error)
    if cause:
        raise Unreached(cause)
    try:
        exchange = GuardedBinance(addresses, session, clock, _signer(secret), TIMEOUT_MS)
        try:
            yield exchange
        finally:
            await exchange.close()
    finally:
        await session.close()


def _signer(secret: Secret | None) -> KeySigner | None:
    if secret is None:
        return None
    SCRUBBER.learn(*secret.texts)
    return KeySigner(secret)


async def clock_of(exchange: GuardedBinance, clock: Clock, venue: str, exit_: str) -> Finding:
    """Whether the venue answers, and how far its clock is from ours."""
    try:
        found = await readable(venue_clock(exchange, clock))
    except VenueFailed as error:
        return fail(
            "venue", f"{venue} does not answer by {exit_}: {error.cause}", "look at its address, and at this exit"
        )
    if found.offset_ms is None:
        return warn("clock", f"{venue} answers too slowly for its clock to be measured", "look at the way to it")
    exchange.set_clock_offset(found.offset_ms)
    return clock_finding(venue, found.offset_ms)


def clock_finding(venue: str, offset_ms: int) -> Finding:
    text = f"{venue} is {abs(offset_ms)} ms {'ahead of' if offset_ms >= 0 else 'behind'} this machine"
    if abs(offset_ms) < FAR_OFF_MS:
        return ok("clock", text)
    return warn("clock", text, "set this machine's clock (NTP); the desk corrects for it, its records are off")


async def instruments_of(exchange: GuardedBinance, venue: str, symbols: tuple[str, ...]) -> Finding:
    try:
        found = await readable(load_instruments(exchange, VenueId(venue), symbols))
    except VenueFailed as error:
        return fail("instruments", error.cause, "correct the names, and test again")
    closed = [instrument.symbol for instrument in found if not instrument.is_trading]
    if closed:
        return warn("instruments", f"{venue} does not trade {', '.join(closed)} now", "wait, or leave them out")
    return ok("instruments", f"{venue} lists {', '.join(symbols)}")


async def key_of(
    exchange: GuardedBinance,
    account: Account,
    fingerprint: str,
    *,
    symbols: tuple[str, ...],
    exit_seen: str | None,
    twin_of: Callable[[str], AccountId | None],
    clock: Clock,
) -> KeySeen:
    """Whether the exchange's key works, what it may do, and what the account holds of what `symbols` name.

    `twin_of` names the other account of the desk that a uid of the venue belongs to.
    """
    try:
        report = await readable(look_at_key(exchange, fingerprint))
        answer = await told(exchange, "privateGetAccount", {"omitZeroBalances": "true"})
        balances = {balance.asset: balance for balance in spot.read_balances(answer)}
    except VenueFailed as error:
        remedy = f"look at the key and its secret, and whether the key may be used from {exit_seen or account.egress}"
        return KeySeen(findings=(fail("key", f"{account.venue} does not take it: {error.cause}", remedy),))
    except spot.Unreadable as error:
        return KeySeen(findings=(fail("key", f"the answer could not be read: {error}", "look at the venue's address"),))
    works = ok("key", f"{account.venue} takes it, fingerprint {fingerprint}")
    twin = None if report.uid is None else twin_of(report.uid)
    findings = judge(report, account, twin=twin, exit_seen=exit_seen, accepted=None, now=clock.now())
    quote = balances.get(symbols[0].rpartition("/")[2]) if symbols else None
    return KeySeen(
        findings=(works, *(_before_it_is_added(finding) for finding in findings)),
        report=report,
        free=Decimal(0) if quote is None else quote.free,
        held=await _worth(exchange, account.venue, symbols, balances, clock),
    )


async def _worth(
    exchange: GuardedBinance, venue: VenueId, symbols: tuple[str, ...], balances: Mapping[str, Balance], clock: Clock
) -> Decimal:
    """What the largest holding is worth at the market: the desk counts what is held as a position from its start.

    As far as prices are told: only a proposal rests on it.
    """
    worth = Decimal(0)
    try:
        for instrument in await readable(load_instruments(exchange, venue, symbols)):
            balance = balances.get(instrument.base)
            if balance is not None and balance.total > 0:
                mark = (await readable(touch(exchange, instrument, clock))).mark
                worth = max(worth, balance.total * mark) if mark is not None else worth
    except VenueFailed:
        return worth
    return worth


def _before_it_is_added(finding: Finding) -> Finding:
    """An account that is not there yet cannot have its risk accepted: what the key may do too much must go."""
    if finding.what != "money" or finding.level is not Level.Fail:
        return finding
    return fail("money", finding.text, "take that right from it at the venue and test again, or use another key")
