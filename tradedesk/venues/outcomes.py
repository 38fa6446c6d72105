"""What counts as proof that a venue did not do it: codes, and for some their exact text. What is absent proves nothing.

Binance spot, errors.md of binance-spot-api-docs as of 2026-07-17.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from msgspec import Struct

from tradedesk.domain.text import clean


class Asked(Enum):
    """What was asked of the venue; each has its own proofs of refusal."""

    Place = auto()
    Amend = auto()
    Cancel = auto()
    Query = auto()


ANY = None  # whatever the text

_NEVER_READ: frozenset[tuple[int, str | None]] = frozenset(  # turned away before anything looked at the order
    (code, ANY)
    for code in (
        -1002, -2008, -2014, -2015,  # the key, its address, its rights
        -1022, -1021,  # signature; time stamp (looked at on receipt and before the engine: the refusal stands, F57)
        -1003, -1015,  # too much weight, too many orders
        -1100, -1101, -1102, -1103, -1104, -1105, -1106, -1108, -1111, -1112, -1114, -1115, -1116, -1117, -1118,
        -1119, -1120, -1121, -1128, -1130, -1131, -1151,  # malformed
    )
)  # fmt: skip

PROOF_OF_REFUSAL: Mapping[Asked, frozenset[tuple[int, str | None]]] = {
    Asked.Place: _NEVER_READ
    | {
        (-1013, ANY),  # a filter: it never reached the book
        (-2010, "Account has insufficient balance for requested action."),
        (-2010, "Order would immediately match and take."),
        (-2010, "Order would trigger immediately."),
        (-2010, "Market is closed."),
        (-2010, "The relationship of the prices for the orders is not correct."),
        (-2010, "Price * QTY is zero or less."),
        (-2010, "This action is disabled on this account."),
        (-2010, "Account may not place or cancel orders."),
        (-2010, "Rest API trading is not enabled."),
        (-2010, "This symbol is not permitted for this account."),
        (-2010, "This symbol is restricted for this account."),
        (-2010, "Unsupported order combination"),
        (-2010, "Market orders are not supported for this symbol."),
        (-2010, "Limit orders are not supported for this symbol."),
        (-2010, "Filter failure: MAX_NUM_ORDERS"),
        (-2010, "Filter failure: MAX_POSITION"),
        (-2010, "Filter failure: EXCHANGE_MAX_NUM_ORDERS"),
        # (-2010, "Duplicate order sent.") is not here: an earlier send arrived, so ask by client order id (F20)
    },
    Asked.Amend: _NEVER_READ
    | {
        (-1013, ANY),  # a filter
        (-2038, ANY),  # the amend itself: it would change nothing, not only shrink, or there is no such order any more
        (-2013, ANY),  # no such order
    },
    Asked.Cancel: _NEVER_READ | {(-2011, ANY)},  # no such order is open now, however it ended (F07)
    Asked.Query: _NEVER_READ | {(-2013, ANY)},
}
# Looked at, and not proofs: -1000 -1001 -1006 -1007 -1008 -1016 say that the venue does not know, or nothing of the order;
# -1010 wraps messages of all kinds; -1034 and -1035 end connections, not requests; -2021 and -2022 come with what became
# of each leg, which decides for itself; -2039 answers two ids of different orders, and we never send two; 403 comes from a
# firewall, 418 and 429 without -1003 or -1015 from whatever stands before the venue.

ARCHIVED = -2026  # cancelled or expired unfilled, over 90 days ago: a proof of how it ended

AUTH_CODES = frozenset((-1002, -1022, -2008, -2014, -2015))

_PROVING_STATUSES = frozenset((400, 401, 409, 418, 429))  # 5xx may have executed; 403 comes from a firewall before it


class Spoken(Struct, frozen=True, kw_only=True):
    """A refusal in the venue's words, cleaned."""

    status: int  # of HTTP
    code: int
    text: str

    @property
    def is_auth(self) -> bool:
        return self.code in AUTH_CODES


def spoken(status: int, body: Any) -> Spoken | None:
    """The venue's code and text in an error answer; None if it holds none."""
    if not isinstance(body, dict):
        return None
    code, text = body.get("code"), body.get("msg")
    if not isinstance(code, int) or isinstance(code, bool) or not isinstance(text, str):
        return None
    return Spoken(status=status, code=code, text=clean(text))


_OF_RULES = frozenset((-1013, -1111, -1121))  # a filter, too much precision, a symbol that is none
_OF_RULES_IN_WORDS = (
    "Filter failure: ",
    "Market is closed.",
    "Limit orders are not supported",
    "Market orders are not supported",
)


def is_about_rules(said: Spoken) -> bool:
    """Whether a refusal says that the instrument's rules are not what we took them for: its ticks, sizes, or its state."""
    return said.code in _OF_RULES or said.text.startswith(_OF_RULES_IN_WORDS)


def is_refusal(asked: Asked, said: Spoken) -> bool:
    """Whether `said` proves that what was asked was not done (5.2)."""
    proofs = PROOF_OF_REFUSAL[asked]
    return said.status in _PROVING_STATUSES and ((said.code, ANY) in proofs or (said.code, said.text) in proofs)
