"""From a key to a command: what sends, and everything that must not."""

from decimal import Decimal

from desk_app import a_desk, press_at_once, settled
from desk_builders import ACME, ANN, BIRCH, BTC, CEDAR, NOW, SECOND, an_order, moved, working
from textual import events

from tradedesk.domain.commands import AmendOrder, CancelOrder, PlaceOrder
from tradedesk.domain.orders import Happening
from tradedesk.domain.words import OrderType, Side
from tradedesk.ui.dialogs.review import AmendReview, Review
from tradedesk.ui.ticket_model import Field

EMPTY = {"is_empty": True}


async def test_new_review_arm_and_f2_send_one_order() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review()
        await desk.press("f2")
        (command,) = desk.commands
        assert isinstance(command, PlaceOrder)
        assert (command.account, command.instrument, command.side) == (ACME, BTC, Side.Buy)
        assert (command.order_qty, command.price) == (Decimal("0.1"), Decimal("63999.5"))
        assert command.operator == ANN
        assert command.deadline > desk.clock.now()


async def test_by_keyboard_alone_a_ticket_is_filled_field_by_field() -> None:
    async with a_desk(**EMPTY) as desk:
        await desk.press("f9", "n")
        await desk.type("birch")
        await desk.press("tab", "s", "tab", "tab")  # side: a letter chooses; type and instrument stay
        await desk.press("tab")
        await desk.type("0.2")
        await desk.press("tab")
        await desk.type("64100")
        await desk.press("tab", "tab", "space", "enter")  # post-only by Space
        assert isinstance(desk.dialog(), Review), desk.shown()
        await desk.wait()
        await desk.press("f2")
        (command,) = desk.commands
        assert isinstance(command, PlaceOrder)
        assert (command.account, command.side, command.post_only) == (BIRCH, Side.Sell, True)
        assert (command.order_qty, command.price) == (Decimal("0.2"), Decimal("64100"))


async def test_the_key_that_opened_the_review_never_sends() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.ticket()
        await desk.press("enter", "enter", "enter", "enter")
        await desk.wait()
        await desk.press("enter", "enter", "space", "y", "f9", "f9")
        assert desk.commands == []
        assert isinstance(desk.dialog(), Review)


async def test_a_dialog_does_not_hear_its_first_300_ms() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.ticket()
        await desk.press("enter", "f2", "f2", "escape")
        await desk.wait(299)
        await desk.press("f2", "escape")
        assert desk.commands == []
        assert isinstance(desk.dialog(), Review)
        await desk.wait(1)
        await desk.press("f2")
        assert len(desk.commands) == 1


async def test_a_repeating_f2_sends_once() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review()
        await desk.press("f2", "f2", "f2", "f2", "f2")
        assert len(desk.commands) == 1


async def test_a_repeating_enter_opens_one_review_and_a_repeating_f2_sends_once_through_it() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.ticket()
        await press_at_once(desk.app, "enter", "enter", "enter")
        assert sum(isinstance(screen, Review) for screen in desk.app.screen_stack) == 1
        await desk.wait()
        await press_at_once(desk.app, "f2", "f2", "f2")
        assert len(desk.commands) == 1


async def test_F76_twenty_enters_and_twenty_f2_send_one_order() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.ticket()
        await press_at_once(desk.app, *["enter"] * 20)
        await desk.wait()
        await press_at_once(desk.app, *["enter"] * 20)
        assert desk.commands == []
        await press_at_once(desk.app, *["f2", "enter"] * 20)
        assert len(desk.commands) == 1
        await desk.wait()
        await press_at_once(desk.app, *["f2", "enter"] * 20)  # the hand that is still on the key
        assert len(desk.commands) == 1


async def test_F76_what_is_pasted_fills_fields_and_sends_nothing() -> None:
    """With line ends, keys and whole commands in it, into every place that takes text, armed."""
    pasted = "0.1\n\r\ny\x1b[12~\x1bOQ:@all BTC buy 9 market\n"  # F2 as two terminals write it
    async with a_desk() as desk:
        await desk.press("f9")
        for opening in (("n",), ("colon",), ("2", "slash"), ("n", "tab", "tab", "tab", "tab")):
            await desk.press(*opening)
            desk.app.post_message(events.Paste(pasted))
            await settled(desk.app)
            await desk.wait()
            desk.app.post_message(events.Paste(pasted))
            await settled(desk.app)
            await desk.press("escape", "escape")
        assert desk.commands == []


async def test_F76_a_double_click_chooses_and_sends_nothing() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review()
        for place in ((20, 12), (60, 18), (60, 30), (10, 5)):
            for _ in range(3):
                await desk.pilot.click(offset=place, times=2)
        assert desk.commands == []


async def test_disarmed_nothing_is_sent_and_the_review_says_how() -> None:
    async with a_desk() as desk:
        await desk.review()
        assert "DISARMED" in desk.shown()
        await desk.press("f2")
        assert desk.commands == []
        assert "F9 arms" in desk.shown()
        await desk.press("f9", "f2")
        assert len(desk.commands) == 1


