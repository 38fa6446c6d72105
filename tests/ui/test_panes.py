"""The seven panes, as a trader reads them: figures, states in words, old data that looks old, and what empty ones say."""

import itertools
from decimal import Decimal

import pytest
from desk_builders import (
    ACME,
    BIRCH,
    BTC,
    CEDAR,
    NOW,
    SECOND,
    SOL,
    ListFeed,
    a_book_frame,
    a_feed,
    a_view,
    alerts,
    an_account,
    an_order,
    feed_of,
    key_checked,
    working,
)
from hypothesis import given
from hypothesis import strategies as st
from pane_app import PaneApp

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Mode
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.instruments import Candle, FeedState
from tradedesk.domain.limits import Limits
from tradedesk.domain.profile import SeenProfile
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.ui.candles import with_holes
from tradedesk.ui.drawing import ASCII, MINUTE
from tradedesk.ui.header import open_alerts
from tradedesk.ui.panes.alerts import AlertsPane
from tradedesk.ui.panes.chart import ChartPane
from tradedesk.ui.panes.fleet import FleetPane, fleet
from tradedesk.ui.panes.logs import LogsPane
from tradedesk.ui.panes.market import MarketPane, depth_shown
from tradedesk.ui.panes.orders import OrdersPane
from tradedesk.ui.panes.pane import Pane, Selection
from tradedesk.ui.panes.positions import PositionsPane
from tradedesk.views.feed import DeskView
from tradedesk.views.figures import account_figures

PANES: list[type[Pane]] = [MarketPane, ChartPane, OrdersPane, PositionsPane, FleetPane, AlertsPane, LogsPane]
ACME_BTC = Selection(account=ACME, instrument=BTC)


# -- pictures -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pane", PANES, ids=lambda pane: pane.name_shown)
def test_a_pane_of_a_live_desk(snap_compare, pane):
    assert snap_compare(PaneApp(pane(a_view()), follow=ACME_BTC), terminal_size=(80, 24))


@pytest.mark.parametrize("pane", [MarketPane, ChartPane], ids=lambda pane: pane.name_shown)
def test_a_market_fits_the_left_column_of_the_middle_layout(snap_compare, pane):
    assert snap_compare(PaneApp(pane(a_view()), follow=ACME_BTC), terminal_size=(48, 20))


@pytest.mark.parametrize("state", [FeedState.Stale, FeedState.Crossed, FeedState.Disconnected], ids=str)
def test_old_data_looks_old_on_the_ladder(snap_compare, state):
    """5.9"""
    app = PaneApp(MarketPane(a_view(feed_state=state)), follow=ACME_BTC)
    assert snap_compare(app, terminal_size=(80, 20))


def test_a_chart_of_a_feed_that_is_gone(snap_compare):
    """5.9"""
    app = PaneApp(ChartPane(a_view(feed_state=FeedState.Disconnected)), follow=ACME_BTC)
    assert snap_compare(app, terminal_size=(80, 16))


@pytest.mark.parametrize("theme", ["desk-light", "mono", "high-contrast"])
def test_orders_in_other_themes(snap_compare, theme):
    assert snap_compare(PaneApp(OrdersPane(a_view()), theme=theme), terminal_size=(120, 22), press=["j", "space"])


@pytest.mark.parametrize("pane", [MarketPane, ChartPane, OrdersPane], ids=lambda pane: pane.name_shown)
def test_a_terminal_that_knows_ascii_only(snap_compare, pane):
    app = PaneApp(pane(a_view(), glyphs=ASCII), theme="mono", follow=ACME_BTC)
    assert snap_compare(app, terminal_size=(80, 24))


def test_a_halted_fleet(snap_compare):
    assert snap_compare(PaneApp(FleetPane(a_view(halted=BIRCH))), terminal_size=(120, 10), press=["j"])


def test_orders_of_a_desk_that_went_away(snap_compare):
    """5.9"""
    assert snap_compare(PaneApp(OrdersPane(a_view(lost=True))), terminal_size=(80, 16))


