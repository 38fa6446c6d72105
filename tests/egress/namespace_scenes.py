"""Scenes in a network of their own, run by test_egress_namespaces.py: addresses come and go there, as they like.

Collected only when named: outside such a network these would take addresses from the machine they run on.
"""

import subprocess
from decimal import Decimal

from exit_desk import ACME, BIRCH, BIRCH_AT, FEED_AT, is_as, standing, world
from faulty_desk import ME

from tradedesk.domain.accounts import AccountState
from tradedesk.domain.commands import SwitchExit
from tradedesk.domain.orders import OrderState
from tradedesk.domain.words import Side

FIRST, SPARE, OTHER = "10.77.0.11", "10.77.0.12", "10.77.0.99"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def rested(found, account=ACME):
    key = found.place(Side.Buy, "0.01", (found.bid() * Decimal("0.99")).quantize(Decimal(1)), account=account)
    return found.until_order(key, OrderState.New)


def test_F11_an_address_that_is_taken_away_stops_its_client_and_no_other_address_is_used_instead(tmp_path):
    ip("link", "set", "lo", "up")
    for address in (OTHER, FIRST, SPARE):  # the first of them is the one a careless socket would take
        ip("addr", "add", f"{address}/32", "dev", "lo")
    with world(tmp_path, FIRST, SPARE, [FIRST, SPARE]) as there, there.desk() as found:
        order = rested(found)
        ip("addr", "del", f"{FIRST}/32", "dev", "lo")
        found.until(
            lambda: is_as(found, AccountState.Offline, f"{FIRST} is not an address of this machine"),
            lambda: f"acme says that its address is gone, but {standing(found)}",
            within_s=90.0,
        )
        assert "Offline" in found.denials(found.place(Side.Buy, "0.01", Decimal(60_000)))
        rested(found, BIRCH)
        ip("addr", "add", f"{FIRST}/32", "dev", "lo")
        found.until(lambda: is_as(found, AccountState.Ready), lambda: f"acme is back, but {standing(found)}", 90.0)
        found.cancel(order.client_order_id)
        assert set().union(*there.peers(ACME).values()) == {FIRST}
        ip("addr", "del", f"{FIRST}/32", "dev", "lo")
        found.control.submit(SwitchExit(account=ACME, reason="the address is gone", operator=ME))
        found.until(
            lambda: is_as(found, AccountState.Ready) and found.view.replica.exits[ACME].seen == SPARE,
            lambda: f"acme leaves by its standby, but {standing(found)}",
            within_s=90.0,
        )
        assert rested(found).egress == SPARE
        assert set().union(*there.peers(ACME).values()) == {FIRST, SPARE}
        assert there.strangers() <= {FIRST, SPARE, BIRCH_AT, FEED_AT}
