"""Faults that act once: each at its time, on the market it names; restarts, and the end of sockets."""

import asyncio
import logging
from collections.abc import Mapping, Set
from datetime import datetime
from functools import partial
from typing import Any

from tradedesk.paper.fault_rules import SECOND, Rule
from tradedesk.paper.rows import Refusal
from tradedesk.paper.server.front import Commons, Front
from tradedesk.paper.server.keys import change_key
from tradedesk.paper.server.manners import GOING_AWAY
from tradedesk.paper.server.outbox import Outbox
from tradedesk.paper.server.port import Port
from tradedesk.paper.server.render import MILLISECOND, Json

log = logging.getLogger("tradedesk.paper")

_OPEN_TRIES, _OPEN_EVERY_S = 50, 0.1
_SOCKETS_WITHIN_S = 2.0  # from the breaking of connections to the new start: their handlers must be through
_OF_SOCKETS = ("restart", "shutdown", "disconnect")


class Acts:
    """What acts once. Belongs to the server's loop."""

    def __init__(
        self,
        commons: Commons,
        fronts: Mapping[str, Front],
        ports: Mapping[str, Port],
        sockets: Mapping[str, Set[Outbox]],
    ) -> None:
        self._commons = commons
        self._fronts = fronts
        self._ports = ports
        self._sockets = sockets
        self._old: dict[int, dict[str, object]] = {}  # restart -> each market as it was at the posting
        self._tasks: set[asyncio.Task[None]] = set()

    def posted(self, rules: list[Rule], now: int) -> None:
        """New rules: what is due acts at once, what is later is prepared for."""
        for rule in rules:
            if rule.fault.family != "once":
                continue
            if rule.fault.kind == "restart" and rule.fault.terms["state"] == "old":
                self._attempt(rule, self._keep)
            if rule.begins > now:
                self._commons.faults.later.after((rule.begins - now) / SECOND, self.run_due)
        self.run_due()

    def _keep(self, rule: Rule) -> object:
        self._old[rule.id] = {market: self._fronts[market].saved() for market in self._markets(rule)}
        return None

    def run_due(self) -> None:
        now = self._commons.now()
        for rule in self._commons.faults.rules.due(now):
            rule.matched += 1
            rule.struck += 1
            if rule.failed is None:
                self._attempt(rule, self._act)

    def _attempt(self, rule: Rule, act: Any) -> None:
        """What goes wrong is told where the fault is looked up, and to whoever posted it."""
        try:
            rule.result = act(rule)
        except Refusal as refusal:
            rule.failed = f"{refusal.message} ({refusal.code})"
        except ValueError as error:
            rule.failed = str(error)

    def _markets(self, rule: Rule) -> list[str]:
        """The markets it is about: for restarts and sockets all of them unless it names one, else spot unless it does."""
        named = rule.fault.filters.market
        if named is not None and named not in self._fronts:
            raise ValueError(f"market: {named} is not served here")
        if named is not None:
            return [named]
        if rule.fault.kind in ("funding", "mark"):
            if "futures" not in self._fronts:
                raise ValueError("market: futures is not served here")
            return ["futures"]
        return list(self._fronts) if rule.fault.kind in _OF_SOCKETS else ["spot"]

    def _act(self, rule: Rule) -> object:
        fault, markets = rule.fault, self._markets(rule)
        seconds = fault.terms.get("seconds", 1.0)
        away = [market for market in markets if self._fronts[market].is_down]
        if away:
            raise ValueError(f"market: {away[0]} is away; wait until it is back")
        match fault.kind:
            case "restart":
                if fault.terms["state"] == "old" and rule.id not in self._old:
                    raise ValueError("restart: the state was not kept at the posting")
                task = asyncio.create_task(self._restart(rule, markets, seconds))
                self._tasks.add(task)
                task.add_done_callback(self._restarted)
                return {"markets": markets, "back_in_s": seconds}
            case "shutdown":
                struck = self._struck(rule, markets)
                for outbox in struck:
                    outbox.announce(self._commons.now())
                    self._commons.faults.later.after(seconds, partial(outbox.end, GOING_AWAY, "the server leaves"))
                return {"sockets": len(struck)}
            case "disconnect":
                struck = self._struck(rule, markets)
                for outbox in struck:
                    outbox.end(GOING_AWAY, "disconnected")
                return {"sockets": len(struck)}
            case "expire":
                account = fault.terms["account"]
                if not self._fronts[markets[0]].users.expire_now(account, self._commons.now()):
                    raise ValueError(f"account: {account} has no listen key")
                return {"account": account}
            case "key":
                return self._change_key(fault.terms)
            case "ban":
                return self._ban(markets[0], fault.terms["address"], fault.terms.get("seconds"))
        front = self._fronts[markets[0]]
        now = front.settle()
        try:
            return front.act(fault, now)
        finally:
            front.distribute(now)

    def _struck(self, rule: Rule, markets: list[str]) -> list[Outbox]:
        return [each for market in markets for each in self._sockets[market] if rule.fits(each.facts())]

    def _change_key(self, terms: Mapping[str, Any]) -> Json:
        account, settings = terms["account"], terms["set"]
        keys = [key for key in self._commons.keys.values() if key.name == account]
        keys = [key for key in keys if terms.get("api_key", key.api_key) == key.api_key]
        if not keys:
            raise ValueError(f"account: {account} has no such key")
        unknown = sorted(set(settings) - {"revoked", "rights", "addresses", "trades_until"})
        if unknown:
            raise ValueError(f"set: {unknown[0][:40]} is not known; use revoked, rights, addresses, trades_until")
        until = settings.get("trades_until")
        try:
            for key in keys:
                change_key(
                    self._commons,
                    key.api_key,
                    revoked=settings.get("revoked"),
                    rights=settings.get("rights"),
                    addresses=settings.get("addresses"),
                    trades_until=None if until is None else round(datetime.fromisoformat(until).timestamp() * SECOND),
                )
        except TypeError:
            raise ValueError("set: revoked is true or false, rights and addresses are lists of texts") from None
        return {"account": account, "keys": len(keys)}

    def _ban(self, market: str, address: str, seconds: float | None) -> Json:
        bans = self._fronts[market].limits.bans
        if seconds == 0:
            if not bans.lift(address):
                raise ValueError(f"address: {address} has no ban")
            return {"address": address}
        ban = bans.impose(address, self._commons.now(), None if seconds is None else round(seconds * SECOND))
        return {"address": address, "until": ban.until // MILLISECOND}

    async def _restart(self, rule: Rule, markets: list[str], seconds: float) -> None:
        """Away, and back: whoever is connected loses the connection, whatever waits inside is gone."""
        commons, terms = self._commons, rule.fault.terms
        back_at = asyncio.get_running_loop().time() + seconds
        try:
            saved = {market: self._state(rule, market) for market in markets}
            for market in markets:
                commons.down.add(market)
                commons.epochs[market] = commons.epochs.get(market, 0) + 1
                for outbox in list(self._sockets[market]):
                    outbox.drop()
                if terms.get("meanwhile", "closed") == "closed":
                    self._ports[market].shut()
            await self._until_sockets_are_gone(markets)
            await asyncio.sleep(max(0.0, back_at - asyncio.get_running_loop().time()))
            for market in markets:
                self._fronts[market].revive(saved[market], commons.now())
        except ValueError as error:
            rule.failed = str(error)
        finally:
            self._old.pop(rule.id, None)
            for market in markets:
                commons.down.discard(market)
                if terms.get("meanwhile", "closed") == "closed":
                    await self._open(market, rule)

    async def _open(self, market: str, rule: Rule) -> None:
        """Take the port again; somebody else may have it for a moment."""
        why: str | None = None
        for _ in range(_OPEN_TRIES):
            try:
                await self._ports[market].open()
            except OSError as error:
                why = error.strerror
                await asyncio.sleep(_OPEN_EVERY_S)
            else:
                return
        rule.failed = f"port {self._ports[market].number} could not be taken again: {why}"

    def _restarted(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("bug in a restart", exc_info=task.exception())

    def _state(self, rule: Rule, market: str) -> object | None:
        """What the market begins again with; None: with nothing."""
        match rule.fault.terms["state"]:
            case "kept":
                return self._fronts[market].saved()
            case "old":
                return self._old[rule.id][market]
            case _:
                return None

    async def _until_sockets_are_gone(self, markets: list[str]) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _SOCKETS_WITHIN_S
        while any(self._sockets[market] for market in markets) and loop.time() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    async def end(self) -> None:
        """Give up what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
