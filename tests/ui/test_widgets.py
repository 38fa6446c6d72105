"""The live table: the cursor stays on its row, columns leave a narrow pane, and only what changed is painted."""

from decimal import Decimal

import pytest
from desk_builders import (
    ACME,
    BIRCH,
    BTC,
    NOW,
    SECOND,
    a_view,
    acknowledged,
    an_order,
    feed_of,
    filled,
    moved,
    placed,
    working,
)
from pane_app import PaneApp

from tradedesk.domain.orders import Happening, RequestState
from tradedesk.domain.words import ClientOrderId
from tradedesk.ui.panes.orders import OrdersPane
from tradedesk.ui.panes.pane import Selection
from tradedesk.ui.widgets.rows import Column, arranged, laid_out

COLUMNS = (
    Column(key="a", title="a", width=10),
    Column(key="b", title="b", width=8, drop=1, grows=True),
    Column(key="c", title="c", width=6, drop=2),
)


def test_columns_leave_a_narrow_table_in_their_order_and_the_rest_is_given_away():
    assert [(column.key, width) for _, column, width in laid_out(COLUMNS, 40)] == [("a", 10), ("b", 20), ("c", 6)]
    assert [(column.key, width) for _, column, width in laid_out(COLUMNS, 22)] == [("a", 10), ("b", 9)]
    assert [column.key for _, column, _ in laid_out(COLUMNS, 5)] == ["a"]


def test_rows_without_a_value_come_last_both_ways():
    values = {"x": 2, "y": None, "z": 1}
    for is_reversed, order in ((False, ["z", "x", "y"]), (True, ["x", "z", "y"])):
        assert arranged(values, values.get, lambda _: 0, is_reversed=is_reversed) == order


def test_a_group_outranks_what_is_sorted_by():
    values = {"x": 1, "y": 2}
    assert arranged(values, values.get, lambda key: key == "x", is_reversed=False) == ["y", "x"]


def a_pane(count: int = 0, **changes: object) -> OrdersPane:
    """Orders o0 (the newest) to o<count - 1>, all working."""
    view = a_view(is_empty=True)
    for number in range(count):
        order = an_order(f"o{number}", placed_at=NOW - (number + 1) * SECOND, **changes)
        feed_of(view).push(*working(order))
    view.poll()
    return OrdersPane(view)


async def test_the_cursor_stays_on_its_order_while_rows_move():
    app = PaneApp(a_pane(5))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        await pilot.press("j", "j")
        assert app.pane.selected().order == "o2"
        app.frame(placed(an_order("new", placed_at=NOW)))
        assert app.pane.selected().order == "o2"
        assert [line.split()[0] for line in app.shown() if "▸" in line] == ["▸"]
        app.frame(moved(an_order("o2"), Happening.Canceled))
        assert app.pane.selected().order == "o2"
        assert "Canceled" in next(line for line in app.shown() if "▸" in line)


async def test_moving_tells_the_screen_what_is_under_the_cursor():
    app = PaneApp(a_pane(3))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        await pilot.press("j", "down", "k")
        assert [selection.order for selection in app.selections] == ["o1", "o2", "o1"]
        assert app.selections[0] == Selection(account=ACME, instrument=BTC, order=ClientOrderId("o1"))


@pytest.mark.parametrize(
    ("keys", "order"),
    [(("G",), "o99"), (("ctrl+d",), "o4"), (("G", "ctrl+u"), "o95"), (("G", "home"), "o0"), (("k",), "o0")],
)
async def test_keys_move_over_a_long_table(keys, order):
    app = PaneApp(a_pane(100))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        await pilot.press(*keys)
        await pilot.pause()
        assert app.pane.selected().order == order
        assert [line for line in app.shown() if line.startswith("▸")], "the cursor's row is in view"


async def test_another_panes_selection_moves_the_cursor_of_one_that_has_no_focus():
    app = PaneApp(a_pane(50))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        app.set_focus(None)
        await pilot.pause()
        app.pane.follow(Selection(order=ClientOrderId("o40")))
        await pilot.pause()
        assert app.pane.selected().order == "o40"
        assert any("o40" in line for line in app.shown())


