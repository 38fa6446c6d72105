"""`tradedesk order place|amend|cancel`: orders from scripts, through the running desk and its Gate."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from tradedesk.cli.endings import FAILED, REFUSED, USAGE, end
from tradedesk.cli.reach import (
    DEADLINE_NS,
    ConfigOption,
    JsonOption,
    OperatorOption,
    OperatorPassphraseOption,
    Watch,
    account_of,
    controlled,
    home_of,
    instrument_of,
    instruments_of,
    new_id,
    show,
    watching,
)

if TYPE_CHECKING:
    from tradedesk.domain.commands import Command
    from tradedesk.domain.orders import AmendBy, Order
    from tradedesk.domain.words import ClientOrderId

order_app = typer.Typer(no_args_is_help=True, help="Place, amend and cancel orders on the running desk.")
SWEPT_S = 30.0  # a cancel whose answer was lost is asked about for as long as its order could still arrive
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
    confirm: Annotated[
        str | None, typer.Option(help="Why what the Gate only asks about is meant, e.g. a repeated order; it is kept.")
    ] = None,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
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
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
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
                    confirm=confirm,
                    operator=OperatorId(""),  # the desk puts in the name it knows us by
                    deadline=watch.clock.now() + DEADLINE_NS,
                )
            )
        ids = [getattr(command, "client_order_id") for command in commands]  # noqa: B009
        _submit_and_show(watch, control, commands, lambda: ids, as_json)


@order_app.command()
def amend(
    client_order_id: Annotated[str, typer.Argument(help="The order to change.")],
    *,
    qty: Annotated[str | None, typer.Option(help="New total quantity, what is filled included.")] = None,
    price: Annotated[str | None, typer.Option(help="New price.")] = None,
    confirm: Annotated[
        str | None, typer.Option(help="Why a change that the Gate only asks about is meant; it is kept.")
    ] = None,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change quantity or price of an open order, and say how that was done.

    Less quantity at the same price leaves it in its place in line where the venue can do that; anything else cancels it
    and places a new one. Of an order filled in part the cancel comes first, so that never more than --qty trades in all.

    Example: tradedesk order amend td-lx1-2 --price 60100 --json
    """
    from tradedesk.domain.commands import AmendOrder
    from tradedesk.domain.words import OperatorId

    if qty is None and price is None:
        end("order amend: give --qty, --price or both", USAGE)
    new_qty = _number("--qty", qty) if qty is not None else None
    new_price = _number("--price", price) if price is not None else None
    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        order = _order_of(watch, client_order_id)
        if order.is_dead:
            end(_dead(order), USAGE)
        if order.price is None:
            end(f"{client_order_id} is a market order; only limit orders can be amended", USAGE)
        replacement = new_id(watch.clock.now())
        asked_before = len(order.requests)
        command = AmendOrder(
            account=order.account,
            client_order_id=order.client_order_id,
            new_client_order_id=replacement,
            order_qty=new_qty if new_qty is not None else order.order_qty,
            price=new_price if new_price is not None else order.price,
            confirm=confirm,
            operator=OperatorId(""),
            deadline=watch.clock.now() + DEADLINE_NS,
        )
        key = order.client_order_id

        def about() -> "list[ClientOrderId]":
            """The order alone, once it is seen to be amended where it stands; else the new one too."""
            by = _amended_by(watch.replica.orders.get(key), asked_before)
            return [key] if by is not None and by.value == "in-place" else [replacement, key]

        _submit_and_show(watch, control, [command], about, as_json)
        by = _amended_by(watch.replica.orders.get(key), asked_before)
        if by is not None:
            typer.echo(f"{key}: {_HOW[by.value]}", err=True)


_HOW = {
    "in-place": "made smaller where it stands; it keeps its place in line",
    "cancel-replace": "cancelled and replaced in one request; the new order is last in line",
    "cancel-then-place": "cancelled, then what was left was placed anew; it is last in line",
}