# -- every pane ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pane", "said"),
    [
        (MarketPane, "Waiting for the book of BTC/USDT."),
        (ChartPane, "Waiting for the candles of BTC/USDT."),
        (OrdersPane, "No open orders. n opens a ticket."),
        (PositionsPane, "No positions. n opens a ticket."),
        (AlertsPane, "No risk alerts. 4 shows each account"),
        (LogsPane, "Nothing logged yet."),
    ],
)
async def test_an_empty_pane_says_what_is_missing(pane, said):
    app = PaneApp(pane(a_view(is_empty=True)))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        assert said in "\n".join(app.shown())


@pytest.mark.parametrize("pane", PANES)
async def test_a_pane_stands_a_desk_that_has_told_nothing_yet(pane):
    app = PaneApp(pane(DeskView(ListFeed())))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        await pilot.press("j", "G", "s", "space", "c", "minus", "y")
        assert any(app.shown())
        assert app.pane.selected() == Selection()


@pytest.mark.parametrize("pane", PANES)
@pytest.mark.parametrize("size", [(20, 5), (1, 1), (200, 50)])
async def test_a_pane_draws_at_any_size_without_running_over(pane, size):
    app = PaneApp(pane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=size) as pilot:
        await app.drawn(pilot)
        assert all(app.pane.render_line(y).cell_length == app.pane.area.width for y in range(app.pane.area.height))


@pytest.mark.parametrize("pane", PANES)
async def test_a_desk_that_is_away_shows_since_when(pane):
    """5.9"""
    app = PaneApp(pane(a_view(lost=True)))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        assert "AS OF 12:04:19" in str(app.pane.border_title)


@pytest.mark.parametrize("pane", PANES)
async def test_text_from_outside_is_shown_and_never_obeyed(pane):
    """5.14"""
    evil = "[/][@click=app.bell]x[/] \x1b[2J\x9b2J\u202e"
    feed = a_feed()
    feed.push(ev.LogWritten(at=NOW, source="desk", level="info", event="venue_said", text=evil))
    feed.push(
        ev.AlertRaised(
            at=NOW,
            source="desk",
            alert=Alert(key=evil, rule="r", severity=Severity.Critical, account=None, text=evil, at=NOW),
        )
    )
    feed.push(*working(an_order("evil", order_qty=Decimal(1), reasons=(evil,))))
    view = DeskView(feed)
    view.poll()
    app = PaneApp(pane(view))
    async with app.run_test(size=(120, 30)) as pilot:
        await app.drawn(pilot)
        app.pane.set_filter("[/]")
        await pilot.pause()
        text = "\n".join(app.shown())
        assert "\x1b" not in text
        assert "\x9b" not in text
        assert "\u202e" not in text
        if pane in (LogsPane, AlertsPane, OrdersPane):
            assert "[@click=app.bell]x[/]" in text


@pytest.mark.parametrize("pane", PANES)
async def test_a_frame_without_news_paints_nothing(pane):
    """PERFORMANCE G7"""
    app = PaneApp(pane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(100, 24)) as pilot:
        await app.drawn(pilot)
        painted: list[object] = []
        app.pane.refresh = lambda *regions, **_: painted.extend(regions)
        app.frame()
        assert painted == []


@pytest.mark.parametrize("pane", PANES)
async def test_another_theme_repaints_what_is_shown(pane):
    app = PaneApp(pane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(100, 24)) as pilot:
        await app.drawn(pilot)
        before = [app.pane.render_line(y) for y in range(24)]
        app.theme = "desk-light"
        await pilot.pause()
        await pilot.pause()
        after = [app.pane.render_line(y) for y in range(24)]
        assert [line.text for line in before] == [line.text for line in after]
        assert before != after


# -- market -------------------------------------------------------------------------------------------------------------


