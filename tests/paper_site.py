"""A home whose accounts are those of a paper exchange, with no desk running yet; and the exchange's other side."""

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from demo_desk import WITHIN_S, Asked

from tradedesk.cli.demo import make_desk, new_vault
from tradedesk.cli.reach import Watch
from tradedesk.domain.words import AccountId
from tradedesk.views.documents import status_document


class Site(Asked):
    """Commands are asked of the home; the rest is asked of the exchange's admin door."""

    def __init__(self, home: Path, paper: dict[str, Any]) -> None:
        super().__init__(home)
        self.paper = paper
        make_desk(self.home, paper, new_vault(self.home))

    def admin(self, method: str, path: str, body: object = None) -> Any:
        request = urllib.request.Request(
            self.paper["admin"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.paper['admin_token']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def change_key(self, name: str, **settings: object) -> None:
        self.admin("POST", "/faults", {"kind": "key", "account": name, "set": settings})

    def arrived(self, name: str, *methods: str) -> list[str]:
        """What the exchange saw of the account that would change something, oldest first."""
        rows = self.admin("GET", "/requests")["requests"]
        return [
            row["path"] for row in rows if row["account"] == name and row["method"] in (methods or ("POST", "DELETE"))
        ]

    def open_orders(self, name: str) -> list[Any]:
        return list(self.admin("GET", f"/accounts/{name}")["open_orders"])

    def until(self, name: str, state: str) -> dict[str, Any]:
        """The account as `status` has it, once it is so on the running desk."""
        account = AccountId(name)
        watch = Watch(self.home)
        try:
            is_so = watch.until(
                lambda: account in watch.replica.accounts and watch.replica.accounts[account].state == state, WITHIN_S
            )
        finally:
            watch.view.close()
        assert is_so, self.ask("status").out
        return next(row for row in self.ask("status", "--json").json["accounts"] if row["account"] == name)

    def until_so(self, happened: Callable[[dict[str, Any]], Any], name: str) -> bool:
        """Whether something comes to be so of the account as `status` has it."""
        watch = Watch(self.home)

        def is_so() -> bool:
            document = status_document(watch.replica, watch.clock.now())
            return any(row["account"] == name and bool(happened(row)) for row in document["accounts"])

        try:
            return watch.until(lambda: watch.view.is_fed and is_so(), WITHIN_S)
        finally:
            watch.view.close()
