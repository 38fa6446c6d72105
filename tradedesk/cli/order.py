"""`tradedesk order place|amend|cancel`: orders from scripts, through the running desk and its Gate."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, REFUSED, USAGE, end
from tradedesk.cli.reach import (
    DEADLINE_NS,
    ConfigOption,
    JsonOption,
    OperatorOption,
    Watch,
    account_of,
    controlled,
    home_of,
    instrument_of,
    new_id,
    show,
    watching,
)

if TYPE_CHECKING:
    from tradedesk.domain.commands import Command
    from tradedesk.domain.orders import Order
    from tradedesk.domain.words import ClientOrderId

order_app = typer.Typer(no_args_is_help=True, help="Place, amend and cancel orders on the running desk.")
ANSWER_S = 15.0  # the venue's own engine may take ten


@order_app.command()
def place(
    *,
    account: Annotated[list[str], typer.Option(help="Client account; repeat it for several.")],
    instrument: Annotated[str, typer.Option(help="What to trade, e.g. BTC/USDT.")],
    side: Annotated[str, typer.Option(help="buy or sell")],
    qty: Annotated[str, typer.Option(help="Quantity of each order, in base units.")],
    kind: Annotated[str, typer.Option("--type", help="limit or market")] = "limit",
    price: Annotated[str | None, typer.Option(help="Price of a limit order, in quote units.")] = None,
    tif: Annotated[str, typer.Option(help="gtc, ioc or fok")] = "gtc",
    post_only: Annotated[bool, typer.Option("--post-only", help="Refused if it would trade at once.")] = False,
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Only to shrink a position.")] = False,
    operator: OperatorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place one order on each account named, and print what became of it.

    Example: tradedesk order place --account acme --instrument BTC/USDT --side buy --qty 0.1 --price 61500 --json
    """
    from tradedesk.domain.commands import PlaceOrder
    from tradedesk.domain.words import OperatorId, OrderType, Side, TimeInForce

    order_qty = _number("--qty", qty)
    limit = _number("--price", price) if price is not None else None
    order_type = OrderType(_one_of("--type", kind, ("limit", "market")))
    if (order_type is OrderType.Limit) != (limit is not None):
        end("--price: a limit order needs one, a market order must not have one", USAGE)
    wanted_side = Side(_one_of("--side", side, ("buy", "sell")))
    wanted_tif = TimeInForce(_one_of("--tif", tif, ("gtc", "ioc", "fok")))
    home = home_of(config)
    control = controlled(home, operator)
    with watching(home) as watch:
        now = watch.clock.now()
        block = new_id(now) if len(account) > 1 else None
        commands: list[Command] = []
        for name in dict.fromkeys(account):
            account_id = account_of(watch.replica, name)
            commands.append(
                PlaceOrder(
                    account=account_id,
                    client_order_id=new_id(watch.clock.now()),
                    instrument=instrument_of(watch.replica, account_id, instrument).id,
                    side=wanted_side,
                    order_type=order_type,
                    time_in_force=wanted_tif,
                    order_qty=order_qty,
                    price=limit,
                    post_only=post_only,
                    reduce_only=reduce_only,
                    block=block,
                    operator=OperatorId(""),  # the desk puts in the name it knows us by
                    deadline=watch.clock.now() + DEADLINE_NS,
                )
            )
        _submit_and_show(watch, control, commands, [getattr(c, "client_order_id") for c in commands], as_json)  # noqa: B009