def _amended_by(order: "Order | None", asked_before: int) -> "AmendBy | None":
    """How the amend is done, as its request says once it was made."""
    made = order.requests[asked_before:] if order is not None else ()
    return next((request.by for request in made if request.by is not None), None)


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
    all_: Annotated[
        bool, typer.Option("--all", help="Cancel every order of ours instead, on every account you may trade.")
    ] = False,
    account: Annotated[str | None, typer.Option(help="With --all: only on this account (which implies it).")] = None,
    instrument: Annotated[str | None, typer.Option(help="With --all: only of this instrument.")] = None,
    side: Annotated[str | None, typer.Option(help="With --all: only buy or sell.")] = None,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cancel orders by id, or all there are: swept until none is in flight or open, with a receipt for each account.

    Orders of other software are never touched.

    Example: tradedesk order cancel --all --instrument BTC/USDT --side buy --json
    """
    from tradedesk.domain.commands import CancelOrder
    from tradedesk.domain.words import OperatorId

    is_all = all_ or account is not None
    if bool(client_order_id) == is_all:
        end("order cancel: name the orders, or --all", USAGE)
    if not is_all and (instrument is not None or side is not None):
        end("order cancel: --instrument and --side go with --all", USAGE)
    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    with watching(home, control) as watch:
        if is_all:
            _cancel_all(watch, control, account, instrument, side, as_json)
            return
        orders = [_order_of(watch, name) for name in client_order_id or ()]
        ids = [order.client_order_id for order in orders]
        commands: list[Command] = [
            CancelOrder(account=order.account, client_order_id=order.client_order_id, operator=OperatorId(""))
            for order in orders
            if not order.is_dead
        ]
        _submit_and_show(watch, control, commands, lambda: ids, as_json, until_dead=True)


def _cancel_all(
    watch: Watch, control: object, account: str | None, instrument: str | None, side: str | None, as_json: bool
) -> None:
    """Sweep, wait for the receipt of every account that took it, print them with the orders concerned."""
    from tradedesk.desk.client import RemoteControl
    from tradedesk.domain.commands import CancelAll, NotSubmitted
    from tradedesk.domain.events import CancelSwept
    from tradedesk.domain.words import OperatorId, Side
    from tradedesk.views.documents import orders_document
    from tradedesk.views.feed import Numbered

    assert isinstance(control, RemoteControl)
    account_id = account_of(watch.replica, account) if account is not None else None
    listed = instruments_of(watch.replica, account_id, instrument)
    wanted_side = Side(_one_of("--side", side, ("buy", "sell"))) if side is not None else None
    waiting: set[tuple[str, str | None]] = set()
    problems: list[str] = []
    ids = [
        order.client_order_id
        for order in watch.replica.orders.values()
        if not order.is_dead
        and not order.is_external
        and account_id in (None, order.account)
        and (None in listed or order.instrument in listed)
        and wanted_side in (None, order.side)
    ]
    for wanted in listed:
        answer = control.submit(
            CancelAll(account=account_id, instrument=wanted, side=wanted_side, operator=OperatorId(""))
        )
        if isinstance(answer, NotSubmitted):
            problems.append(answer.reason)
        else:
            waiting.update((name, wanted) for name in answer.accounts)
            problems.extend(answer.shortfall)
    receipts: dict[tuple[str, str | None], CancelSwept] = {}

    def is_swept() -> bool:
        for update in watch.updates:
            if isinstance(update, Numbered) and isinstance(update.event, CancelSwept):
                key = (update.event.account, update.event.instrument)
                if key in waiting and update.event.side is wanted_side:
                    receipts[key] = update.event
        return waiting <= receipts.keys()

    is_done = watch.until(is_swept, SWEPT_S)
    accounts = {name for name, _ in waiting}
    document = orders_document(watch.replica)
    document["orders"] = [
        row for key in ids for row in document["orders"] if row["client_order_id"] == key and row["account"] in accounts
    ]
    document["receipts"] = [
        {
            "account": receipt.account,
            "instrument": receipt.instrument,
            "side": None if receipt.side is None else receipt.side.value,
            "by": receipt.by,
            "cancelled": receipt.cancelled,
            "ended": receipt.ended,
            "left": receipt.left,
            "took_ms": receipt.took_ms,
        }
        for receipt in receipts.values()
    ]
    if as_json:
        show(document)
    else:
        for receipt in receipts.values():
            typer.echo(
                f"{receipt.account}: {receipt.cancelled} cancelled, {receipt.ended} ended before, {receipt.left} left, "
                f"confirmed by the venue after {receipt.took_ms} ms"
            )
    for problem in problems:
        typer.echo(problem, err=True)
    if not is_done:
        missing = ", ".join(sorted({name for name, _ in waiting - receipts.keys()}))
        typer.echo(f"no receipt yet of {missing}; the desk goes on cancelling, look at `tradedesk orders`", err=True)
    if problems or not is_done or any(receipt.left for receipt in receipts.values()):
        raise typer.Exit(FAILED)


def _submit_and_show(
    watch: Watch,
    control: object,
    commands: "list[Command]",
    about: "Callable[[], list[ClientOrderId]]",
    as_json: bool,
    *,
    until_dead: bool = False,
) -> None:
    """Submit, wait until the desk and the venue have spoken, print the orders. Ends with 3 if the Gate refused one.

    `about` names the orders it is about, as far as can be known by then.
    """
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
                and update.event.what in about()
            ):
                turned_down[update.event.what] = update.event.reason
        orders = {key: watch.replica.orders.get(key) for key in about()}
        return all(key in turned_down or _is_settled(order, until_dead) for key, order in orders.items())

    spoken = watch.until(has_spoken, ANSWER_S)
    ids = about()
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
