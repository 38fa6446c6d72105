"""`tradedesk audit` and `tradedesk export`: the journal read offline, whole or damaged, by a program or a person."""

import csv
import io
import json
import sqlite3
import stat
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from builders import NOW, a_fill, a_request, an_instrument, an_order, placed
from typer.testing import CliRunner, Result

from tradedesk.cli import app
from tradedesk.clock import SystemClock
from tradedesk.domain.events import (
    DurableEvent,
    InstrumentListed,
    OrderFilled,
    OrderMoved,
    OrderPlaced,
    RequestDecided,
    RequestMade,
)
from tradedesk.domain.orders import Happening, RequestKind, RequestState
from tradedesk.domain.words import AccountId, ClientOrderId, RequestId, VenueOrderId
from tradedesk.journal.sqlite import SqliteJournal

SECOND = 1_000_000_000
ACME, C1 = AccountId("acme"), ClientOrderId("c1")


def decided(request: str, state: RequestState, *reasons: str, order: str = "c1", after: int = 0) -> RequestDecided:
    return RequestDecided(
        at=NOW + after,
        source="worker:acme",
        account=ACME,
        client_order_id=ClientOrderId(order),
        request_id=RequestId(request),
        state=state,
        reasons=reasons,
    )


LIFE: list[DurableEvent] = [
    InstrumentListed(at=NOW, source="worker:acme", instrument=an_instrument()),
    placed("acme", "c1"),
    placed("birch", "b1"),
    decided("r1", RequestState.Acknowledged, after=4_000_000),
    OrderMoved(
        at=NOW + 4_000_000,
        source="worker:acme",
        account=ACME,
        client_order_id=C1,
        happening=Happening.Accepted,
        venue_order_id=VenueOrderId("v1"),
    ),
    OrderFilled(at=NOW + SECOND, source="worker:acme", fill=a_fill("0.4", "60000", fee="0.0004", currency="BTC")),
    RequestMade(
        at=NOW + 2 * SECOND,
        source="worker:acme",
        account=ACME,
        client_order_id=C1,
        request=msgspec.structs.replace(
            a_request(RequestKind.Replace, request_id="r2"), replaced_by=ClientOrderId("c2")
        ),
    ),
    OrderPlaced(
        at=NOW + 2 * SECOND,
        source="worker:acme",
        order=msgspec.structs.replace(
            an_order(client_order_id="c2", qty="0.6", price="60010", replaces="c1", requests=(a_request(),)),
            key="0f3a55c1d2e4",
        ),
    ),
    decided("r2", RequestState.Refused, "-2011 Unknown order sent.", after=3 * SECOND),
]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    made = SqliteJournal(tmp_path / "state" / "journal.sqlite", clock=SystemClock(), on_failure=lambda _: None)
    made.open()
    for event in LIFE:
        made.append(event)
    made.close()
    return made.path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def damage(journal: Path, record: int) -> None:
    connection = sqlite3.connect(journal)
    connection.execute("UPDATE records SET payload = x'00' WHERE number = ?", (record,))
    connection.commit()
    connection.close()


def test_a_sound_journal_is_said_to_be_sound(journal: Path) -> None:
    said = run("audit", "verify", "--journal", journal)
    assert said.exit_code == 0
    assert said.stdout == f"{journal}: 9 records, every checksum and chain is sound.\n"


def test_the_first_broken_record_of_an_account_is_named_and_the_exit_code_says_so(journal: Path) -> None:
    damage(journal, 4)
    said = run("audit", "verify", "--journal", journal, "--json")
    assert said.exit_code == 1
    document = json.loads(said.stdout)
    assert (document["schema"], document["records"]) == (
        "audit.verify.v1",
        3,
    )  # the instrument, acme's first, birch's own
    assert [(row["account"], row["record"]) for row in document["damaged"]] == [("acme", 4)]
    assert said.stderr.startswith("acme: first broken record 4: its checksum does not match")


@pytest.mark.parametrize("asked", ["c1", "c2", "v1"])
def test_the_life_of_an_order_is_told_with_that_of_its_replacement_by_any_of_their_ids(
    journal: Path, asked: str
) -> None:
    document = json.loads(run("audit", "show", asked, "--journal", journal, "--json").stdout)
    assert document["schema"] == "audit.show.v1"
    assert [
        (step["record"], step["client_order_id"], step["what"], step["after_ms"]) for step in document["steps"]
    ] == [
        (2, "c1", "placed", "0.000"),
        (4, "c1", "Acknowledged", "4.000"),
        (5, "c1", "Accepted", "4.000"),
        (6, "c1", "traded", "1000.000"),
        (7, "c1", "replace", "2000.000"),
        (8, "c2", "placed", "2000.000"),
        (9, "c1", "Refused", "3000.000"),
    ]
    assert [step["took_ms"] for step in document["steps"]] == [
        None, "4.000", "4.000", "1000.000", None, None, "1000.000",
    ]  # fmt: skip
    told = " | ".join(step["detail"] for step in document["steps"])
    for part in (
        "by desk1, exit 127.0.0.2, key 0f3a55c1d2e4, replaces c1",
        "acme: buy 1 binance:BTCUSDT @ 60000 gtc, by desk1, exit 127.0.0.2",
        "0.4 @ 60000, fee 0.0004 BTC, maker, trade t1",
        "replaced by c2",
        "request r2: -2011 Unknown order sent.",
    ):
        assert part in told


