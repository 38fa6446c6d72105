"""The command line's language, Bloomberg order: the thing, then the verb. Pure: a line in, what it asks for out.

    acme BTC/USDT buy 0.1 @63999.5 post      fills a ticket; the review stays
    @all cancel BTC                          opens the dialog with the counts
    halt acme reason...                      opens the dialog; y stays
    settle acme balance:BTC why...           fills the dialog; the typed account and F2 stay
    approve 7kq2x why...                     likewise
    ack why... · snooze 30m why...           the alert under the cursor
    go orders · worklist acme · theme mono · layout reset · filter acm · quit

The monitor's words are a list of their own, so that no order verb can be reached from it (5.12).
"""

import re
from collections.abc import Sequence

from msgspec import Struct

from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.scopes import Scope, carried
from tradedesk.domain.text import span_ns
from tradedesk.domain.words import AccountId, InstrumentId, OrderType, Side, TimeInForce
from tradedesk.ui.names import accounts_named, group_names, hint, instrument_named, scope_named, scope_words, word_of
from tradedesk.ui.ticket_model import Fields
from tradedesk.views.replica import Replica

PANES = ("market", "orders", "positions", "fleet", "alerts", "logs", "chart")  # in the order of the keys 1 to 7
READ_VERBS = ("go", "worklist", "theme", "layout", "filter", "zoom", "lock", "help", "quit")
TRADE_VERBS = (
    "arm",
    "disarm",
    "halt",
    "rearm",
    "settle",
    "approve",
    "golive",
    "acceptkey",
    "ack",
    "snooze",
    "undo",
)  # `undo`: cancel the last order or batch of mine
ORDER_VERBS = ("buy", "sell", "cancel", "flatten")
DESK = "desk"  # in the place of an account: all of them, by one halt of the desk itself


class FillTicket(Struct, frozen=True, kw_only=True):
    fields: Fields


class FlattenPosition(Struct, frozen=True, kw_only=True):
    account: AccountId
    instrument: InstrumentId


class CancelScope(Struct, frozen=True, kw_only=True):
    """Which orders a cancel is about: all of ours on the accounts, or those of one instrument or side."""

    accounts: tuple[AccountId, ...]
    instrument: str | None = None  # symbol: each account's own venue has its own id
    side: Side | None = None


class AskHalt(Struct, frozen=True, kw_only=True):
    account: AccountId | None  # None: the whole desk, or another scope
    scope: Scope | None = None
    level: HaltLevel = HaltLevel.CancelOpening
    reason: str = ""


class AskRearm(Struct, frozen=True, kw_only=True):
    account: AccountId | None
    scope: Scope | None = None
    reason: str = ""


class ShowWorklist(Struct, frozen=True, kw_only=True):
    account: AccountId | None  # None: the selected one


class AskSettle(Struct, frozen=True, kw_only=True):
    account: AccountId
    key: str | None  # of the item; None: the first that waits
    note: str = ""


class AskApprove(Struct, frozen=True, kw_only=True):
    id: str | None  # None: the one under the cursor, else the oldest of somebody else
    note: str = ""


class AskGoLive(Struct, frozen=True, kw_only=True):
    account: AccountId
    reason: str = ""


class AskAcceptKey(Struct, frozen=True, kw_only=True):
    account: AccountId
    reason: str = ""


class Acknowledge(Struct, frozen=True, kw_only=True):
    """The alert under the cursor."""

    note: str = ""


class Snooze(Struct, frozen=True, kw_only=True):
    """The alert under the cursor, for so long."""

    span_ns: int
    note: str = ""


class Go(Struct, frozen=True, kw_only=True):
    pane: str


class ShowTheme(Struct, frozen=True, kw_only=True):
    name: str


class FilterRows(Struct, frozen=True, kw_only=True):
    text: str


class Plain(Struct, frozen=True, kw_only=True):
    """A verb that needs nothing more."""

    verb: str


Asked = (
    FillTicket | FlattenPosition | CancelScope | AskHalt | AskRearm | AskSettle | AskApprove | AskGoLive | AskAcceptKey
    | Acknowledge | Snooze | ShowWorklist | Go | ShowTheme | FilterRows | Plain
)  # fmt: skip


class Mistake(Struct, frozen=True, kw_only=True):
    """Where the line is wrong, and what to type instead."""

    start: int  # columns of the word
    end: int
    text: str


class Word(Struct, frozen=True, kw_only=True):
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Line(Struct, frozen=True, kw_only=True):
    text: str
    words: tuple[Word, ...]  # at least one

    @property
    def after(self) -> Word:
        """Where a missing word would stand."""
        return Word(text="", start=self.words[-1].end + 1)