@order_app.command()
def amend(
    client_order_id: Annotated[str, typer.Argument(help="The order to change.")],
    *,
    qty: Annotated[str | None, typer.Option(help="New total quantity, what is filled included.")] = None,
    price: Annotated[str | None, typer.Option(help="New price.")] = None,
    operator: OperatorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change quantity or price of an open order. Where the venue cannot amend, it is cancelled and replaced by a new one.

    Example: tradedesk order amend td-lx1-2 --price 60100 --json
    """
    from tradedesk.domain.commands import AmendOrder
    from tradedesk.domain.words import OperatorId

    if qty is None and price is None:
        end("order amend: give --qty, --price or both", USAGE)
    new_qty = _number("--qty", qty) if qty is not None else None
    new_price = _number("--price", price) if price is not None else None
    home = home_of(config)
    control = controlled(home, operator)
    with watching(home) as watch:
        order = _order_of(watch, client_order_id)
        if order.is_dead:
            end(_dead(order), USAGE)
        if order.price is None:
            end(f"{client_order_id} is a market order; only limit orders can be amended", USAGE)
        replacement = new_id(watch.clock.now())
        command = AmendOrder(
            account=order.account,
            client_order_id=order.client_order_id,
            new_client_order_id=replacement,
            order_qty=new_qty if new_qty is not None else order.order_qty,
            price=new_price if new_price is not None else order.price,
            operator=OperatorId(""),
            deadline=watch.clock.now() + DEADLINE_NS,
        )
        _submit_and_show(watch, control, [command], [replacement, order.client_order_id], as_json)


def _dead(order: "Order") -> str:
    """Why this order cannot be amended."""
    if order.replaced_by is not None:
        return (
            f"{order.client_order_id} is {order.ord_status}, replaced by {order.replaced_by}; amend {order.replaced_by}"
        )
    return f"{order.client_order_id} is {order.ord_status}; nothing of it can be amended"


@order_app.command()
def cancel(
    client_order_id: Annotated[list[str] | None, typer.Argument(help="The orders to cancel.")] = None,
    *,
    account: Annotated[str | None, typer.Option(help="Cancel every order of ours on this account instead.")] = None,
    instrument: Annotated[str | None, typer.Option(help="With --account: only this instrument.")] = None,
    side: Annotated[str | None, typer.Option(help="With --account: only buy or sell.")] = None,
    operator: OperatorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel orders by id, or all of an account. Orders of other software are never touched.

    Example: tradedesk order cancel td-lx1-2 --json
    """
    from tradedesk.domain.commands import CancelAll, CancelOrder
    from tradedesk.domain.words import OperatorId, Side

    if bool(client_order_id) == (account is not None):
        end("order cancel: name the orders, or --account for all of one account", USAGE)
    home = home_of(config)
    control = controlled(home, operator)
    with watching(home) as watch:
        commands: list[Command] = []
        if account is not None:
            account_id = account_of(watch.replica, account)
            wanted = instrument_of(watch.replica, account_id, instrument).id if instrument is not None else None
            wanted_side = Side(_one_of("--side", side, ("buy", "sell"))) if side is not None else None
            commands.append(CancelAll(account=account_id, instrument=wanted, side=wanted_side, operator=OperatorId("")))
            ids = [
                order.client_order_id
                for order in watch.replica.orders.values()
                if order.account == account_id
                and not order.is_dead
                and not order.is_external
                and wanted in (None, order.instrument)
                and wanted_side in (None, order.side)
            ]
        else:
            orders = [_order_of(watch, name) for name in client_order_id or ()]
            ids = [order.client_order_id for order in orders]
            commands.extend(
                CancelOrder(account=order.account, client_order_id=order.client_order_id, operator=OperatorId(""))
                for order in orders
                if not order.is_dead
            )
        _submit_and_show(watch, control, commands, ids, as_json, until_dead=True)


def _submit_and_show(
    watch: Watch,
    control: object,
    commands: "list[Command]",
    ids: "list[ClientOrderId]",
    as_json: bool,
    *,
    until_dead: bool = False,
) -> None:
    """Submit, wait until the desk and the venue have spoken, print the orders. Ends with 3 if the Gate refused one."""
    from tradedesk.desk.client import RemoteControl
    from tradedesk.domain.commands import NotSubmitted
    from tradedesk.domain.events import SubmissionRefused
    from tradedesk.domain.orders import OrdStatus
    from tradedesk.views.documents import orders_document
    from tradedesk.views.feed import Numbered

    assert isinstance(control, RemoteControl)
    refusals = [reply.reason for command in commands if isinstance(reply := control.submit(command), NotSubmitted)]
    if refusals and len(refusals) == len(commands):
        end("; ".join(dict.fromkeys(refusals)))
    turned_down: dict[str, str] = {}  # by the desk after it took the command: order -> why

    def has_spoken() -> bool:
        for update in watch.updates:
            if (
                isinstance(update, Numbered)
                and isinstance(update.event, SubmissionRefused)
                and update.event.what in ids
            ):
                turned_down[update.event.what] = update.event.reason
        orders = {key: watch.replica.orders.get(key) for key in ids}
        return all(key in turned_down or _is_settled(order, until_dead) for key, order in orders.items())

    spoken = watch.until(has_spoken, ANSWER_S)
    refusals.extend(
        reason for key, reason in turned_down.items() if watch.replica.orders.get(ClientOrderId(key)) is None
    )
    document = orders_document(watch.replica)
    document["orders"] = [row for key in ids for row in document["orders"] if row["client_order_id"] == key]
    if as_json:
        show(document)
    else:
        from tradedesk.cli.tables import print_table

        print_table(document, "orders")
    for refusal in refusals:
        typer.echo(refusal, err=True)
    found = [watch.replica.orders.get(key) for key in ids]
    is_open = not spoken or any(order is not None and order.is_uncertain for order in found)
    if is_open:
        typer.echo("not every order has its answer yet; look at `tradedesk orders`", err=True)
    if any(order is not None and order.ord_status is OrdStatus.Denied for order in found):
        raise typer.Exit(REFUSED)
    if refusals or is_open or any(order is None for order in found):
        raise typer.Exit(FAILED)


def _is_settled(order: "Order | None", until_dead: bool) -> bool:
    from tradedesk.domain.orders import RequestState

    if order is None:
        return False
    if order.is_dead:
        return True
    return not until_dead and all(request.state is not RequestState.Pending for request in order.requests)


def _order_of(watch: Watch, name: str) -> "Order":
    from tradedesk.domain.words import ClientOrderId

    order = watch.replica.orders.get(ClientOrderId(name))
    if order is None:
        end(f"{name!r} is no order of this desk; `tradedesk orders` lists them", USAGE)
    return order


def _number(option: str, text: str) -> Decimal:
    from tradedesk.domain.money import parse_decimal

    try:
        number = parse_decimal(text, option)
    except ValueError as error:
        end(str(error), USAGE)
    if number <= 0:
        end(f"{option}: {text} must be above 0", USAGE)
    return number


def _one_of(option: str, text: str, known: tuple[str, ...]) -> str:
    if text.lower() not in known:
        end(f"{option}: {text!r} is not known; use {', '.join(known)}", USAGE)
    return text.lower()
