"""The second person: what waits for one, who may be one, and what becomes of it over time and restarts."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from order_builders import a_place, an_amend
from scripted_desk import Caller, Running, operated_by, running
from test_office import ACME, NOBODY, Bureau, a_halt, a_rearm, an_operator

from tradedesk.access.operators import SYSTEM_RISK
from tradedesk.desk import approvals as approvals_module
from tradedesk.desk.approvals import WAITS_NS, Approvals
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import Account, HaltLevel, Mode
from tradedesk.domain.commands import Approve, GoLive, HaltTrading, NotSubmitted, Submitted
from tradedesk.domain.limits import Limits
from tradedesk.domain.words import AccountId, OperatorId, RequestId, VenueId

ANN, BEN, CLEO = (
    an_operator("ann", "risk", "*"),
    an_operator("ben", "risk", "*"),
    an_operator("cleo", "risk trader", "*"),
)
TRADER = an_operator("tom", "trader", "acme")
PEOPLE = {operator.name: operator for operator in (ANN, BEN, CLEO, TRADER)}


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    made = Bureau(tmp_path, operators=PEOPLE, takes_two=("rearm-breach", "live"))
    yield made
    made.latch.close()


def breached(bureau: Bureau) -> None:
    assert bureau.submit(SYSTEM_RISK, a_halt(level=HaltLevel.ReduceOnly, reason="drawdown")) == Submitted()


def asked(bureau: Bureau) -> str:
    """Ann's wish to rearm after a breach."""
    reply = bureau.submit(ANN, a_rearm())
    assert isinstance(reply, Submitted), reply
    assert reply.approval is not None
    return reply.approval


def an_approval(id: str, note: str = "checked") -> Approve:
    return Approve(id=id, note=note, operator=NOBODY)


def alert(bureau: Bureau, id: str) -> bool:
    """Whether the alert of what waits is active."""
    return bureau.replica.alerts[f"approval:{id}"].is_active


# ---- a breach ----------------------------------------------------------------------------------------------------------


