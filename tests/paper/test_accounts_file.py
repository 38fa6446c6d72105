"""The accounts file: keys with their rights, sub-accounts, wallets; and every mistake named at once."""

import textwrap
from decimal import Decimal
from pathlib import Path

import pytest

from tradedesk.paper import accounts as room
from tradedesk.paper.accounts import Account, AccountsError, Right, generated, read, specs

KEY, OTHER, THIRD = "a" * 20, "b" * 20, "c" * 20


def accounts(tmp_path: Path, text: str) -> list[Account]:
    path = tmp_path / "accounts.toml"
    path.write_text(text)
    return read(path)


def mistakes(tmp_path: Path, text: str) -> str:
    with pytest.raises(AccountsError) as caught:
        accounts(tmp_path, text)
    return str(caught.value)


def one(rest: str = "", *, name: str = "acme", key: str = KEY) -> str:
    return f'[[accounts]]\nname = "{name}"\napi_key = "{key}"\nsecret = "s"\n{rest}\n'


def test_an_account_needs_little_and_its_key_may_trade_and_move_no_money(tmp_path):
    (account,) = accounts(tmp_path, one())
    (key,) = account.keys
    assert (account.api_key, account.secret, account.addresses) == (KEY, "s", ())
    assert set(Right) - key.rights == {Right.WITHDRAW, Right.TRANSFER}
    assert (key.created, key.trades_until, account.uid, account.master, account.futures) == (None, None, None, None, {})


def test_a_key_has_rights_addresses_and_times(tmp_path):
    text = one(
        'rights = ["read", "withdraw"]\naddresses = ["127.0.0.2", "0:0::1"]\n'
        "created = 2026-01-01T00:00:00Z\ntrades_until = 2026-12-01T02:00:00+02:00"
    )
    ((key,),) = (account.keys for account in accounts(tmp_path, text))
    assert key.rights == {Right.READ, Right.WITHDRAW}
    assert key.addresses == ("127.0.0.2", "::1")
    assert (key.created, key.trades_until) == (1_767_225_600 * 10**9, 1_796_083_200 * 10**9)


def test_an_account_may_have_several_keys(tmp_path):
    more = f'[[accounts.keys]]\napi_key = "{OTHER}"\nsecret = "t"\nrights = ["read"]\n'
    (account,) = accounts(tmp_path, one(more))
    assert [key.api_key for key in account.keys] == [KEY, OTHER]
    assert {key.name for key in account.keys} == {"acme"}
    assert account.keys[1].rights == {Right.READ}
    (bare,) = accounts(tmp_path, '[[accounts]]\nname = "acme"\n' + more)  # all of them in tables of their own
    assert bare.api_key == OTHER


def test_wallets_uid_and_commission_in_bnb_are_read(tmp_path):
    text = one('balances = { USDT = "5", BNB = "1" }\nfutures = { USDT = "7.5" }\nuid = 42\npays_bnb = true')
    (account,) = accounts(tmp_path, text)
    assert (account.balances["USDT"], account.futures, account.uid) == (Decimal(5), {"USDT": Decimal("7.5")}, 42)
    (spec,) = specs([account])
    assert (spec.pays_bnb, spec.group) == (True, None)


def test_a_master_and_its_sub_accounts_are_one_trade_group(tmp_path):
    text = one() + one('master = "acme"', name="birch", key=OTHER) + one(name="cedar", key=THIRD)
    assert [spec.group for spec in specs(accounts(tmp_path, text))] == ["acme", "acme", None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (one('rights = ["read", "fly"]'), "accounts[0].rights: must be a list of read, spot, futures, withdraw, transfer"),
        (one('rights = "read"'), "accounts[0].rights: must be"),
        (one('rights = ["withdraw"]'), "accounts[0].rights: withdraw needs a list of addresses"),
        (one("created = 2026-01-01"), "accounts[0].created: must be a time with its zone"),
        (one("trades_until = 2026-01-01T00:00:00"), "accounts[0].trades_until: must be a time with its zone"),
        (one("uid = 0"), "accounts[0].uid: must be"),
        (one('uid = "1"'), "accounts[0].uid: must be"),
        (one("pays_bnb = 1"), "accounts[0].pays_bnb: must be true or false"),
        (one('futures = { USDT = "-1" }'), "accounts[0].futures.USDT: -1 must not be negative"),
        (one('master = "nobody"'), "accounts[0].master: nobody must be another account"),
        (one('master = "acme"'), "accounts[0].master: acme must be another account"),
        (one("keys = 3"), "accounts[0].keys: must be [[accounts.keys]] tables"),
        (one('[[accounts.keys]]\napi_key = "short"\nsecret = "t"'), "accounts[0].keys[0].api_key: must be"),
        (one(f'[[accounts.keys]]\napi_key = "{OTHER}"'), "accounts[0].keys[0]: needs either secret (HMAC) or public_key"),
        (one(f'[[accounts.keys]]\napi_key = "{OTHER}"\nsecret = "t"\nname = "x"'), "accounts[0].keys[0].name: is not known"),
        (one(f'[[accounts.keys]]\napi_key = "{KEY}"\nsecret = "t"'), "accounts[0].api_key: is taken by accounts[0]"),
        ('[[accounts]]\nname = "acme"\n', "accounts[0].api_key: must be"),
        (one("uid = 7") + one("uid = 7", name="birch", key=OTHER), "accounts[1].uid: is taken by accounts[0]"),
        (
            one() + one('master = "acme"', name="birch", key=OTHER) + one('master = "birch"', name="cedar", key=THIRD),
            "accounts[2].master: birch must be another account here that has no master",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(tmp_path, text, said):
    found = mistakes(tmp_path, text)
    assert said in found
    assert KEY not in found


def test_generated_accounts_follow_from_their_seed_and_hold_both_wallets():
    made, again = generated(4, seed=7), generated(4, seed=7)
    assert made == again
    assert len({account.api_key for account in made}) == 4
    assert [account.futures["USDT"] for account in made[:2]] == [Decimal(50_000), Decimal(25_000)]
    assert all(account.keys[0].addresses for account in made)


def test_the_file_of_the_description_is_one_that_is_read(tmp_path):
    assert room.__doc__ is not None
    text = textwrap.dedent(room.__doc__.partition("\n\n")[2])
    for key in (KEY, OTHER):
        text = text.replace('api_key = "..."', f'api_key = "{key}"', 1)
    (account,) = accounts(tmp_path, text)
    assert account.keys[0].rights == account.keys[1].rights == set(Right) - {Right.WITHDRAW, Right.TRANSFER}
    assert (account.pays_bnb, account.futures) == (True, {"USDT": Decimal(50_000)})