def words(text: str) -> tuple[Word, ...]:
    return tuple(Word(text=match.group(), start=match.start()) for match in re.finditer(r"\S+", text))


def parse(text: str, replica: Replica, themes: Sequence[str], *, may_trade: bool) -> Asked | Mistake:
    """What the line asks for; the first mistake otherwise."""
    line = Line(text=text, words=words(text))
    if not line.words:
        return Mistake(start=0, end=0, text="type a command, like go orders")
    try:
        return _parsed(line, replica, themes, may_trade=may_trade)
    except _Wrong as wrong:
        return wrong.mistake


class _Wrong(Exception):
    def __init__(self, word: Word, text: str) -> None:
        super().__init__(text)
        self.mistake = Mistake(start=word.start, end=max(word.end, word.start + 1), text=text)


def _parsed(line: Line, replica: Replica, themes: Sequence[str], *, may_trade: bool) -> Asked:
    first = line.words[0]
    verb = first.text.casefold()
    if verb == "worklist":
        return _worklist(line, replica)
    if verb in READ_VERBS:
        return _read_verb(verb, line, themes)
    if not may_trade:
        raise _Wrong(first, f"no command {first.text!r}; {hint(verb, READ_VERBS)}")
    if verb in ("halt", "rearm"):
        return _halt_or_rearm(verb, line, replica)
    if verb == "settle":
        return _settle(line, replica)
    if verb == "approve":
        return _approve(line, replica)
    if verb in ("golive", "acceptkey"):
        if len(line.words) == 1:
            what = "go live with what?" if verb == "golive" else "accept whose key?"
            raise _Wrong(line.after, f"{what} an account, and why")
        account = _one_account(line.words[1], replica)
        reason = line.text[line.words[1].end :].strip()
        return (AskGoLive if verb == "golive" else AskAcceptKey)(account=account, reason=reason)
    if verb == "ack":
        return Acknowledge(note=line.text[first.end :].strip())
    if verb == "snooze":
        return _snooze(line)
    if verb in TRADE_VERBS:
        _nothing_more(line.words[1:], verb)
        return Plain(verb=verb)
    return _about_accounts(line, replica)


def _read_verb(verb: str, line: Line, themes: Sequence[str]) -> Asked:
    first, *rest = line.words
    if verb == "filter":
        return FilterRows(text=line.text[first.end :].strip())
    if verb in ("zoom", "lock", "help", "quit"):
        _nothing_more(rest, verb)
        return Plain(verb=verb)
    choices = {"go": PANES, "theme": themes, "layout": ("reset",)}[verb]
    if not rest:
        raise _Wrong(line.after, f"{verb} what? {', '.join(choices)}")
    chosen = [choice for choice in choices if choice.casefold() == rest[0].text.casefold()]
    if not chosen:
        what = {"go": "pane", "theme": "theme", "layout": "layout command"}[verb]
        raise _Wrong(rest[0], f"no {what} {rest[0].text!r}; {hint(rest[0].text, choices)}")
    _nothing_more(rest[1:], verb)
    if verb == "go":
        return Go(pane=chosen[0])
    return ShowTheme(name=chosen[0]) if verb == "theme" else Plain(verb="layout reset")


def _halt_or_rearm(verb: str, line: Line, replica: Replica) -> Asked:
    rest = line.words[1:]
    if not rest:
        raise _Wrong(line.after, f"{verb} what? an account, or {DESK} for all of them")
    try:
        account, scope = carried(scope_named(rest[0].text, replica))
    except ValueError as problem:
        raise _Wrong(rest[0], f"{problem} {DESK} is all of them") from problem
    if verb == "rearm":
        return AskRearm(account=account, scope=scope, reason=line.text[rest[0].end :].strip())
    levels = {level.value: level for level in HaltLevel}
    if len(rest) > 1 and rest[1].text.casefold() in levels:
        level = levels[rest[1].text.casefold()]
        return AskHalt(account=account, scope=scope, level=level, reason=line.text[rest[1].end :].strip())
    return AskHalt(account=account, scope=scope, reason=line.text[rest[0].end :].strip())


def _worklist(line: Line, replica: Replica) -> ShowWorklist:
    rest = line.words[1:]
    _nothing_more(rest[1:], "worklist and an account")
    return ShowWorklist(account=_one_account(rest[0], replica) if rest else None)


def _settle(line: Line, replica: Replica) -> AskSettle:
    rest = line.words[1:]
    if not rest:
        raise _Wrong(line.after, "settle what? an account, an item of its worklist, and why")
    account = _one_account(rest[0], replica)
    waiting = [item.key for item in replica.accounts[account].worklist if item.needs_decision]
    if not waiting:
        raise _Wrong(rest[0], f"nothing of {account} waits to be settled")
    if len(rest) == 1:
        return AskSettle(account=account, key=None)
    key = next((key for key in waiting if key.casefold() == rest[1].text.casefold()), None)
    if key is None:
        raise _Wrong(rest[1], f"{rest[1].text!r} does not wait on {account}; {hint(rest[1].text, waiting)}")
    return AskSettle(account=account, key=key, note=line.text[rest[1].end :].strip())


