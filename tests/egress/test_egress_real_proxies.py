"""A whole desk trades through real proxies that are killed, hung, moved and replaced by a login page.

By what the paper exchange saw: nothing of a client came from another address than its own, nothing went anywhere else.
"""

import http.server
import threading
from decimal import Decimal

import msgspec
import pytest
from demo_desk import Asked
from exit_desk import ACME, BIRCH, BIRCH_AT, FEED_AT, is_as, proxies, standing, world
from faulty_desk import ME
from real_proxies import PASSWORD, Page, needs_proxies

from tradedesk.domain import events as ev
from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import SwitchExit
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side

pytestmark = needs_proxies

OUT, SPARE, MOVED, FEED_OUT = "127.0.0.31", "127.0.0.32", "127.0.0.33", "127.0.0.34"
FAR = Decimal("0.99")  # of the bid: inside the collar, and not traded with


@pytest.fixture
def elsewhere():
    """A web server that nobody may come to: where a redirect would lead."""
    page = Page(None)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), page.handler())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page.url = f"http://127.0.0.1:{server.server_address[1]}/stolen"
    yield page
    server.shutdown()
    server.server_close()


def price(found):
    return (found.bid() * FAR).quantize(Decimal(1))


def rest(found, account=ACME):
    """An order that stays on the book."""
    key = found.place(Side.Buy, "0.01", price(found), account=account)
    return found.until_order(key, OrderState.New)


def only_by(there, *addresses):
    """Nothing of acme came from elsewhere, over whichever transport; birch and the market data had their own all the time."""
    by = there.peers(ACME)
    assert {"rest", "wsapi"} <= set(by), "both transports were used"
    assert set().union(*by.values()) <= set(addresses)
    assert set().union(*there.peers(BIRCH).values()) == {BIRCH_AT}
    assert there.strangers() <= {*addresses, BIRCH_AT, FEED_AT}


def no_password_in(there):
    for path in there.home.config.parent.rglob("*"):
        if path.is_file() and path.name != "vault":
            assert PASSWORD.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_F09_a_client_trades_through_its_proxy_and_a_dead_one_stops_it_and_nobody_else(scheme, tmp_path):
    with (
        proxies(tmp_path, (scheme, OUT)) as [proxy],
        world(tmp_path, proxy.exit, None, [OUT]) as there,
        there.desk() as found,
    ):
        order = rest(found)
        assert order.egress == proxy.exit
        proof = found.view.replica.exits[ACME]
        assert (proof.exit, proof.seen, proof.how, proof.problem) == (proxy.exit, OUT, "echo 127.0.0.1", None)
        found.until(
            lambda: found.view.replica.accounts[ACME].health.exit_seen == proxy.exit, "the stream's own exit is told"
        )
        proxy.kill()
        found.until(
            lambda: is_as(found, AccountState.Offline, f"exit {proxy.exit}", "cannot be reached"),
            lambda: f"acme is offline and names its exit, but {standing(found)}",
        )
        assert "Offline" in found.denials(found.place(Side.Buy, "0.01", price(found)))
        assert found.is_order(order.client_order_id, OrderState.New)
        rest(found, BIRCH)
        only_by(there, OUT)
        mark = found.mark()
        proxy.start()
        found.until(lambda: is_as(found, AccountState.Ready), lambda: f"acme is back, but {standing(found)}")
        again = [proof.seen for proof in found.since(mark, ev.ExitProved) if proof.account == ACME]
        assert set(again) == {OUT}  # the new connection was proved anew
        found.cancel(order.client_order_id)
        rest(found)
        only_by(there, OUT)
    no_password_in(there)


def test_F09_a_proxy_that_hangs_leaves_an_order_unknown_and_the_venue_settles_it(tmp_path):
    with (
        proxies(tmp_path, ("socks5", OUT)) as [proxy],
        world(tmp_path, proxy.exit, None, [OUT]) as there,
        there.desk() as found,
    ):
        rest(found)
        proxy.hang()
        key = found.place(Side.Buy, "0.01", price(found))
        found.until(
            lambda: is_as(found, AccountState.Offline, f"exit {proxy.exit}", "no answer within"),
            lambda: f"acme is offline and names its exit, but {standing(found)}",
            within_s=60.0,
        )
        assert found.order(key).is_uncertain or found.is_order(key, OrderState.Denied)
        rest(found, BIRCH)
        proxy.go_on()
        found.until(lambda: is_as(found, AccountState.Ready), lambda: f"acme is back, but {standing(found)}", 60.0)
        found.until(
            lambda: not found.order(key).is_uncertain, lambda: f"the order is settled, but {found.order(key)}", 60.0
        )
        only_by(there, OUT)


