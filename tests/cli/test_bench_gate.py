"""`bench gate` measures decisions that are approved with every control on, for small desks and large."""

import pytest

from tradedesk.cli.bench import gate


def test_decisions_of_every_shape_are_measured_beside_the_smallest_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "DECISIONS", 3)
    monkeypatch.setattr(gate, "SHAPES", ((1, 0), (4, 20)))
    monkeypatch.setattr(gate, "_nautilus", lambda: None)
    rows = gate.measured(1)
    assert [row["what"] for row in rows] == [
        "a decision, 1 account, 0 open orders",
        "a decision, 4 accounts, 20 open orders",
        "nautilus_trader is not installed: not measured",
    ]
    assert rows[0]["value"] > 0
    assert rows[1]["beside"] == rows[0]["what"]