def _approve(line: Line, replica: Replica) -> AskApprove:
    rest = line.words[1:]
    if not replica.approvals:
        raise _Wrong(line.words[0], "nothing waits for approval")
    if not rest:
        return AskApprove(id=None)
    id = next((id for id in replica.approvals if id == rest[0].text.casefold()), None)
    if id is None:
        raise _Wrong(rest[0], f"{rest[0].text!r} does not wait for approval; {hint(rest[0].text, replica.approvals)}")
    return AskApprove(id=id, note=line.text[rest[0].end :].strip())


def _snooze(line: Line) -> Snooze:
    rest = line.words[1:]
    if not rest:
        raise _Wrong(line.after, "snooze for how long? 90s, 30m or 2h, and why")
    span = span_ns(rest[0].text)
    if span is None:
        raise _Wrong(rest[0], f"{rest[0].text!r} is no length of time; write 90s, 30m or 2h")
    return Snooze(span_ns=span, note=line.text[rest[0].end :].strip())


def _one_account(word: Word, replica: Replica) -> AccountId:
    try:
        account, *others = accounts_named(word.text, replica)
    except ValueError as problem:
        raise _Wrong(word, str(problem)) from problem
    if others:
        raise _Wrong(word, "one account at a time")
    return account


def _about_accounts(line: Line, replica: Replica) -> Asked:
    first, *rest = line.words
    try:
        accounts = accounts_named(first.text, replica)
    except ValueError as problem:
        known = (*READ_VERBS, *TRADE_VERBS)
        near = hint(first.text, known)
        or_verb = f"; as a command, {near}" if near.startswith("did you mean") else ""
        raise _Wrong(first, f"{problem}{or_verb}") from problem
    if not rest:
        raise _Wrong(line.after, f"{first.text} what? {', '.join(ORDER_VERBS)}")
    instrument, verb, others = None, rest[0], rest[1:]
    if verb.text.casefold() not in ORDER_VERBS:
        instrument = _symbol(verb, accounts, replica)
        if not others:
            raise _Wrong(line.after, f"{verb.text} what? {', '.join(ORDER_VERBS)}")
        verb, others = others[0], others[1:]
    match verb.text.casefold():
        case "cancel":
            return _cancel(accounts, instrument, others, replica)
        case "flatten":
            if instrument is None and not others:
                raise _Wrong(line.after, "flatten what? name an instrument, like BTC/USDT")
            if len(accounts) > 1:
                raise _Wrong(first, "one account at a time: each has a position of its own")
            return _flatten(accounts[0], instrument, others, replica)
        case "buy" | "sell" as side:
            if instrument is None and others and not _is_term(others[0]):
                instrument, others = _symbol(others[0], accounts, replica), others[1:]
            return _ticket(accounts, instrument, Side(side), others)
    raise _Wrong(verb, f"no verb {verb.text!r}; {hint(verb.text, ORDER_VERBS)}")


def _cancel(
    accounts: tuple[AccountId, ...], instrument: str | None, others: list[Word], replica: Replica
) -> CancelScope:
    side: Side | None = None
    for word in others:
        if word.text.casefold() in ("buy", "sell") and side is None:
            side = Side(word.text.casefold())
        elif instrument is None:
            instrument = _symbol(word, accounts, replica)
        else:
            raise _Wrong(word, f"{word.text!r} is one word too many; cancel takes an instrument and a side")
    return CancelScope(accounts=accounts, instrument=instrument, side=side)


def _flatten(account: AccountId, instrument: str | None, others: list[Word], replica: Replica) -> FlattenPosition:
    if instrument is None:
        instrument, others = _symbol(others[0], (account,), replica), others[1:]
    _nothing_more(others, "flatten")
    return FlattenPosition(
        account=account, instrument=instrument_named(instrument, replica, replica.accounts[account].account.venue).id
    )


