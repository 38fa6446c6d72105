"""An order in words, asked of its account's Gate without being made, and the answers as a table."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import typer
from msgspec import Struct

from tradedesk.cli.endings import end
from tradedesk.cli.reach import DEADLINE_NS, new_id

if TYPE_CHECKING:
    from tradedesk.cli.reach import Watch
    from tradedesk.desk.client import RemoteControl
    from tradedesk.domain.commands import PlaceOrder, Verdict
    from tradedesk.domain.words import AccountId, InstrumentId, Side

ANSWER_S = 10.0
FORM = 'write it as "buy 3 BTC/USDT @ 60000", or without a price for an order at the market'


class Wanted(Struct, frozen=True, kw_only=True):
    """What the words say."""

    side: "Side"
    order_qty: Decimal  # base units, > 0
    instrument: str
    price: Decimal | None  # None: at the market

    def command(self, account: "AccountId", instrument: "InstrumentId", now: int) -> "PlaceOrder":
        from tradedesk.domain.commands import PlaceOrder
        from tradedesk.domain.words import OperatorId, OrderType

        return PlaceOrder(
            account=account,
            client_order_id=new_id(now),
            instrument=instrument,
            side=self.side,
            order_type=OrderType.Market if self.price is None else OrderType.Limit,
            order_qty=self.order_qty,
            price=self.price,
            operator=OperatorId(""),  # the desk puts in the name it knows us by
            deadline=now + DEADLINE_NS,
        )


def command_in(words: str) -> Wanted | str:
    """The order that the words mean, or what is wrong with them."""
    from tradedesk.domain.money import parse_decimal
    from tradedesk.domain.words import Side

    parts = words.replace("@", " @ ").split()
    if len(parts) not in (3, 5) or parts[0].lower() not in ("buy", "sell") or (len(parts) == 5 and parts[3] != "@"):
        return f"{words[:80]!r} is no order; {FORM}"
    try:
        qty = parse_decimal(parts[1], "quantity")
        price = parse_decimal(parts[4], "price") if len(parts) == 5 else None
    except ValueError as error:
        return f"{error}; {FORM}"
    if qty <= 0 or (price is not None and price <= 0):
        return f"quantity and price must be above 0; {FORM}"
    return Wanted(side=Side(parts[0].lower()), order_qty=qty, instrument=parts[2], price=price)


def asked_of(watch: "Watch", control: "RemoteControl", command: "PlaceOrder") -> "Verdict":
    """The answer of the account's own worker; ends the program with a sentence where none comes."""
    from tradedesk.domain.words import RequestId

    request_id = RequestId(f"check-{command.client_order_id}")
    control.preview(command, request_id)
    if not watch.until(lambda: request_id in watch.view.previews, ANSWER_S):
        end(f"account {command.account} gave no answer within {ANSWER_S:.0f} s; see `tradedesk status`")
    verdict = watch.view.previews[request_id].verdict
    if not verdict.answers:  # it never reached a Gate
        end("; ".join(verdict.denials))
    return verdict


def document_of(command: "PlaceOrder", verdict: "Verdict") -> dict[str, Any]:
    """`limits-check.v1`."""
    from tradedesk.domain.money import plain

    refusing = [answer for answer in verdict.answers if not answer.passes]
    return {
        "schema": "limits-check.v1",
        "account": verdict.account,
        "instrument": verdict.instrument,
        "side": command.side.value,
        "order_qty": plain(verdict.order_qty),
        "remainder": plain(verdict.remainder),
        "price": None if verdict.price is None else plain(verdict.price),
        "notional": None if verdict.notional is None else plain(verdict.notional),
        "passes": not refusing,
        "needs_reason": bool(refusing) and all(answer.is_soft for answer in refusing),
        "answers": [
            {
                "rule": answer.rule,
                "passes": answer.passes,
                "value": answer.value,
                "limit": answer.limit,
                "source": answer.source,
                "text": answer.text,
                "is_soft": answer.is_soft,
            }
            for answer in verdict.answers
        ],
    }


def print_answers(document: dict[str, Any]) -> None:
    """What says no first, with its words; then what was asked besides, in the Gate's order."""
    answers = document["answers"]
    against = [answer for answer in answers if not answer["passes"]]
    at = "at market" if document["price"] is None else f"@ {document['price']}"
    order = f"{document['side']} {document['order_qty']} {document['instrument']} {at}"
    said = "would pass" if not against else f"would be denied by {len(against)} of {len(answers)} rules"
    if document["needs_reason"]:
        said += ", unless you say why it is meant (--confirm)"
    typer.echo(f"{document['account']}: {order} {said}; nothing was sent")
    if Decimal(document["remainder"]):
        typer.echo(f"rounded down to the lot; {document['remainder']} is left over")
    typer.echo(f"\n{'':<5}{'rule':<24}{'value':>18}{'limit':>18}  whose limit")
    for answer in (*against, *(answer for answer in answers if answer["passes"])):
        sign = "ok" if answer["passes"] else "ask" if answer["is_soft"] else "NO"
        row = (
            f"{sign:<5}{answer['rule']:<24}{answer['value'] or '-':>18}{answer['limit'] or '-':>18}  {answer['source']}"
        )
        typer.echo(row.rstrip())
        if answer["text"]:
            typer.echo(f"{'':<5}{answer['text']}")