async def test_no_text_typed_into_the_desk_sends_anything() -> None:
    """Someone types a chat message into an armed desk."""
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.type("buy bread, n yes;")
        await desk.wait()
        await desk.press("y", "y", "enter", "enter", "y")
        assert [command for command in desk.commands if isinstance(command, PlaceOrder | AmendOrder)] == []


async def test_the_sent_order_stands_on_the_screen_in_the_same_frame() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review()
        await desk.press("f2")
        assert any(order.client_order_id == "td-acme-1" for order in desk.app.view.orders())
        assert "11 open" in desk.shown()
        assert not desk.desk.ticket.is_open


async def test_after_sending_the_keys_are_the_panes_again() -> None:
    async with a_desk() as desk:
        await desk.press("f9", "2")
        await desk.review()
        await desk.press("f2")
        assert desk.app.focused is desk.desk.panes["orders"]
        await desk.press("u")
        placed, cancelled = desk.commands
        assert isinstance(placed, PlaceOrder)
        assert cancelled == CancelOrder(account=ACME, client_order_id=placed.client_order_id, operator=ANN)


async def test_closing_the_ticket_gives_the_keys_back_to_the_pane_they_came_from() -> None:
    async with a_desk(size=(80, 24)) as desk:
        await desk.press("3", "n", "escape")
        assert desk.app.focused is desk.desk.panes["positions"]
        await desk.ticket()
        await desk.press("escape")
        assert desk.app.focused is desk.desk.panes["positions"]
        await desk.press("colon", "escape")
        assert desk.app.focused is desk.desk.panes["positions"]


async def test_the_review_says_checking_until_the_gate_has_answered() -> None:
    async with a_desk() as desk:
        await desk.review()
        assert "checking" in desk.shown()
        await desk.verdicts()
        assert "checking" not in desk.shown()
        assert " ok" in desk.shown()


async def test_what_the_gate_denies_is_told_in_full_and_cannot_be_confirmed_away() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review()
        await desk.verdicts(denied="acme", why="max_order_notional: 64 000 is above 20 000")
        assert "64 000 is above 20 000" in desk.shown()
        await desk.press("f2")
        assert desk.commands == []
        assert "the Gate denies acme" in desk.shown()


async def test_several_accounts_ask_for_their_count() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review(accounts="@all", qty="0.100009")
        assert desk.shown().count("0.000009") == 3  # what rounding takes away, account by account
        await desk.press("f2")
        assert desk.commands == []
        await desk.type("2")
        await desk.press("f2")
        assert desk.commands == []
        await desk.press("backspace", "3", "enter")
        assert desk.commands == []
        await desk.press("f2")
        assert [command.account for command in desk.commands if isinstance(command, PlaceOrder)] == [ACME, BIRCH, CEDAR]
        assert len({getattr(command, "block", None) for command in desk.commands}) == 1


async def test_the_same_order_again_asks_for_the_quantity() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review()
        await desk.press("f2")
        await desk.review()
        assert "the same order was sent" in desk.shown()
        await desk.press("f2")
        assert len(desk.commands) == 1
        await desk.type("0.1")
        await desk.press("f2")
        assert len(desk.commands) == 2
        assert len({getattr(command, "client_order_id", "") for command in desk.commands}) == 2


async def test_a_wrong_field_is_marked_with_its_reason_and_keeps_what_was_typed() -> None:
    async with a_desk() as desk:
        await desk.ticket(qty="0.1", price="63999.555")
        await desk.press("enter")
        assert desk.dialog() is None
        assert "63999.55 or 63999.56" in desk.shown()
        assert desk.desk.ticket.fields().price == "63999.555"
        assert desk.app.focused is desk.desk.ticket._widget(Field.Price)
        await desk.press("backspace", "enter")
        await desk.wait()
        assert isinstance(desk.dialog(), Review)


async def test_a_refused_submission_leaves_the_ticket_as_it_was_typed_with_the_reason() -> None:
    async with a_desk() as desk:
        desk.control.refuses = {ACME: "queue full; try again"}
        await desk.press("f9")
        await desk.review()
        await desk.press("f2")
        assert desk.desk.ticket.fields().price == "63999.5"
        assert any("queue full" in text for text in desk.notices())
        assert all(not order.client_order_id.startswith("td-") for order in desk.app.view.orders())
        desk.control.refuses = {}
        await desk.press("enter")
        await desk.wait()
        await desk.press("f2")
        assert len({getattr(command, "client_order_id", "") for command in desk.commands}) == 2


async def test_after_a_part_refusal_the_ticket_holds_only_what_was_refused() -> None:
    async with a_desk() as desk:
        desk.control.refuses = {BIRCH: "not yours"}
        await desk.press("f9")
        await desk.review(accounts="@all")
        await desk.type("3")
        await desk.press("f2")
        assert desk.desk.ticket.fields().accounts == "birch"
        assert desk.desk.ticket.is_open


async def test_a_market_order_needs_no_price_and_is_reviewed_as_one() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.command("acme BTC sell market 0.05")
        await desk.press("enter")
        await desk.wait()
        assert "SELL MARKET 0.05 BTC/USDT at market" in desk.shown()
        await desk.press("f2")
        (command,) = desk.commands
        assert isinstance(command, PlaceOrder)
        assert (command.order_type, command.price) == (OrderType.Market, None)