@pytest.mark.parametrize("is_redirect", [False, True])
@pytest.mark.parametrize("scheme", ["socks5", "http"])
def test_F09_a_proxy_that_became_a_login_page_gets_no_key_and_no_order(scheme, is_redirect, tmp_path, elsewhere):
    with (
        proxies(tmp_path, (scheme, OUT)) as [proxy],
        world(tmp_path, proxy.exit, None, [OUT]) as there,
        there.desk() as found,
    ):
        order = rest(found)
        page = proxy.become_a_page(elsewhere.url if is_redirect else None)
        found.until(
            lambda: is_as(found, AccountState.Offline, f"exit {proxy.exit}"),
            lambda: f"acme is offline and names its exit, but {standing(found)}",
        )
        assert "Offline" in found.denials(found.place(Side.Buy, "0.01", price(found)))
        rest(found, BIRCH)
        assert "X-MBX-APIKEY" not in page.text
        assert "signature" not in page.text
        assert elsewhere.asked == 0
        proxy.kill()
        proxy.start()
        found.until(lambda: is_as(found, AccountState.Ready), lambda: f"acme is back, but {standing(found)}", 60.0)
        found.cancel(order.client_order_id)
        only_by(there, OUT)
    no_password_in(there)


def test_a_switch_to_the_standby_exit_is_recorded_proved_and_holds_over_a_restart(tmp_path):
    with (
        proxies(tmp_path, ("socks5", OUT), ("http", SPARE)) as [proxy, spare],
        world(tmp_path, proxy.exit, spare.exit, [OUT, SPARE]) as there,
    ):
        with there.desk() as found:
            first = rest(found)
            proxy.kill()
            found.until(lambda: is_as(found, AccountState.Offline, proxy.exit), lambda: standing(found))
            mark = found.mark()
            found.control.submit(SwitchExit(account=ACME, reason="the first proxy is dead", operator=ME))
            found.until(lambda: is_as(found, AccountState.Ready), lambda: f"acme is back, but {standing(found)}")
            (switched,) = found.since(mark, ev.ExitSwitched)
            assert (switched.exit, switched.by, switched.reason) == (spare.exit, "demo", "the first proxy is dead")
            proved = found.since(mark, ev.ExitProved)
            assert {(event.exit, event.seen) for event in proved if event.account == ACME} == {(spare.exit, SPARE)}
            assert rest(found).egress == spare.exit
            assert found.order(first.client_order_id).egress == proxy.exit
            found.cancel(first.client_order_id)
        seen = there.paper.ask("GET", "/requests")["requests"][-1]["number"]
        proxy.start()  # it is there again, and nobody goes by it unasked
        with there.desk() as found:
            assert rest(found).egress == spare.exit
            after = [row["peer"] for row in there.rows() if row["number"] > seen and row["account"] == ACME]
            assert set(after) == {SPARE}
            found.control.submit(SwitchExit(account=ACME, reason="repaired", operator=ME))
            found.until(
                lambda: found.view.replica.exits[ACME].seen == OUT and is_as(found, AccountState.Ready),
                lambda: f"acme is back at its first exit, but {standing(found)}",
            )
            assert rest(found).egress == proxy.exit
        only_by(there, OUT, SPARE)


def test_a_switch_away_from_a_proxy_that_hangs_does_not_wait_for_it_and_settles_what_it_held(tmp_path):
    with (
        proxies(tmp_path, ("http", OUT)) as [proxy],
        world(tmp_path, proxy.exit, SPARE, [OUT, SPARE]) as there,
        there.desk() as found,
    ):
        rest(found)
        proxy.hang()
        key = found.place(Side.Buy, "0.01", price(found))  # its bytes are in the proxy, and may yet arrive
        found.until(lambda: found.order(key) is not None, "the order is on its way")
        found.control.submit(SwitchExit(account=ACME, reason="the proxy hangs", operator=ME))
        found.until(
            lambda: found.view.replica.exits[ACME].seen == SPARE and is_as(found, AccountState.Ready),
            lambda: f"acme leaves by its standby, but {standing(found)}",
        )
        assert rest(found).egress == SPARE
        found.until(lambda: not found.order(key).is_uncertain, lambda: f"it is settled, but {found.order(key)}", 60.0)
        proxy.go_on()
        only_by(there, OUT, SPARE)


