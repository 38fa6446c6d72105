"""`bench journal` and `bench recovery` measure what they say, on a small scale."""

from pathlib import Path

import pytest

from tradedesk.cli.bench import journal, recovery
from tradedesk.domain.events import DURABLE, OrderPlaced
from tradedesk.journal.sqlite import verify


def test_the_journal_is_measured_beside_a_bare_group_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "SUBMITTERS", (1, 8, 12))
    monkeypatch.setattr(journal, "SECONDS", 0.05)
    rows = {row["what"]: row for row in journal.measured(1)}
    for count in ("1 submitter", "8 submitters", "12 submitters"):
        assert rows[f"journal, {count}"]["value"] > 0
        assert rows[f"journal, {count}"]["beside"] == f"bare group commit, {count}"
    assert rows["added to an order's latency, p50"]["value"] > 0


def test_the_events_of_a_recovery_are_a_sound_journal_with_the_orders_of_fifty_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list(recovery.events(1_000))
    assert len(made) == 1_000
    assert all(isinstance(event, DURABLE) for event in made)
    assert len({event.order.account for event in made if isinstance(event, OrderPlaced)}) == 50
    monkeypatch.setattr(recovery, "EVENTS", 1_000)
    assert recovery._written(tmp_path / "journal.sqlite") > 100_000
    found = verify(tmp_path / "journal.sqlite")
    assert (found.records, found.damaged) == (1_000, ())


def test_a_recovery_is_measured_in_processes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "EVENTS", 2_000)
    monkeypatch.setattr(recovery, "OPEN_ORDERS", 20)
    rows = {row["what"]: row for row in recovery.measured(1)}
    assert rows["recovery of all, CPU"]["value"] > 0
    assert rows["a decision, 20 open orders"]["beside"] == "a decision, no open order"
