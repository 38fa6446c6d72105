"""By which exit each account of a desk leaves now, and where it was last seen."""

import threading
from collections.abc import Mapping
from typing import NamedTuple

from tradedesk.domain.accounts import Account
from tradedesk.domain.words import AccountId


class Choice(NamedTuple):
    """An exit as it was chosen: the same exit chosen anew is another choice."""

    number: int
    exit: str


class Exits:
    """For any thread. The desk thread alone chooses; workers and whoever opens their sessions look."""

    def __init__(self, accounts: Mapping[AccountId, Account]) -> None:
        self._families = {name: account.family for name, account in accounts.items()}
        self._choices = {name: Choice(0, account.egress) for name, account in accounts.items()}
        self._seen: dict[AccountId, str] = {}
        self._lock = threading.Lock()

    def choice(self, account: AccountId) -> Choice:
        return self._choices[account]

    def of(self, account: AccountId) -> str:
        return self._choices[account].exit

    def use(self, account: AccountId, exit_: str) -> None:
        """From the next connection on; choosing the exit in use is a choice too."""
        with self._lock:
            self._seen.pop(account, None)
            self._choices[account] = Choice(self._choices[account].number + 1, exit_)

    def claim(self, address: str, account: AccountId) -> AccountId | None:
        """Note where `account` is seen; another client that is seen there, whose address it stays.

        Accounts of one family may be seen at one address.
        """
        family = self._families.get(account)
        with self._lock:
            for other, its in self._seen.items():
                if other != account and its == address and (family is None or self._families.get(other) != family):
                    return other
            self._seen[account] = address
        return None