async def test_an_order_that_becomes_unknown_goes_to_the_top_in_the_same_frame():
    app = PaneApp(a_pane(6))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        lost = an_order("lost", placed_at=NOW - 3600 * SECOND)
        app.frame(placed(lost))
        assert "PendingNew" in app.shown()[7]
        app.frame(*acknowledged(lost, RequestState.Unknown, "no answer"))
        assert app.shown()[1].lstrip("▸ ").startswith("? Unknown")


async def test_a_just_submitted_order_is_shown_in_the_same_frame_though_no_event_came():
    app = PaneApp(a_pane(1))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        from tradedesk.domain.commands import PlaceOrder

        order = an_order("mine", "birch")
        app.pane.view.expect(
            PlaceOrder(
                account=BIRCH,
                client_order_id=order.client_order_id,
                instrument=BTC,
                side=order.side,
                order_type=order.order_type,
                order_qty=Decimal("0.25"),
                price=Decimal("63900"),
                operator=order.operator,
                deadline=NOW + SECOND,
            ),
            NOW,
        )
        app.frame()
        assert any("… PendingNew" in line and "birch" in line for line in app.shown())


async def test_sorting_by_keys_and_back():
    app = PaneApp(a_pane(3))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        app.pane.set_order("price", is_reversed=False)
        await pilot.press("S")
        assert (app.pane.sort_by, app.pane.is_reversed) == ("price", True)
        assert "▾price" in app.shown()[0]
        await pilot.press("s")
        assert app.pane.sort_by == "age"
        app.pane.set_order("no such column", is_reversed=True)
        assert app.pane.sort_by == "age"


async def test_the_mouse_sorts_and_chooses():
    app = PaneApp(a_pane(4))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        await pilot.click(app.pane, offset=(10, 4))
        assert app.pane.selected().order == "o2"
        await pilot.click(app.pane, offset=(25, 1))
        assert app.pane.sort_by == "account"


async def test_a_filter_shows_what_matches_and_says_how_to_leave():
    app = PaneApp(OrdersPane(a_view()))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        app.pane.set_filter("BIRCH")
        rows = [line for line in app.shown()[1:-1] if line.strip()]
        assert rows
        assert all("birch" in line for line in rows)
        app.pane.set_filter("nobody")
        assert "No orders match 'nobody'. Esc clears." in app.shown()[1]
        await pilot.press("escape")
        assert len([line for line in app.shown()[1:-1] if line.strip()]) == 18


async def test_marks_follow_their_orders_and_leave_with_them():
    app = PaneApp(a_pane(3))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        await pilot.press("space", "j", "space", "j", "space", "space")
        assert app.pane.marked() == {"o0", "o1"}
        app.frame(placed(an_order("new", placed_at=NOW)))
        assert app.pane.marked() == {"o0", "o1"}
        assert "▸" not in app.shown()[1]
        assert "✓" in app.shown()[2]


async def test_a_frame_paints_only_the_rows_that_changed():
    """PERFORMANCE G8"""
    app = PaneApp(a_pane(20, order_qty=Decimal(2)))
    async with app.run_test(size=(80, 30)) as pilot:
        await app.drawn(pilot)
        painted = record_painting(app)
        app.frame()
        assert painted == []
        app.frame(filled(an_order("o3"), "0.5", "63990", "t9"))
        assert painted == [4]


async def test_a_hidden_pane_draws_nothing_and_catches_up_when_shown():
    app = PaneApp(a_pane(3))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        app.pane.display = False
        await pilot.pause()
        painted = record_painting(app)
        app.frame(moved(an_order("o1"), Happening.Canceled))
        assert painted == []
        app.pane.display = True
        await pilot.pause()
        app.frame()
        assert any("Canceled" in line for line in app.shown())


async def test_ages_go_on_without_news():
    app = PaneApp(a_pane(1))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        app.frame(now=NOW + 8 * SECOND)
        assert "9s" in app.shown()[1]


async def test_a_row_is_copied_as_text():
    app = PaneApp(a_pane(1))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        await pilot.press("y")
        assert app.clipboard.split("\t")[:4] == ["New", "acme", "▲ BUY", "BTC/USDT"]


def record_painting(app: PaneApp) -> list[int]:
    """The lines a pane asks to be painted from now on."""
    painted: list[int] = []
    real = app.pane.refresh

    def refresh(*regions, **options):
        painted.extend(region.y for region in regions)
        return real(*regions, **options)

    app.pane.refresh = refresh
    return painted
