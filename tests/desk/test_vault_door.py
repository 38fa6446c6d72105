"""The vault of a running desk: who may lock and open it, and that guessing its passphrase is slow."""

from pathlib import Path

import pytest

from tradedesk.access.operators import Operator, Role
from tradedesk.access.vault import Secret, Vault, open_vault
from tradedesk.clock import ManualClock
from tradedesk.desk.vault_door import VaultDoor
from tradedesk.domain.words import OperatorId
from tradedesk.log import Log

PASSPHRASE = "correct horse battery"
SECOND = 10**9


def an_operator(roles: str = "risk", accounts: str = "*") -> Operator:
    return Operator(
        name=OperatorId("rosa"),
        roles=frozenset(Role(role) for role in roles.split()),
        accounts=frozenset(accounts.split()),
        uid=None,
    )


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    made = open_vault(tmp_path / "vault", PASSPHRASE, create=True)
    made.put("acme", "binance", Secret("KEYacme", "SECRETacme"))
    return made


async def test_it_locks_at_a_word_and_opens_by_its_passphrase(vault: Vault) -> None:
    door = VaultDoor(vault, ManualClock(0), Log())
    assert door.lock(an_operator()) is None
    assert vault.is_locked
    assert await door.open(an_operator(), PASSPHRASE) is None
    assert vault.get("acme", "binance").secret == "SECRETacme"


async def test_each_wrong_passphrase_makes_the_next_wait_longer_and_the_right_one_ends_it(vault: Vault) -> None:
    clock = ManualClock(0)
    door = VaultDoor(vault, clock, Log())
    door.lock(an_operator())
    for waits_s in (1, 2, 4):
        assert "wrong passphrase; the file itself is whole" in (await door.open(an_operator(), "guessed words") or "")
        clock.advance((waits_s - 1) * SECOND)
        assert "try again in" in (await door.open(an_operator(), PASSPHRASE) or "")
        clock.advance(1 * SECOND)
    assert await door.open(an_operator(), PASSPHRASE) is None
    door.lock(an_operator())
    assert "wrong passphrase" in (await door.open(an_operator(), "guessed words") or "")
    clock.advance(1 * SECOND)
    assert await door.open(an_operator(), PASSPHRASE) is None


@pytest.mark.parametrize(("roles", "accounts"), [("support", "*"), ("trader", "acme")])
async def test_it_is_the_whole_desks_so_it_takes_a_role_over_all_of_it(vault: Vault, roles: str, accounts: str) -> None:
    door = VaultDoor(vault, ManualClock(0), Log())
    door.lock(an_operator())
    assert "may not lock or open the vault" in (await door.open(an_operator(roles, accounts), PASSPHRASE) or "")
    assert vault.is_locked
