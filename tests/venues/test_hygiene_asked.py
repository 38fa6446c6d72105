"""Asking a venue about a key, over real sockets: what is told, what is not, and what was not even answered."""

import urllib.request
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web
from paper_account import connected
from paper_process import account
from scripted_venue import Behaviour, adapter_at, hangs, refuses, says, says_text, scripted_venue

from tradedesk.access.vault import key_fingerprint
from tradedesk.domain.keys import DAY_NS, KeyRights
from tradedesk.venues.adapter import VenueFailed

ACCOUNT = {"uid": 7, "canTrade": True, "balances": []}
RIGHTS = {
    "ipRestrict": True, "enableReading": True, "enableSpotAndMarginTrading": True, "enableWithdrawals": False,
    "enableInternalTransfer": False, "permitsUniversalTransfer": False, "createTime": 1_700_000_000_000,
}  # fmt: skip


def answers(rights: Behaviour, account: Behaviour = says(200, ACCOUNT)) -> Behaviour:  # noqa: B008  (a function)
    async def behave(request: web.Request) -> web.StreamResponse:
        return await (rights if "apiRestrictions" in request.path else account)(request)

    return behave


def change_key(paper: dict[str, Any], name: str, **settings: object) -> None:
    body = msgspec.json.encode({"kind": "key", "account": name, "set": settings})
    headers = {"Authorization": f"Bearer {paper['admin_token']}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{paper['admin']}/faults", data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200


async def test_the_paper_exchange_tells_of_a_key_that_it_may_trade_and_move_no_money(paper):
    async with connected(paper) as adapter:
        report = await adapter.key_report()
    assert report.rights == KeyRights(
        can_read=True, can_trade=True, can_withdraw=False, can_transfer=False, is_address_bound=True
    )
    assert (report.uid, report.can_account_trade) == (str(int(report.uid or "")), True)
    assert key_fingerprint(account(paper, "acme")["api_key"]).startswith(report.fingerprint)


async def test_two_accounts_of_the_venue_have_numbers_of_their_own(paper):
    async with connected(paper) as acme, connected(paper, "birch") as birch:
        assert (await acme.key_report()).uid != (await birch.key_report()).uid


async def test_a_right_given_at_the_venue_shows_at_the_next_look(paper):
    async with connected(paper, "cedar") as adapter:
        assert not (await adapter.key_report()).rights.can_withdraw
        change_key(paper, "cedar", rights=["read", "spot", "withdraw", "transfer"], trades_until="2030-01-01T00:00:00Z")
        rights = (await adapter.key_report()).rights
    assert (rights.can_withdraw, rights.can_transfer) == (True, True)
    assert rights.expires_at == 1_893_456_000 * 10**9
    assert rights.expires_at % DAY_NS == 0


async def test_a_venue_without_a_wallet_tells_nothing_of_the_key_and_all_of_the_account():
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        venue.behaviour = answers(says_text(404, "<html>not found</html>"))
        report = await adapter.key_report()
    assert (report.uid, report.can_account_trade, report.rights) == ("7", True, None)


@pytest.mark.parametrize("which", ["account", "rights"])
@pytest.mark.parametrize(
    "failing", [says(503, {"code": -1001, "msg": "busy"}), says_text(502, "bad gateway"), says(200, []), says(200, {})]
)
async def test_what_was_not_answered_is_neither_told_nor_well(failing, which):
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        venue.behaviour = answers(failing) if which == "rights" else answers(says(200, RIGHTS), failing)
        with pytest.raises(VenueFailed) as failed:
            await adapter.key_report()
    assert not failed.value.is_auth


async def test_a_venue_that_hangs_is_given_up_as_not_asked():
    async with scripted_venue() as venue, adapter_at(venue.url, timeout_ms=200) as adapter:
        venue.behaviour = answers(hangs)
        with pytest.raises(VenueFailed):
            await adapter.key_report()


async def test_a_key_that_the_venue_does_not_take_is_refused_for_good():
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        venue.behaviour = refuses(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        with pytest.raises(VenueFailed) as failed:
            await adapter.key_report()
    assert failed.value.is_auth


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in RIGHTS.items() if key != name}


@pytest.mark.parametrize("name", [key for key in RIGHTS if key not in ("createTime",)])
@pytest.mark.parametrize(
    "spoiled", [without, lambda name: RIGHTS | {name: None}, lambda name: RIGHTS | {name: 0}, lambda name: RIGHTS | {name: "false"}]
)  # fmt: skip
async def test_a_right_that_is_not_told_in_so_many_words_is_not_taken_for_one_it_lacks(
    name: str, spoiled: Callable[[str], dict[str, object]]
):
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        venue.behaviour = answers(says(200, spoiled(name)))
        with pytest.raises(VenueFailed, match=name):
            await adapter.key_report()


@pytest.mark.parametrize("ends", ["1800000000000", 1.5, True])
async def test_an_end_of_the_key_that_is_no_time_is_refused(ends):
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        venue.behaviour = answers(says(200, RIGHTS | {"tradingAuthorityExpirationTime": ends}))
        with pytest.raises(VenueFailed, match="tradingAuthorityExpirationTime"):
            await adapter.key_report()


@pytest.mark.parametrize("right", ["enableInternalTransfer", "permitsUniversalTransfer"])
async def test_either_way_to_transfer_counts(right):
    async with scripted_venue() as venue, adapter_at(venue.url) as adapter:
        venue.behaviour = answers(says(200, RIGHTS | {right: True}))
        assert (await adapter.key_report()).rights.can_transfer