def test_a_kill_goes_by_the_clients_own_exits_and_by_no_other(tmp_path):
    with (
        proxies(tmp_path, ("socks5", OUT), ("http", SPARE)) as [proxy, spare],
        world(tmp_path, proxy.exit, spare.exit, [OUT, SPARE]) as there,
    ):
        with there.desk() as found:
            rest(found)
            found.control.submit(SwitchExit(account=ACME, reason="a drill", operator=ME))
            found.until(
                lambda: found.view.replica.exits[ACME].seen == SPARE and is_as(found, AccountState.Ready),
                lambda: f"acme leaves by its standby, but {standing(found)}",
            )
            rest(found)
        proxy.kill()  # so that the kill must find the exit that was switched to
        before = there.rows()[-1]["number"]
        asked = Asked(there.home.config.parent)
        kill = ("kill", "--account", "acme", "--level", "cancel-all", "--reason", "a drill", "--json")
        ran = asked.ask(*kill)
        assert ran.status == 0, ran.err
        assert ran.json["accounts"][0]["cancelled"] == 2
        assert {row["peer"] for row in there.rows() if row["number"] > before} == {SPARE}
        spare.kill()
        after = there.rows()[-1]["number"]
        ran = asked.ask(*kill)
        assert (ran.status, f"exit {spare.exit}: it cannot be reached" in ran.err) == (1, True), ran.err
        assert there.rows()[-1]["number"] == after
    no_password_in(there)


def test_a_proxy_that_lets_out_elsewhere_bars_new_orders_until_a_person_accepts_it(tmp_path):
    with (
        proxies(tmp_path, ("socks5", OUT)) as [proxy],
        world(tmp_path, proxy.exit, None, [OUT, MOVED]) as there,
        there.desk() as found,
    ):
        order = rest(found)
        proxy.kill()
        proxy.address = MOVED
        proxy.start()
        found.until(
            lambda: is_as(found, AccountState.Blocked, f"is seen at {MOVED}, not at {OUT}", "switch-exit acme --to"),
            lambda: f"acme is blocked for its new address, but {standing(found)}",
            60.0,
        )
        assert MOVED in found.denials(found.place(Side.Buy, "0.01", price(found)))
        found.cancel(order.client_order_id)  # cancels pass
        found.control.submit(SwitchExit(account=ACME, exit=proxy.exit, reason="the provider moved it", operator=ME))
        found.until(lambda: is_as(found, AccountState.Ready), lambda: f"acme is accepted, but {standing(found)}", 60.0)
        rest(found)
        only_by(there, OUT, MOVED)


def test_two_clients_seen_at_one_address_are_not_both_let_trade(tmp_path):
    with (
        proxies(tmp_path, ("socks5", BIRCH_AT)) as [proxy],
        world(tmp_path, proxy.exit, None, [BIRCH_AT]) as there,
        there.desk(is_well=False) as found,
    ):
        found.until(
            lambda: (
                {row.state for row in found.view.replica.accounts.values()}
                == {AccountState.Ready, AccountState.Blocked}
            ),
            lambda: f"one of them is barred and the other trades, but {standing(found)}",
        )
        barred = next(name for name in (ACME, BIRCH) if is_as(found, AccountState.Blocked, account=name))
        other = BIRCH if barred == ACME else ACME
        assert is_as(found, AccountState.Blocked, f"is seen at {BIRCH_AT}, and so is account {other}", account=barred)


def test_market_data_leaves_by_the_exit_of_its_venue_a_proxy_too(tmp_path):
    with (
        proxies(tmp_path, ("socks5", OUT), ("socks5", FEED_OUT)) as [proxy, feed],
        world(tmp_path, proxy.exit, None, [OUT], feed=feed.exit) as there,
        there.desk() as found,
    ):
        rest(found)
        public = {(row["transport"], row["peer"]) for row in there.rows() if row["account"] is None}
        assert ("rest", FEED_OUT) in public
        assert {peer for transport, peer in public if transport == "stream"} == {FEED_OUT}
        feed.kill()
        found.until(lambda: not found.is_live(), "the market is shown as not live")
        assert is_as(found, AccountState.Ready)
        feed.start()
        found.until(found.is_live, "the market is live again", 60.0)
        assert there.strangers() <= {OUT, FEED_OUT, BIRCH_AT}


def test_a_proxy_without_its_password_opens_nothing(tmp_path):
    with (
        proxies(tmp_path, ("socks5", OUT)) as [proxy],
        world(tmp_path, proxy.exit, None, [OUT]) as there,
    ):
        from tradedesk.access.egress import EXIT_SCOPE
        from tradedesk.access.vault import open_vault

        open_vault(there.home.vault, there.home.passphrase).remove_text(proxy.exit, EXIT_SCOPE)
        with there.desk(is_well=False) as found:
            found.until(
                lambda: ACME in found.view.replica.accounts and is_as(found, AccountState.Offline, "has no password"),
                lambda: f"acme says what is missing, but {standing(found)}",
            )
        assert there.peers(ACME) == {}
        assert msgspec.structs.asdict(found.view.replica.accounts[ACME].account)["egress"] == proxy.exit