def test_an_order_nobody_knows_ends_with_a_sentence(journal: Path) -> None:
    said = run("audit", "show", "c99", "--journal", journal)
    assert said.exit_code == 1
    assert said.stderr == (f"{journal}: no order 'c99'; `tradedesk orders` and `tradedesk export orders` list them.\n")


def test_a_file_that_is_no_journal_ends_with_a_sentence(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("no journal")
    for arguments in (("audit", "verify"), ("audit", "show", "c1"), ("export", "fills")):
        said = run(*arguments, "--journal", other)
        assert said.exit_code == 1
        assert said.stderr.startswith(f"{other}: ")
        assert said.stderr.count("\n") == 1
    assert "there is no journal" in run("audit", "verify", "--journal", tmp_path / "absent").stderr


def test_orders_are_exported_as_they_stand_and_numbers_stay_exact(journal: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("export", "orders", "--journal", journal).stdout)))
    assert [(row["account"], row["client_order_id"], row["cum_qty"], row["state"]) for row in rows] == [
        ("acme", "c1", "0.4", "PartiallyFilled"),
        ("birch", "b1", "0", "PendingNew"),
        ("acme", "c2", "0", "PendingNew"),
    ]
    assert [request["state"] for request in json.loads(rows[0]["requests"])] == ["Acknowledged", "Refused"]
    assert rows[0]["avg_px"] == "60000"


def test_more_dead_orders_than_a_screen_keeps_are_all_exported(tmp_path: Path) -> None:
    from tradedesk.views.replica import MAX_DEAD_ORDERS

    made = SqliteJournal(tmp_path / "journal.sqlite", clock=SystemClock(), on_failure=lambda _: None)
    made.open()
    for number in range(MAX_DEAD_ORDERS + 5):
        made.append(placed("acme", f"c{number}"))
        made.append(
            OrderMoved(
                at=NOW,
                source="worker:acme",
                account=ACME,
                client_order_id=ClientOrderId(f"c{number}"),
                happening=Happening.Rejected,
            )
        )
    made.close()
    said = run("export", "orders", "--format", "jsonl", "--journal", made.path)
    assert len(said.stdout.splitlines()) == MAX_DEAD_ORDERS + 5


def test_events_are_exported_in_order_with_their_record_numbers_and_for_one_account(journal: Path) -> None:
    rows = [
        json.loads(line)
        for line in run("export", "events", "--format", "jsonl", "--journal", journal).stdout.splitlines()
    ]
    assert [row["record"] for row in rows] == list(range(1, 10))
    assert rows[5]["type"] == "OrderFilled"
    assert rows[5]["at"] == "2025-11-24T16:00:01.000000Z"
    assert Decimal(rows[5]["event"]["fill"]["last_qty"]) == Decimal("0.4")
    birch = run("export", "events", "--format", "jsonl", "--account", "birch", "--journal", journal).stdout
    assert [json.loads(line)["record"] for line in birch.splitlines()] == [3]


def test_parquet_holds_the_same_rows_and_is_private(journal: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")
    out = tmp_path / "fills.parquet"
    said = run("export", "fills", "--format", "parquet", "--out", out, "--journal", journal)
    assert (said.exit_code, said.stderr) == (0, f"1 fills written to {out}\n")
    [row] = parquet.read_table(out).to_pylist()
    assert (row["account"], row["last_qty"], row["last_px"]) == ("acme", "0.4", "60000")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_never_overwritten(journal: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.write_text("precious")
    said = run("export", "fills", "--out", out, "--journal", journal)
    assert (said.exit_code, said.stderr) == (1, f"--out: {out} exists already; name a new file\n")
    assert out.read_text() == "precious"


def test_a_damaged_journal_is_exported_up_to_the_damage_and_says_so(journal: Path) -> None:
    damage(journal, 6)
    said = run("export", "fills", "--journal", journal)
    assert said.exit_code == 1
    assert "0 fills written, and the journal is damaged:\nacme: first broken record 6" in said.stderr


def test_parquet_without_a_file_to_write_is_a_usage_error(journal: Path) -> None:
    assert run("export", "fills", "--format", "parquet", "--journal", journal).exit_code == 2