async def test_the_price_axis_stands_still_while_the_market_moves_a_little():
    app = PaneApp(MarketPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        top = app.shown()[1]
        app.frame(shifted_book("1.00"))
        assert app.shown()[1].split()[0:2] == top.split()[0:2]
        app.frame(shifted_book("90.00"))
        assert "64 09" in app.shown()[8], "it follows when the touch would leave"


async def test_an_axis_that_was_moved_stays_until_it_is_centred():
    app = PaneApp(MarketPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        await pilot.press("k", "k")
        held = app.shown()[1]
        assert "held, c centres" in str(app.pane.border_title)
        app.frame(shifted_book("90.00"))
        assert "spread" in app.shown()[1], "the market is above what is shown"
        assert app.shown()[2].split()[:2] == held.split()[:2]
        await pilot.press("c")
        assert "64 09" in app.shown()[8]
        assert "held" not in str(app.pane.border_title)


async def test_our_orders_stand_at_their_prices_with_side_and_count():
    app = PaneApp(MarketPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        bought = next(line for line in app.shown() if "63 996.5" in line)
        sold = next(line for line in app.shown() if "64 003.5" in line)
        assert bought.startswith("▲1")
        assert "▼1" in sold[30:50]


async def test_coarser_steps_gather_more_of_the_book():
    app = PaneApp(MarketPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        assert any("step 0.5 " in line for line in app.shown())
        await pilot.press("minus")
        assert any("step 1 " in line for line in app.shown())
        await pilot.press("plus", "plus")
        assert any("step 0.2 " in line for line in app.shown())


@pytest.mark.parametrize("state", [FeedState.Gapped, FeedState.Crossed])
async def test_no_best_price_on_a_book_with_a_hole(state):
    """5.9"""
    app = PaneApp(MarketPane(a_view(feed_state=state)), follow=ACME_BTC)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        text = "\n".join(app.shown())
        assert f"≠ {state.value.upper()}: no best price" in text
        assert "spread" not in text


async def test_the_position_line_names_its_account_first():
    app = PaneApp(MarketPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        assert app.shown()[-1].startswith("acme  +0.75000 BTC @ 63 900.17  uPnL +74.88 USDT")
        app.pane.follow(Selection(account=BIRCH, instrument=SOL))
        assert app.shown()[-1].startswith("birch  no position in SOL")
        app.pane.follow(Selection(instrument=BTC))
        assert app.shown()[-1].startswith("all 3 accounts  +1.35000 BTC")


async def test_an_empty_side_of_the_book_is_said():
    app = PaneApp(MarketPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        frame = a_book_frame(BTC)
        app.frame(
            ev.BookFrame(
                at=NOW, source="f", instrument=BTC, bids=(), asks=frame.asks, received_at=NOW, state=FeedState.Live
            )
        )
        assert any("no bids" in line for line in app.shown())
        app.frame(
            ev.BookFrame(at=NOW, source="f", instrument=BTC, bids=(), asks=(), received_at=NOW, state=FeedState.Live)
        )
        assert any("no bids" in line for line in app.shown())


# -- chart --------------------------------------------------------------------------------------------------------------


async def test_the_chart_shows_axis_times_the_last_price_and_our_fills():
    app = PaneApp(ChartPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(100, 24)) as pilot:
        await app.drawn(pilot)
        text = "\n".join(app.shown())
        assert "▼" in text, "acme sold a minute ago"
        assert "12:00" in text
        assert "vol" in text
        assert " 64 000.01" in text


async def test_candles_can_be_longer_and_one_can_go_back_in_time():
    app = PaneApp(ChartPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        await pilot.press("minus")
        assert "BTC/USDT 5m" in str(app.pane.border_title)
        await pilot.press("h", "h")
        assert "earlier, G newest" in str(app.pane.border_title)
        await pilot.press("G")
        assert "earlier" not in str(app.pane.border_title)


async def test_F55_a_hole_in_the_candles_is_drawn_as_one():
    """Three bars that never came: their places stay empty and are marked, and no bar moves into them."""
    view = a_view()
    kept = view.replica.market(BTC).candles
    dropped = {candle.open_time for candle in kept[-8:-5]}
    holed = tuple(candle for candle in kept if candle.open_time not in dropped)
    view.replica.apply(ev.CandleFrame(at=NOW, source="f", instrument=BTC, candles=holed, is_full=True))
    app = PaneApp(ChartPane(view), follow=ACME_BTC)
    async with app.run_test(size=(60, 24)) as pilot:
        await app.drawn(pilot)
        *plot, times = app.shown()[1:]  # without the facts
        noon = times.index("12:00")
        hole = range(noon - 3, noon)
        assert times[:noon].endswith(" –––")
        assert all(line[at] in " ┄" for line in plot for at in hole)
        for at in (hole[0] - 1, noon):  # the bars around it keep their places
            assert any(line.ljust(60)[at] not in " ┄" for line in plot)


@given(
    st.lists(st.integers(0, 300), unique=True, min_size=1, max_size=60), st.sampled_from([1, 5, 15]), st.integers(1, 50)
)
def test_every_candle_keeps_its_distance_in_time(opened, minutes, most):
    """F55"""
    price = Decimal(1)
    candles = [
        Candle(open_time=at * minutes * MINUTE, open=price, high=price, low=price, close=price, volume=price)
        for at in sorted(opened)
    ]
    places = with_holes(candles, minutes, most)
    assert [candle for candle in places if candle is not None] == candles
    for before, after in itertools.pairwise(candles):
        apart = (after.open_time - before.open_time) // (minutes * MINUTE)
        assert places.index(after) - places.index(before) == min(apart, most + 1)


async def test_a_tick_repaints_the_rows_of_the_open_candle_only():
    """PERFORMANCE G8"""
    app = PaneApp(ChartPane(a_view()), follow=ACME_BTC)
    async with app.run_test(size=(80, 40)) as pilot:
        await app.drawn(pilot)
        painted: list[int] = []
        app.pane.refresh = lambda *regions, **_: painted.extend(region.y for region in regions)
        last = app.pane.view.replica.market(BTC).candles[-1]
        raised = last.__class__(
            open_time=last.open_time,
            open=last.open,
            high=last.high,
            low=last.low,
            close=last.close - 8,
            volume=last.volume,
        )
        app.frame(ev.CandleFrame(at=NOW, source="f", instrument=BTC, candles=(raised,), is_full=False))
        assert painted
        assert len(painted) <= 6


# -- orders -------------------------------------------------------------------------------------------------------------


async def test_unknown_orders_stand_on_top_then_open_ones_then_dead_ones():
    app = PaneApp(OrdersPane(a_view()))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        rows = [line for line in app.shown()[1:-1] if line.strip()]
        first_dead = next(index for index, row in enumerate(rows) if "Filled" in row and "Partially" not in row)
        assert "? Unknown 14s" in rows[0]
        assert first_dead == 10
        assert all(
            word in " ".join(rows[first_dead:])
            for word in ("Canceled", "Rejected", "Denied", "Expired", "NeverArrived")
        )


async def test_the_last_line_gives_the_reason_in_words():
    app = PaneApp(OrdersPane(a_view()))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        await pilot.press("G")
        assert app.shown()[-1].startswith("max_order_notional: 192 000.00 is above 20 000.00")


# -- positions ----------------------------------------------------------------------------------------------------------


async def test_each_account_and_all_of_them_have_a_total():
    view = a_view()
    app = PaneApp(PositionsPane(view))
    async with app.run_test(size=(110, 24)) as pilot:
        await app.drawn(pilot)
        rows = [line.lstrip("▸ ").split() for line in app.shown()[1:-1] if line.strip()]
        totals = {row[0]: row[-1] for row in rows if row[1] == "total"}
        nets = {name: account_figures(view.replica, name, "USDT").net for name in (ACME, BIRCH, CEDAR)}
        assert totals == {
            "all": f"{sum(nets.values()):+.2f}",
            **{name: f"{net:+.2f}" for name, net in nets.items()},
        }


async def test_a_position_whose_cost_is_not_known_has_no_gain_and_neither_has_its_total():
    feed = a_feed(is_empty=True)
    feed.push(
        ev.AccountOpened(
            at=NOW,
            source="w",
            account=ACME,
            openings=(ev.Opening(asset="BTC", amount=Decimal("0.5")),),
            marks={},
            trades_from=NOW,
        ),
        a_book_frame(BTC),
    )
    view = DeskView(feed)
    view.poll()
    app = PaneApp(PositionsPane(view))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        # nothing was traded, but there is a holding: it is shown, its gain is not
        row = next(line for line in app.shown() if "BTC/USDT" in line)
        assert row.split()[-1] == "–"
        assert app.shown()[1].split()[-1] == "–"


async def test_positions_sort_within_their_account():
    app = PaneApp(PositionsPane(a_view()))
    async with app.run_test(size=(110, 24)) as pilot:
        await app.drawn(pilot)
        app.pane.set_order("net", is_reversed=True)
        names = [line.lstrip("▸ ").split()[0] for line in app.shown()[1:-1] if line.strip()]
        assert names == ["all", "birch", "birch", "birch", "acme", "acme", "cedar", "cedar", "cedar"]


# -- fleet --------------------------------------------------------------------------------------------------------------


async def test_a_halt_is_told_with_who_when_and_why():
    app = PaneApp(FleetPane(a_view(halted=BIRCH)))
    async with app.run_test(size=(120, 10)) as pilot:
        await app.drawn(pilot)
        await pilot.press("j")
        assert "■ HALT" in app.shown()[2]
        assert app.shown()[-1].startswith("■ HALT cancel-opening on birch by ann 12:01:11: client asked to stop")


async def test_a_halt_of_the_desk_halts_every_account():
    app = PaneApp(FleetPane(a_view(halted="desk")))
    async with app.run_test(size=(120, 10)) as pilot:
        await app.drawn(pilot)
        assert sum("■ HALT" in line for line in app.shown()[1:4]) == 3


async def test_an_exit_other_than_the_configured_one_is_called_out():
    """5.7"""
    app = PaneApp(FleetPane(a_view()))
    async with app.run_test(size=(120, 10)) as pilot:
        await app.drawn(pilot)
        health = app.pane.view.replica.accounts[ACME].health
        app.frame(
            health.__class__(**{f: getattr(health, f) for f in health.__struct_fields__} | {"exit_seen": "10.9.8.7"}),
            now=NOW + SECOND,
        )
        assert "≠10.9.8.7" in app.shown()[1]


async def test_an_account_that_only_reduces_says_so_and_why():
    view = a_view()
    differs = "leverage of BTC/USDT is 20 at the venue and must be 3"
    for account, differences in ((ACME, ()), (BIRCH, (differs,))):
        seen = SeenProfile()
        view.replica.apply(ev.ProfileChecked(at=NOW, source="t", account=account, seen=seen, differences=differences))
    app = PaneApp(FleetPane(view))
    async with app.run_test(size=(120, 10)) as pilot:
        await app.drawn(pilot)
        await pilot.press("j")
        assert "Ready" in app.shown()[1]
        assert "reduce only" in app.shown()[2]
        assert app.shown()[-1].startswith(f"▲ only what reduces: {differs}")
        assert app.pane.title_parts(NOW)[0] == "2 of 3 ready"


def test_positions_count_at_their_worst_for_the_use_of_limits():
    """5.4"""
    rows = fleet(a_view().replica)
    assert rows["acme"].use_name == "position_notional BTC/USDT"
    assert rows["acme"].use == pytest.approx((0.75 + 0.12 + 0.04 + 0.30) * 64_000 / 80_000, rel=1e-6)


def test_an_account_without_limits_says_so():
    """5.4: it is blocked"""
    feed = ListFeed([ev.AccountListed(at=NOW, source="d", account=an_account(limits=Limits()))])
    view = DeskView(feed)
    view.poll()
    assert (fleet(view.replica)["acme"].use, fleet(view.replica)["acme"].use_name) == (None, "no limits")


def test_the_fleet_adds_up_to_what_the_figures_say():
    replica = a_view().replica
    for account, row in fleet(replica).items():
        figures = account_figures(replica, row.row.account.id, "USDT")
        assert (row.exposure, row.unrealized, row.open_orders) == (
            figures.exposure,
            figures.unrealized,
            figures.open_orders,
        ), account


async def test_live_and_paper_are_words():
    app = PaneApp(FleetPane(a_view(mode=Mode.Live)))
    async with app.run_test(size=(120, 10)) as pilot:
        await app.drawn(pilot)
        assert all("LIVE" in line for line in app.shown()[1:4])


# -- alerts and logs ----------------------------------------------------------------------------------------------------


async def test_what_nobody_has_seen_stands_above_what_was_acknowledged():
    app = PaneApp(AlertsPane(a_view()))
    async with app.run_test(size=(100, 14)) as pilot:
        await app.drawn(pilot)
        assert app.pane.selected().alert == "order_unknown:cedar"
        app.frame(
            ev.AlertAcknowledged(at=NOW, source="desk", key="order_unknown:cedar", by="ann", note="asked the venue")
        )
        severities = [line.lstrip("▸ ").split()[0] for line in app.shown()[1:6]]
        assert severities == ["CRITICAL", "WARNING", "WARNING", "CRITICAL", "info"]
        assert "by ann" in app.shown()[4]


async def test_the_same_cause_again_counts_up_in_its_row():
    app = PaneApp(AlertsPane(a_view()))
    async with app.run_test(size=(100, 14)) as pilot:
        await app.drawn(pilot)
        rows = len([line for line in app.shown() if line.strip()])
        app.frame(
            next(event for event in alerts() if isinstance(event, ev.AlertRaised) and "drawdown" in event.alert.key)
        )
        assert len([line for line in app.shown() if line.strip()]) == rows
        assert any("x13" in line for line in app.shown())


def raised(key: str, text: str, *, cause: str = "", at: int = NOW, action: str = "") -> ev.AlertRaised:
    alert = Alert(
        key=key, rule=key.partition(":")[0], severity=Severity.Critical, account=AccountId("acme"), text=text, at=at,
        owner="risk", cause=cause, action=action,
    )  # fmt: skip
    return ev.AlertRaised(at=at, source="system:risk", alert=alert)


async def test_alerts_of_one_cause_are_one_row_that_says_whose_it_is_and_what_is_done():
    app = PaneApp(AlertsPane(a_view()))
    async with app.run_test(size=(160, 14)) as pilot:
        await app.drawn(pilot)
        app.frame(
            raised("loss:acme", "loss 1200 is 120% of 1000", cause="crash:acme", at=NOW + 1),
            raised("drawdown:acme2", "drawdown 1300 of 1000", cause="crash:acme", action="reduce-only", at=NOW + 2),
        )
        await pilot.press("home")
        (row,) = [line for line in app.shown() if "(+1)" in line]
        assert "drawdown 1300 of 1000 (+1)" in row
        waiting, *_ = app.pane.title_parts(NOW)
        assert waiting == f"{len(open_alerts(app.pane.view.replica))} to acknowledge"  # as the header counts them
        assert not any("loss 1200" in line and "CRITICAL" in line for line in app.shown())
        assert app.pane.selected().alert == "crash:acme"
        detail = next(line for line in app.shown() if "halts at" in line)
        assert "of risk" in detail
        assert "halts at reduce-only" in detail


async def test_what_is_put_off_sinks_and_what_nobody_came_for_is_overdue():
    app = PaneApp(AlertsPane(a_view()))
    async with app.run_test(size=(120, 16)) as pilot:
        await app.drawn(pilot)
        app.frame(
            raised("loss:acme", "loss 1200"),
            ev.AlertEscalated(at=NOW, source="system:risk", key="loss:acme", times=1, waited_ms=300_000),
            ev.AlertDelivered(at=NOW, source="system:risk", to="stream", late_ms=340),
            ev.AlertDelivered(at=NOW, source="desk", to="night", late_ms=7_000),
        )
        assert any("loss 1200" in line and "overdue" in line for line in app.shown())
        assert "told in 0.3 s" in str(app.pane.border_title)
        assert "1 LATE" in str(app.pane.border_title)
        snoozed = ev.AlertSnoozed(
            at=NOW, source="desk", key="loss:acme", by=OperatorId("ann"), until=NOW + 30 * MINUTE, note="known"
        )
        app.frame(snoozed)
        rows = [line for line in app.shown() if line.strip()]
        put_off = next(number for number, line in enumerate(rows) if "loss 1200" in line)
        assert "off 30m" in rows[put_off]
        assert put_off > 3


async def test_logs_follow_the_newest_until_someone_reads_further_up():
    def line(number: int) -> ev.LogWritten:
        return ev.LogWritten(at=NOW, source="desk", level="info", event=f"event_{number}", text="")

    app = PaneApp(LogsPane(a_view()))
    async with app.run_test(size=(80, 7)) as pilot:
        await app.drawn(pilot)
        app.frame(line(1))
        assert "event_1" in app.shown()[-1]
        await pilot.press("k", "k")
        await pilot.pause()
        first = app.shown()[0]
        app.frame(line(2), line(3))
        await pilot.pause()
        assert app.shown()[0] == first
        assert "4 newer, G" in str(app.pane.border_title)
        await pilot.press("G")
        await pilot.pause()
        assert "event_3" in app.shown()[-1]


async def test_logs_stay_where_they_are_read_when_old_lines_fall_out():
    app = PaneApp(LogsPane(a_view(is_empty=True)))
    async with app.run_test(size=(80, 7)) as pilot:
        await app.drawn(pilot)
        lines = [ev.LogWritten(at=NOW, source="d", level="info", event=f"event_{n:03}", text="") for n in range(520)]
        app.frame(*lines[:500])
        await pilot.pause()
        await pilot.press("ctrl+u")
        await pilot.pause()
        first = app.shown()[0]
        app.frame(*lines[500:])
        await pilot.pause()
        assert app.shown()[0] == first


async def test_logs_can_be_filtered():
    app = PaneApp(LogsPane(a_view()))
    async with app.run_test(size=(80, 12)) as pilot:
        await app.drawn(pilot)
        app.pane.set_filter("warning")
        assert len([line for line in app.shown() if line.strip()]) == 2
        app.pane.set_filter("nothing like it")
        assert "Esc clears" in app.shown()[0]
        await pilot.press("escape")
        assert len([line for line in app.shown() if line.strip()]) == 8


def shifted_book(by: str) -> ev.BookFrame:
    """The same book, higher."""
    frame, up = a_book_frame(BTC), Decimal(by)
    return ev.BookFrame(
        at=NOW,
        source="feed:binance",
        instrument=BTC,
        bids=tuple((price + up, size) for price, size in frame.bids),
        asks=tuple((price + up, size) for price, size in frame.asks),
        received_at=NOW,
        state=FeedState.Live,
    )


def test_every_pane_has_a_name_of_its_own():
    names = [pane.name_shown for pane in PANES]
    assert names == ["market", "chart", "orders", "positions", "fleet", "alerts", "logs"]
    assert feed_of(a_view()).waiting == []


@pytest.mark.parametrize(("size", "says"), [("0.0004", "<.001"), ("0.001", "0.001"), ("0", "0.000"), ("12", "12.000")])
def test_a_depth_that_is_there_is_never_shown_as_nothing(size, says):
    assert depth_shown(Decimal(size), 3) == says


async def test_a_price_off_the_tick_is_shown_as_it_is():
    app = PaneApp(OrdersPane(a_view(is_empty=True)))
    async with app.run_test(size=(120, 12)) as pilot:
        await app.drawn(pilot)
        app.frame(*working(an_order("c1", price=Decimal("60000.001"))))
        assert "60000.001" in "\n".join(app.shown()).replace(" ", "")


async def test_profit_at_a_mark_that_is_not_live_says_so():
    """5.9"""
    app = PaneApp(PositionsPane(a_view(feed_state=FeedState.Stale)))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        assert "STALE 12s" in str(app.pane.border_title)


@pytest.mark.parametrize("pane", [OrdersPane, PositionsPane])
async def test_a_halted_account_carries_its_sign_in_every_row(pane):
    app = PaneApp(pane(a_view(halted=BIRCH)))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.drawn(pilot)
        text = "\n".join(app.shown())
        assert "■birch" in text
        assert "■acme" not in text


def test_the_fleet_calls_out_a_key_that_is_refused_and_one_that_ends(snap_compare):
    view = a_view()
    view.replica.apply(key_checked(BIRCH, is_refused=True))
    assert snap_compare(PaneApp(FleetPane(view)), terminal_size=(120, 10), press=["j"])