async def test_flatten_opens_a_reduce_only_ticket_for_the_position() -> None:
    async with a_desk() as desk:
        await desk.press("3", "j", "j", "f")
        fields = desk.desk.ticket.fields()
        assert (fields.accounts, fields.side, fields.reduce_only) == ("acme", Side.Sell, True)
        assert 0 < Decimal(fields.qty) <= desk.app.view.replica.positions[ACME, BTC].qty
        assert f"{fields.qty} of 0.75 BTC" in desk.shown()
        assert "REDUCE-ONLY" in desk.shown()


async def test_steps_move_price_by_tick_and_quantity_by_lot() -> None:
    async with a_desk() as desk:
        await desk.ticket()
        await desk.press("right_square_bracket", "right_square_bracket", "left_square_bracket", "plus")
        fields = desk.desk.ticket.fields()
        assert (fields.price, fields.qty) == ("63999.51", "0.10001")


async def test_letters_in_the_ticket_reach_no_order() -> None:
    async with a_desk() as desk:
        await desk.press("n", *"xXuf", "tab", *"xXuean", "tab", *"xXq")
        assert desk.commands == []
        assert desk.dialog() is None


async def test_amend_shows_before_and_after_and_binds_to_the_order_that_was_selected() -> None:
    async with a_desk(**EMPTY) as desk:
        order = an_order("c1", order_qty=Decimal("0.1"))
        await desk.publish(*working(order))
        await desk.press("f9", "2", "e")
        await desk.type("0.2")
        newer = an_order("c2", order_qty=Decimal("0.5"), placed_at=NOW)
        await desk.publish(*working(newer))  # a row comes above it
        await desk.press("enter")
        await desk.wait()
        assert isinstance(desk.dialog(), AmendReview)
        assert "0.10000  ->         0.20000" in desk.shown()
        await desk.press("f2", "f2")
        (command,) = desk.commands
        assert isinstance(command, AmendOrder)
        assert (command.client_order_id, command.order_qty, command.price) == (
            "c1", Decimal("0.2"), Decimal("63990.00")
        )  # fmt: skip
        assert command.new_client_order_id.startswith("td-acme")


async def test_an_amend_of_an_order_that_died_meanwhile_is_not_sent() -> None:
    async with a_desk(**EMPTY) as desk:
        order = an_order("c1")
        await desk.publish(*working(order))
        await desk.press("f9", "2", "e")
        await desk.type("0.2")
        await desk.press("enter")
        await desk.wait()
        await desk.publish(moved(order, Happening.Canceled))
        await desk.press("f2")
        assert desk.commands == []
        assert "not open any more" in desk.shown()


async def test_escape_leaves_the_review_with_the_ticket_as_it_was() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review()
        await desk.press("escape")
        assert desk.desk.ticket.is_open
        assert desk.commands == []
        await desk.press("escape", "escape")
        assert not desk.desk.ticket.is_open


async def test_ten_idle_minutes_disarm_and_a_key_keeps_armed() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.wait(599_000)
        await desk.press("j")
        await desk.wait(599_000)
        assert desk.desk.is_armed
        await desk.wait(1_000)
        assert not desk.desk.is_armed
        assert "disarmed" in desk.shown()


async def test_time_that_steps_on_the_wall_clock_does_not_keep_a_desk_armed() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        desk.clock.set_wall(NOW - 3600 * SECOND)
        await desk.wait(600_000)
        assert not desk.desk.is_armed


async def test_a_review_of_which_all_is_denied_asks_for_no_words() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review(qty="0.3")
        assert "type the quantity" in desk.shown()
        await desk.verdicts(denied="acme", why="above the limit")
        await desk.wait()
        assert "type the quantity" not in desk.shown()
        assert "the Gate denies all of it" in desk.shown()
        await desk.press("f2")
        assert desk.commands == []


async def test_what_the_gate_only_asks_about_goes_once_it_is_said_why_and_the_reason_goes_along() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review(accounts="@all", qty="0.1")
        await desk.verdicts(denied="acme", why="it was ordered within the last second already", is_soft=True)
        await desk.wait()
        assert "ASKS WHY" in desk.shown()
        assert "say why it is meant" in desk.shown()
        await desk.type("3")
        await desk.press("f2")
        assert desk.commands == []
        assert "type why it is meant" in desk.shown()
        await desk.press("tab")
        await desk.type("as agreed")
        await desk.press("f2")
        said = {command.account: command.confirm for command in desk.commands if isinstance(command, PlaceOrder)}
        assert said == {ACME: "as agreed", BIRCH: None, CEDAR: None}


async def test_no_reason_passes_a_hard_limit() -> None:
    async with a_desk() as desk:
        await desk.press("f9")
        await desk.review()
        await desk.verdicts(denied="acme", why="above the limit")
        await desk.wait()
        assert "say why" not in desk.shown()
        await desk.press("f2")
        assert desk.commands == []
