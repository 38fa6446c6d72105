"""The public feed of a venue for the commands that record or follow it: which one, and by which address it leaves."""

import random
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tradedesk.clock import Clock
    from tradedesk.venues.feed import PublicFeed

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class FeedError(Exception):
    """There can be no such feed; one plain sentence."""


def feed_of(
    exchange: str, url: str | None, symbols: tuple[str, ...], egress: str | None, clock: "Clock", chance: random.Random
) -> "PublicFeed":
    """The feed of ccxt's `exchange`; of the site at `url` instead of the real one, where there is one of its kind.

    Raises FeedError. It is not opened.
    """
    from tradedesk.access.egress import Egress, parse_egress
    from tradedesk.domain.words import VenueId

    exit_ = parse_egress(egress or _source_for(url))
    if not isinstance(exit_, Egress):
        raise FeedError(f"--egress: {exit_}")
    if exit_.proxy is not None and exit_.proxy.user:
        raise FeedError("--egress: only a desk has a vault for a proxy's password; use a proxy that asks for none")
    if exchange == "binance":
        from tradedesk.venues.ccxt_binance import addresses_of
        from tradedesk.venues.spot_feed import SpotFeed

        try:
            addresses = addresses_of(url)
            return SpotFeed(
                venue=VenueId(exchange),
                exit_=exit_,
                addresses=addresses,
                symbols=symbols,
                clock=clock,
                chance=chance,
            )
        except ValueError as error:
            raise FeedError(f"--url: {error}") from None
    from tradedesk.venues.unified_feed import UnifiedFeed, streamable

    if url is not None and exchange == "binanceusdm":
        return UnifiedFeed(
            exchange=exchange, exit_=exit_, symbols=symbols, clock=clock, chance=chance, urls=partial(_futures_at, url)
        )
    if url is not None:
        raise FeedError(
            "--url: goes with --exchange binance or binanceusdm only, whose protocols a paper exchange speaks; leave it out"
        )
    if not streamable(exchange):
        raise FeedError(
            f"--exchange: {exchange[:40]!r} is no venue whose books and trades ccxt can stream; use one that is"
        )
    return UnifiedFeed(exchange=exchange, exit_=exit_, symbols=symbols, clock=clock, chance=chance)


def _futures_at(url: str, urls: Any) -> Any:
    """ccxt's table of addresses with those of USD-M futures at `url`, the others nowhere: one that is missed is a real host."""
    if isinstance(urls, dict):
        return {name: _futures_at(url, each) for name, each in urls.items()}
    scheme, _, rest = str(urls).partition("://")
    host, _, path = rest.partition("/")
    if not host.startswith(("fapi.", "fstream.", "ws-fapi.")):
        return "http://not-in-use.invalid"
    site = url.rstrip("/")
    return f"{'ws' + site.removeprefix('http') if scheme == 'wss' else site}/{path}"


def _source_for(url: str | None) -> str:
    """The address of this machine that reaches `url`. Raises FeedError if only loopback is there and that will not do."""
    from tradedesk.access.egress import known_sources

    if url is not None and urlsplit(url).hostname in _LOOPBACK:
        return "127.0.0.1"
    found = [address for address in known_sources() if not address.startswith("127.")]
    if not found:
        raise FeedError("--egress: this machine has no address but its own loopback, so no venue can be reached")
    return found[0]


def checked_symbols(instruments: list[str]) -> tuple[str, ...]:
    """The symbols, each once. Raises FeedError for what can be none."""
    if not instruments:
        raise FeedError("--instrument: is missing; name at least one, like BTC/USDT")
    for symbol in instruments:
        base, slash, quote = symbol.partition("/")
        if not (base and slash and quote) or len(symbol) > 40 or not symbol.isprintable():
            raise FeedError(f"--instrument: {symbol[:40]!r} is not like BTC/USDT")
    return tuple(dict.fromkeys(instruments))