def _ticket(accounts: tuple[AccountId, ...], instrument: str | None, side: Side, others: list[Word]) -> FillTicket:
    """The rest of an order line. Figures are taken as typed: the ticket marks what is wrong with them."""
    qty = price = ""
    order_type, tif, post, reduce = OrderType.Limit, TimeInForce.GoodTillCancel, False, False
    for word in others:
        text = word.text.casefold()
        if text.startswith("@"):
            price = word.text[1:]
            if not price:
                raise _Wrong(word, "a price follows the @ without a space, like @63999.5")
        elif text in ("gtc", "ioc", "fok"):
            tif = TimeInForce(text)
        elif text in ("market", "mkt"):
            order_type = OrderType.Market
        elif text == "post":
            post = True
        elif text == "reduce":
            reduce = True
        elif not qty and _is_term(word):
            qty = word.text
        elif _is_term(word):
            raise _Wrong(word, f"a second quantity; write a price as @{word.text}")
        else:
            raise _Wrong(word, f"{word.text!r} is no term of an order; {hint(text, TERMS)}")
    if price and order_type is OrderType.Market:
        raise _Wrong(others[-1], "a market order has no price; leave one of them out")
    return FillTicket(
        fields=Fields(
            accounts=",".join(accounts),
            instrument=instrument or "",
            side=side,
            order_type=order_type,
            qty=qty,
            price=price,
            time_in_force=tif,
            post_only=post,
            reduce_only=reduce,
        )
    )


TERMS = ("market", "gtc", "ioc", "fok", "post", "reduce")


def _is_term(word: Word) -> bool:
    """Whether the word is a figure or another term of an order, and not the name of an instrument."""
    return word.text[0] in "0123456789.-+@" or word.text.casefold() in (*TERMS, "mkt")


def _symbol(word: Word, accounts: tuple[AccountId, ...], replica: Replica) -> str:
    """The symbol that `word` means at each account's venue. `BTC` alone is one that is traded, if there is one."""
    try:
        symbols = {
            instrument_named(word.text, replica, replica.accounts[account].account.venue).symbol for account in accounts
        }
    except ValueError as problem:
        near = hint(word.text, ORDER_VERBS)
        or_verb = f"; as a verb, {near}" if near.startswith("did you mean") else ""
        raise _Wrong(word, f"{problem}{or_verb}") from problem
    if len(symbols) > 1:
        raise _Wrong(word, f"{word.text!r} is {' and '.join(sorted(symbols))}; write it in full")
    return symbols.pop()


def _nothing_more(rest: Sequence[Word], verb: str) -> None:
    if rest:
        raise _Wrong(rest[0], f"{rest[0].text!r} is one word too many after {verb}")


def candidates(line: str, cursor: int, replica: Replica, themes: Sequence[str], *, may_trade: bool) -> list[str]:
    """What could stand at the cursor, given the words before it; the word under it is not looked at."""
    texts = [word.text.casefold() for word in words(line[: current_start(line, cursor)])]
    accounts = [*group_names(replica), *replica.accounts] if may_trade else []
    if not texts:
        return [*READ_VERBS, *(TRADE_VERBS if may_trade else ()), *accounts]
    fixed: dict[str, list[str]] = {
        "go": list(PANES),
        "theme": list(themes),
        "layout": ["reset"],
        "worklist": [*replica.accounts],
    }
    if texts[0] in fixed:
        return fixed[texts[0]] if len(texts) == 1 else []
    if not may_trade or texts[0] in READ_VERBS:
        return []
    if texts[0] in ("halt", "rearm"):
        if len(texts) == 1:
            halted = [word_of(halt.of) for halt in replica.all_halts]
            return halted if texts[0] == "rearm" and halted else [DESK, *replica.accounts, *scope_words(replica)]
        return [level.value for level in HaltLevel] if texts[0] == "halt" and len(texts) == 2 else []
    if texts[0] == "settle":
        waiting = {
            name: [item.key for item in row.worklist if item.needs_decision] for name, row in replica.accounts.items()
        }
        if len(texts) == 1:
            return [name for name, keys in waiting.items() if keys]
        named = [keys for name, keys in waiting.items() if name.casefold() == texts[1]]
        return named[0] if named and len(texts) == 2 else []
    if texts[0] in ("approve", "golive", "acceptkey") and len(texts) == 1:
        return [*replica.approvals] if texts[0] == "approve" else [*replica.accounts]
    if texts[0] in TRADE_VERBS:
        return []
    symbols = sorted({instrument.symbol for instrument in replica.instruments.values()})
    if len(texts) == 1:
        return [*ORDER_VERBS, *symbols]
    verb = next((text for text in texts[1:3] if text in ORDER_VERBS), None)
    if verb is None:
        return list(ORDER_VERBS)
    has_instrument = texts[1] not in ORDER_VERBS or len(texts) > 2
    if verb in ("cancel", "flatten"):
        return [] if has_instrument else [*symbols, *(("buy", "sell") if verb == "cancel" else ())]
    return list(TERMS) if has_instrument else symbols


def current_start(line: str, cursor: int) -> int:
    """Where the word under the cursor begins."""
    head = line[:cursor]
    return len(head) - len(head.split(" ")[-1])