def test_a_breach_stays_until_a_second_person_approves_and_then_ends_at_once(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    assert ACME in bureau.replica.halts
    assert (list(bureau.replica.approvals), alert(bureau, id)) == ([id], True)
    assert bureau.submit(BEN, an_approval(id)) == Submitted()
    assert ACME not in bureau.replica.halts
    assert (bureau.replica.approvals, alert(bureau, id)) == ({}, False)
    [given] = [event for event in bureau.events if isinstance(event, ev.ApprovalGiven)]
    assert (given.asked_by, given.by, given.note) == ("ann", "ben", "checked")
    [rearmed] = [event for event in bureau.events if isinstance(event, ev.Rearmed)]
    assert rearmed.by == "ann"


def test_neither_who_asked_nor_who_trades_there_is_a_second_person(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    assert "ann asked for this" in bureau.refusal(ANN, an_approval(id))
    assert "cleo trades acme" in bureau.refusal(CLEO, an_approval(id))
    assert "takes the role risk" in bureau.refusal(TRADER, an_approval(id))
    refused = [event.operator for event in bureau.events if isinstance(event, ev.CommandRefused)]
    assert refused == ["ann", "cleo", "tom"]
    assert ACME in bureau.replica.halts


def test_a_halt_set_by_hand_takes_one_person(bureau: Bureau) -> None:
    bureau.submit(TRADER, a_halt())
    assert bureau.submit(ANN, a_rearm()) == Submitted()
    assert ACME not in bureau.replica.halts


def test_without_the_word_in_desk_toml_one_person_is_enough(tmp_path: Path) -> None:
    bureau = Bureau(tmp_path, operators=PEOPLE)
    breached(bureau)
    assert bureau.submit(ANN, a_rearm()) == Submitted()
    assert ACME not in bureau.replica.halts
    bureau.latch.close()


def test_asking_takes_what_doing_takes(bureau: Bureau) -> None:
    breached(bureau)
    assert "takes the role risk" in bureau.refusal(TRADER, a_rearm())
    assert "a breach of their own" in bureau.refusal(CLEO, a_rearm())
    assert "needs a reason" in bureau.refusal(ANN, a_rearm(reason=" "))
    assert bureau.replica.approvals == {}


def test_the_same_question_is_asked_once(bureau: Bureau) -> None:
    breached(bureau)
    assert asked(bureau) == asked(bureau)
    assert len([event for event in bureau.events if isinstance(event, ev.ApprovalAsked)]) == 1


def test_an_approval_lifts_the_halt_it_was_asked_about_and_no_later_one(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    bureau.clock.advance(1)
    bureau.submit(SYSTEM_RISK, a_halt(level=HaltLevel.CancelAll, reason="and again"))
    assert "has changed meanwhile" in bureau.refusal(BEN, an_approval(id))
    assert ACME in bureau.replica.halts
    assert "no request" in bureau.refusal(BEN, an_approval(id))
    assert not alert(bureau, id)


def test_a_breach_that_came_between_the_approval_and_the_lifting_stays(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    reply = bureau.office.submit(BEN, an_approval(id))  # taken; the desk thread has not come to it yet
    assert reply == Submitted()
    bureau.clock.advance(1)
    again = HaltTrading(account=ACME, level=HaltLevel.CancelAll, reason="again", operator=NOBODY)
    bureau._soon.insert(0, lambda: bureau.office._halting._halt(msgspec.structs.replace(again, operator="system:risk")))
    bureau.submit(BEN, an_approval("none"))  # lets the desk thread run
    assert bureau.replica.halts[ACME].reason == "again"


def test_approving_twice_does_it_once(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    bureau.submit(BEN, an_approval(id))
    assert f"no request '{id}' waits" in bureau.refusal(BEN, an_approval(id))
    assert len([event for event in bureau.events if isinstance(event, ev.Rearmed)]) == 1


def test_what_nobody_approves_in_time_dies(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    bureau.clock.advance(WAITS_NS - 1)
    bureau.approvals.expire()
    assert id in bureau.replica.approvals
    bureau.clock.advance(1)
    assert "no request" in bureau.refusal(BEN, an_approval(id))  # even before it was cleared away
    bureau.approvals.expire()
    assert (bureau.replica.approvals, alert(bureau, id)) == ({}, False)
    assert asked(bureau) != id


def test_who_may_not_ask_any_more_is_not_done_a_favour(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    bureau.office._operators = {**PEOPLE, ANN.name: an_operator("ann", "support", "*")}
    assert "may not do so any more" in bureau.refusal(BEN, an_approval(id))
    assert ACME in bureau.replica.halts


def test_what_waits_is_bounded(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.13"""
    monkeypatch.setattr(approvals_module, "MAX_OPEN_EACH", 0)
    breached(bureau)
    assert "too many requests wait" in bureau.refusal(ANN, a_rearm())


def test_text_that_could_steer_a_terminal_is_cleaned(bureau: Bureau) -> None:
    """5.14"""
    breached(bureau)
    reply = bureau.submit(ANN, a_rearm(reason="ok\x1b]52;c;AAAA\x07" + "x" * 5_000))
    assert isinstance(reply, Submitted)
    [waiting] = bureau.replica.approvals.values()
    assert "\x1b" not in waiting.what + bureau.replica.alerts[f"approval:{waiting.id}"].alert.text
    assert len(waiting.what) <= 400
    bureau.submit(BEN, an_approval(waiting.id, note="\x1b[2J"))
    assert not any("\x1b" in event.note for event in bureau.events if isinstance(event, ev.ApprovalGiven))


def test_a_command_of_another_program_is_not_guessed_at(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    waiting = bureau.replica.approvals[id]
    for command in ("{}", "", '{"type":"Unheard"}'):
        old = Approvals([msgspec.structs.replace(waiting, command=command)], bureau.emit, bureau.clock)
        bureau.office._approvals = old
        assert "has to be asked anew" in bureau.refusal(BEN, an_approval(id))
    assert ACME in bureau.replica.halts


def test_what_waits_for_an_account_that_has_gone_since_is_over(bureau: Bureau) -> None:
    breached(bureau)
    id = asked(bureau)
    gone = msgspec.structs.replace(bureau.replica.approvals[id], account=AccountId("zeta"))
    bureau.office._approvals = Approvals([gone], bureau.emit, bureau.clock)
    assert "has to be asked anew" in bureau.refusal(BEN, an_approval(id))
    assert bureau.office._approvals.find(id) is None


# ---- live --------------------------------------------------------------------------------------------------------------


def listed(bureau: Bureau, *, mode: Mode = Mode.Live, key: str = "k1") -> None:
    account = Account(
        id=ACME, venue=VenueId("binance"), owner="a", groups=(), mode=mode, egress="127.0.0.2", secret="a", limits=Limits(),
        key=key,
    )  # fmt: skip
    bureau.emit(ev.AccountListed(at=1, source="desk", account=account))


def go_live(bureau: Bureau, operator=TRADER) -> str:  # type: ignore[no-untyped-def]
    reply = bureau.submit(operator, GoLive(account=ACME, reason="mandate signed", operator=NOBODY))
    assert isinstance(reply, Submitted), reply
    assert reply.approval is not None
    return reply.approval


def test_a_live_account_places_nothing_before_two_persons_let_its_key_trade(bureau: Bureau) -> None:
    listed(bureau)
    for command in (a_place(), an_amend()):
        assert "two persons must let its key trade first" in bureau.refusal(TRADER, command)
    refused = bureau.office.preview(TRADER, a_place(), RequestId("p"))
    assert refused is not None
    assert "two persons" in refused.reason
    id = go_live(bureau)
    assert "two persons" in bureau.refusal(TRADER, a_place())
    assert bureau.submit(BEN, an_approval(id)) == Submitted()
    assert bureau.submit(TRADER, a_place()) == Submitted(client_order_id=a_place().client_order_id)
    assert bureau.replica.live == {ACME: "k1"}
    [approved] = [event for event in bureau.events if isinstance(event, ev.LiveApproved)]
    assert (approved.by, approved.approved_by, approved.key) == ("tom", "ben", "k1")


def test_another_key_takes_another_approval(bureau: Bureau) -> None:
    listed(bureau)
    bureau.submit(BEN, an_approval(go_live(bureau)))
    listed(bureau, key="k2")
    assert "two persons" in bureau.refusal(TRADER, a_place())


def test_an_approval_is_for_the_key_that_was_asked_about(bureau: Bureau) -> None:
    listed(bureau)
    id = go_live(bureau)
    listed(bureau, key="k2")
    assert "has changed meanwhile" in bureau.refusal(BEN, an_approval(id))
    assert bureau.replica.live == {}


def test_who_trades_there_may_approve_going_live_but_not_their_own_wish(bureau: Bureau) -> None:
    """only a breach is an accusation"""
    listed(bureau)
    id = go_live(bureau, CLEO)
    assert "cleo asked for this" in bureau.refusal(CLEO, an_approval(id))
    assert bureau.submit(BEN, an_approval(id)) == Submitted()
    listed(bureau, key="k2")
    id = go_live(bureau, TRADER)
    assert bureau.submit(CLEO, an_approval(id)) == Submitted()


def test_cancels_and_halts_go_without_anybodys_approval(bureau: Bureau) -> None:
    """5.4, 5.5"""
    from order_builders import a_cancel

    listed(bureau)
    assert isinstance(bureau.submit(TRADER, a_cancel()), Submitted)
    assert bureau.submit(TRADER, a_halt()) == Submitted()


def test_paper_needs_no_approval_and_says_so(bureau: Bureau) -> None:
    listed(bureau, mode=Mode.Paper)
    assert isinstance(bureau.submit(TRADER, a_place()), Submitted)
    wish = GoLive(account=ACME, reason="why not", operator=NOBODY)
    assert "needs no approval to trade" in bureau.refusal(TRADER, wish)


def test_without_the_word_in_desk_toml_live_trades_at_once(tmp_path: Path) -> None:
    bureau = Bureau(tmp_path, operators=PEOPLE)
    listed(bureau)
    assert isinstance(bureau.submit(TRADER, a_place()), Submitted)
    bureau.latch.close()


# ---- over a restart ----------------------------------------------------------------------------------------------------

CREW = {"ann": ("risk", "*", None), "ben": ("risk", "*", None)}


def talk(desk: Running, name: str) -> Caller:
    caller = Caller(desk.desk.home.control_socket)
    assert caller.ask({"type": "hello", "operator": name})["type"] == "welcome"
    return caller


def test_what_waits_survives_a_restart_and_is_approved_by_whom_it_then_is(tmp_path: Path) -> None:
    crew = operated_by(CREW, ("rearm-breach",))
    with running(tmp_path, change=crew) as desk:
        halt = HaltTrading(account=AccountId("acme"), reason="drawdown", operator=OperatorId(""))
        assert desk.desk.office.submit(SYSTEM_RISK, halt) == Submitted()
        assert desk.until(lambda: desk.view.replica.halts)
        rearm = {"type": "Rearm", "account": "acme", "reason": "looked at it", "operator": ""}
        ann = talk(desk, "ann")
        id = ann.ask({"type": "submit", "command": rearm})["approval"]
        assert desk.until(lambda: id in desk.view.replica.approvals)
        ann.close()
    with running(tmp_path, change=crew, is_ready=lambda found: bool(found.view.replica.halts)) as desk:
        assert desk.until(lambda: id in desk.view.replica.approvals)
        approval = {"type": "submit", "command": {"type": "Approve", "id": id, "note": "so did I", "operator": ""}}
        ann, ben = talk(desk, "ann"), talk(desk, "ben")
        assert "ann asked for this" in ann.ask(approval)["reason"]
        assert ben.ask(approval) == {"type": "Submitted"}
        assert desk.until(lambda: not desk.view.replica.halts)
        assert isinstance(
            desk.desk.office.submit(desk.desk.operators[OperatorId("ben")], Approve(id=id, operator=NOBODY)),
            NotSubmitted,
        )
        for caller in (ann, ben):
            caller.close()
    with running(tmp_path, change=crew) as desk:
        assert desk.view.replica.approvals == {}
