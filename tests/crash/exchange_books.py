"""The paper exchange's admin door: what it saw, what it holds, and the trouble it is told to make."""

import json
import urllib.error
import urllib.request
from collections import Counter
from decimal import Decimal
from typing import Any

PLACES = (
    ("POST", "/api/v3/order"),
    ("POST", "/api/v3/order/cancelReplace"),
    ("order.place", ""),
    ("order.cancelReplace", ""),
)


class Exchange:
    """A running paper exchange, by its paper.v1 object."""

    def __init__(self, described: dict[str, Any]) -> None:
        self.described = described
        self.names: list[str] = [account["name"] for account in described["accounts"]]
        self.sent: Counter[str] = Counter()  # client order id -> how often an order of that id reached it
        self._seen = 0

    def look(self) -> Counter[str]:
        """Read on what it saw: how often each order was sent to it, processed or not."""
        asked = self._ask("GET", f"/requests?after={self._seen}")
        for row in asked["requests"]:
            self._seen = row["number"]
            place = row["method"], row["path"] if row["transport"] == "rest" else ""
            if place in PLACES and row["account"] is not None and row["client_order_id"] is not None:
                self.sent[row["client_order_id"]] += 1
        assert asked["count"] == self._seen, "requests were forgotten before they were read"
        return self.sent

    def books(self, name: str) -> dict[str, Any]:
        """The account as the exchange itself knows it."""
        return self._ask("GET", f"/accounts/{name}")

    def trouble(self, faults: list[dict[str, Any]]) -> list[str]:
        """Put these faults in force, one by one; what it could not do (cancel an order that is gone) in words."""
        refused = []
        for fault in faults:
            answer = self._ask("POST", "/faults", fault)
            if "error" in answer:
                refused.append(answer["error"])
        return refused

    def peace(self) -> None:
        """Take back every fault."""
        self._ask("DELETE", "/faults")

    def prices(self) -> dict[str, tuple[Decimal, Decimal]]:
        """Best bid and offer by symbol, of the public market data."""
        with urllib.request.urlopen(f"{self.described['rest']}/api/v3/ticker/bookTicker", timeout=10) as answer:
            rows = json.load(answer)
        return {row["symbol"]: (Decimal(row["bidPrice"]), Decimal(row["askPrice"])) for row in rows}

    def _ask(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self.described["admin"] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.described['admin_token']}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            if error.code != 409:
                raise AssertionError(f"{method} {path} {body}: {error.code} {error.read().decode()}") from None
            return dict(json.load(error))
