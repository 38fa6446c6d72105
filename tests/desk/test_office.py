"""The office: who may do what, under which name it is done, what cannot be let in, and in which order a halt happens."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from builders import an_order
from order_builders import a_cancel, a_cancel_all, a_place, an_account, an_amend

from tradedesk import config
from tradedesk.access.exits import Exits
from tradedesk.access.operators import Operator, Role
from tradedesk.accounts.mail import Preview, ReconcileNow
from tradedesk.clock import ManualClock
from tradedesk.desk.approvals import Approvals
from tradedesk.desk.exit_switching import ExitSwitching
from tradedesk.desk.halting import Halting
from tradedesk.desk.limit_book import LimitBook
from tradedesk.desk.limit_setting import LimitSetting
from tradedesk.desk.offboarding import Offboarding
from tradedesk.desk.office import Control, Office
from tradedesk.desk.trail import Trail
from tradedesk.domain import events as ev
from tradedesk.domain.accounts import HaltLevel
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.commands import (
    AcknowledgeAlert,
    CancelOrder,
    Command,
    HaltTrading,
    NotSubmitted,
    PlaceOrder,
    Rearm,
    Reconcile,
    Submitted,
    SwitchExit,
)
from tradedesk.domain.words import AccountId, ClientOrderId, OperatorId, RequestId
from tradedesk.log import Log
from tradedesk.orders.messages import HaltEnded, HaltNow
from tradedesk.risk.halts import HaltLatch
from tradedesk.risk.reservations import Reservations
from tradedesk.views.replica import Replica

ACME, BIRCH = AccountId("acme"), AccountId("birch")
NOBODY = OperatorId("somebody else")


def an_operator(name: str = "desk1", roles: str = "trader", accounts: str = "acme") -> Operator:
    return Operator(
        name=OperatorId(name),
        roles=frozenset(Role(role) for role in roles.split()),
        accounts=frozenset(accounts.split()),
        uid=None,
    )


TRADER = an_operator()
RISK = an_operator("risk1", "risk", "*")
SUPPORT = an_operator("help1", "support", "*")
ALONE = an_operator("solo", "trader risk", "*")  # the demo's


_ACCOUNT = """
[accounts.{0}]
venue = "binance"
secret = "{0}"
egress = "{1}"
owner = "{0}"
mode = "paper"
[accounts.{0}.limits]
max_order_notional = "1000"
"""
DESK_FILE = """
[desk]
name = "main"
reporting_currency = "USDT"
[venues.binance]
exchange = "binance"
url = "http://127.0.0.1:8765"
instruments = ["BTC/USDT"]
""" + "".join(_ACCOUNT.format(*row) for row in (("acme", "127.0.0.2"), ("birch", "127.0.0.3")))


class Taker:
    """Takes posts as a worker does, and notes how the latch stood when they came."""

    def __init__(self, account: AccountId, latch: HaltLatch) -> None:
        self.watches: str | None = None
        self.posts: list[object] = []
        self.latched: list[bool] = []
        self.is_open = True
        self.has_room = True
        self._account = account
        self._latch = latch

    def exit_switched(self) -> None:
        self.posts.append("exit")

    def post(self, message: object) -> bool:
        if self.has_room:
            self.posts.append(message)
            self.latched.append(self._latch.read(self._account) is not None)
        return self.has_room


class Bureau:
    """An office with two accounts and no threads: what it does soon, it does when asked."""

    def __init__(
        self,
        folder: Path,
        *,
        operators: Mapping[OperatorId, Operator] | None = None,
        takes_two: Iterable[str] = (),
        latch: HaltLatch | None = None,
    ) -> None:
        operators = operators or {}
        self.clock = ManualClock(1_764_000_000_000_000_000)
        self.replica = Replica()
        self.latch = HaltLatch(folder, (ACME, BIRCH)) if latch is None else latch
        self.takers = {account: Taker(account, self.latch) for account in (ACME, BIRCH)}
        self.exits = Exits({account: msgspec.structs.replace(an_account(), id=account) for account in (ACME, BIRCH)})
        self.events: list[ev.Event] = []
        self._soon: list[object] = []
        self.settings = config.parse(DESK_FILE)
        self.shared = Reservations(self.settings.accounts.values(), {}, "USDT")
        self.approvals = Approvals((), self.emit, self.clock)
        self.office = Office(
            workers=self.takers,  # type: ignore[arg-type]
            operators=operators,
            replica=self.replica,
            halting=Halting(
                workers=self.takers,  # type: ignore[arg-type]
                latch=self.latch,
                emit=self.emit,
                soon=self._soon.append,
                clock=self.clock,
                log=Log(),
            ),
            switching=ExitSwitching(
                workers=self.takers,  # type: ignore[arg-type]
                exits=self.exits,
                replica=self.replica,
                emit=self.emit,
                soon=self._soon.append,
                clock=self.clock,
                log=Log(),
            ),
            limits=LimitSetting(
                book=LimitBook(self.settings),
                shared=self.shared,
                workers=self.takers,  # type: ignore[arg-type]
                emit=self.emit,
                soon=self._soon.append,
                clock=self.clock,
                log=Log(),
            ),
            offboarding=Offboarding(
                workers=self.takers,  # type: ignore[arg-type]
                replica=self.replica,
                latch=self.latch,
                fold=lambda: None,
                forget=lambda account: None,
                emit=self.emit,
                soon=self._soon.append,
                clock=self.clock,
                log=Log(),
            ),
            approvals=self.approvals,
            takes_two=takes_two,
            trail=Trail(self.emit, self.clock),
            emit=self.emit,
            clock=self.clock,
            log=Log(),
        )

    def emit(self, event: ev.Event) -> None:
        self.events.append(event)
        self.replica.apply(event)

    def submit(self, operator: Operator, command: Command) -> Submitted | NotSubmitted:
        reply = self.office.submit(operator, command)
        for work in self._soon:
            work()  # type: ignore[operator]
        self._soon.clear()
        return reply

    def refusal(self, operator: Operator, command: Command) -> str:
        reply = self.submit(operator, command)
        assert isinstance(reply, NotSubmitted), reply
        return reply.reason

    def posts(self, account: AccountId = ACME) -> list[object]:
        return self.takers[account].posts


@pytest.fixture
def bureau(tmp_path: Path) -> Iterator[Bureau]:
    made = Bureau(tmp_path)
    yield made
    made.latch.close()


def a_halt(
    account: AccountId | None = ACME, level: HaltLevel = HaltLevel.CancelOpening, reason: str = "fire"
) -> HaltTrading:
    return HaltTrading(account=account, level=level, reason=reason, operator=NOBODY)


def a_rearm(account: AccountId | None = ACME, reason: str = "fire is out") -> Rearm:
    return Rearm(account=account, reason=reason, operator=NOBODY)


def an_alert(account: AccountId | None = ACME) -> ev.AlertRaised:
    alert = Alert(key="drawdown:acme", rule="drawdown", severity=Severity.Critical, account=account, text="", at=1)
    return ev.AlertRaised(at=1, source="system:risk", alert=alert)


# ---- who may -----------------------------------------------------------------------------------------------------------


def test_a_command_goes_under_the_operators_own_name_whatever_name_it_came_with(bureau: Bureau) -> None:
    forged = msgspec.structs.replace(a_place(), operator=NOBODY)
    assert bureau.submit(TRADER, forged) == Submitted(client_order_id=forged.client_order_id)
    bureau.submit(TRADER, msgspec.structs.replace(a_cancel(), operator=NOBODY))
    bureau.submit(TRADER, a_halt())
    assert [getattr(post, "operator", None) for post in bureau.posts()[:2]] == ["desk1", "desk1"]
    assert [event.by for event in bureau.events if isinstance(event, ev.HaltSet)] == ["desk1"]


COMMANDS: list[Command] = [
    a_place(),
    an_amend(),
    a_cancel(),
    a_cancel_all(),
    Reconcile(account=ACME, operator=NOBODY),
    a_halt(),
    a_rearm(),
    AcknowledgeAlert(key="drawdown:acme", operator=NOBODY),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_support_may_send_nothing(bureau: Bureau, command: Command) -> None:
    bureau.emit(an_alert())
    assert "takes the role" in bureau.refusal(SUPPORT, command)
    assert (bureau.posts(), [type(event) for event in bureau.events[1:]]) == ([], [ev.CommandRefused])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_nobody_acts_on_an_account_that_is_not_theirs(bureau: Bureau, command: Command) -> None:
    bureau.emit(an_alert())
    other = an_operator("desk2", "trader risk", "birch")
    assert "their accounts: birch" in bureau.refusal(other, command)
    assert (bureau.posts(), [type(event) for event in bureau.events[1:]]) == ([], [ev.CommandRefused])


def test_the_whole_desk_is_halted_and_rearmed_only_by_who_has_every_account(bureau: Bureau) -> None:
    assert "the whole desk" in bureau.refusal(TRADER, a_halt(None))
    assert bureau.submit(RISK, a_halt(None)) == Submitted()
    assert "the whole desk" in bureau.refusal(an_operator("desk2", "risk", "acme"), a_rearm(None))


def test_risk_halts_and_rearms_and_places_nothing(bureau: Bureau) -> None:
    assert "takes the role trader" in bureau.refusal(RISK, a_place())
    assert bureau.submit(RISK, a_halt()) == Submitted()
    assert bureau.submit(RISK, a_rearm()) == Submitted()


def test_an_unknown_account_is_answered_with_the_nearest_one(bureau: Bureau) -> None:
    wrong = msgspec.structs.replace(a_place(), account=AccountId("acmee"))
    assert bureau.refusal(TRADER, wrong) == "unknown account 'acmee'; did you mean acme?"
    far = msgspec.structs.replace(a_place(), account=AccountId("zzz"))
    assert bureau.refusal(RISK, far) == "unknown account 'zzz'; accounts: acme, birch"
    assert bureau.refusal(TRADER, far) == "unknown account 'zzz'; accounts: acme"  # and no name they do not know
    assert bureau.office.preview(TRADER, wrong, RequestId("p")) is not None


# ---- what cannot be let in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E+18", "1E-19", "9" * 5000])
@pytest.mark.parametrize("field", ["order_qty", "price"])
def test_a_number_that_nobody_can_reckon_with_is_refused_at_the_door(bureau: Bureau, field: str, number: str) -> None:
    """F84: inside it would break every sum it is in, and the worker with it"""
    order = msgspec.structs.replace(a_place(), **{field: Decimal(number)})
    assert (
        bureau.refusal(TRADER, order) == f"{field}: must be a number of at most 18 digits on either side of the point"
    )
    assert bureau.refusal(TRADER, msgspec.structs.replace(an_amend(), **{field: Decimal(number)})).startswith(field)
    assert bureau.office.preview(TRADER, order, RequestId("p")) is not None
    assert bureau.posts() == []


@pytest.mark.parametrize("number", ["-1", "0", "1E+5", "999999999999999999.999999999999999999"])
def test_a_number_that_is_only_wrong_is_left_to_the_gate(bureau: Bureau, number: str) -> None:
    assert isinstance(bureau.submit(TRADER, a_place(qty=number)), Submitted)


@pytest.mark.parametrize("deadline", [-1, 10**23])
def test_a_deadline_that_no_record_can_hold_is_refused_at_the_door(bureau: Bureau, deadline: int) -> None:
    assert bureau.refusal(TRADER, msgspec.structs.replace(a_place(), deadline=deadline)).startswith("deadline: ")
    assert bureau.posts() == []


@pytest.mark.parametrize("key", ["", "a" * 37, "c1\n", "c\x1b[2J", "ж1", "a b"])
def test_an_id_that_no_venue_takes_is_refused_at_the_door(bureau: Bureau, key: str) -> None:
    """5.14"""
    assert "is no usable id" in bureau.refusal(TRADER, a_place(key))
    assert "is no usable id" in bureau.refusal(TRADER, an_amend(new=key))
    assert "\x1b" not in bureau.refusal(TRADER, a_place(key))


def test_text_that_could_steer_a_terminal_is_refused_or_cleaned(bureau: Bureau) -> None:
    """5.14"""
    escape = "\x1b]52;c;AAAA\x07"
    assert "no screen shows" in bureau.refusal(TRADER, msgspec.structs.replace(a_place(), block=escape))
    bureau.submit(ALONE, a_halt(reason=f"fire{escape}" + "!" * 1000))
    bureau.submit(ALONE, a_rearm(reason=f"out{escape}"))
    bureau.emit(an_alert())
    bureau.submit(ALONE, AcknowledgeAlert(key="drawdown:acme", note=f"seen{escape}", operator=NOBODY))
    texts = [getattr(event, "reason", getattr(event, "note", "")) for event in bureau.events]
    assert not any("\x1b" in text or "\x07" in text or len(text) > 256 for text in texts)


def test_an_order_cannot_take_the_id_of_another_accounts_order(bureau: Bureau) -> None:
    """It would take that order's place on every screen."""
    bureau.emit(ev.OrderPlaced(at=1, source="worker:birch", order=an_order(account="birch", client_order_id="b1")))
    assert "of an order of account birch" in bureau.refusal(ALONE, a_place("b1"))
    assert "of an order of account birch" in bureau.refusal(ALONE, an_amend(new="b1"))
    assert (
        bureau.refusal(TRADER, a_place("b1")) == "client order id b1 is taken; use a new one"
    )  # whose is not theirs to see
    assert bureau.posts() == []


# ---- where it goes -----------------------------------------------------------------------------------------------------


def test_commands_reach_the_worker_of_their_account_alone(bureau: Bureau) -> None:
    bureau.submit(ALONE, a_place())
    bureau.submit(ALONE, CancelOrder(account=BIRCH, client_order_id=ClientOrderId("b1"), operator=NOBODY))
    bureau.submit(ALONE, Reconcile(account=BIRCH, operator=NOBODY))
    assert [type(post) for post in bureau.posts(ACME)] == [PlaceOrder]
    assert [type(post) for post in bureau.posts(BIRCH)] == [CancelOrder, ReconcileNow]


def test_an_account_that_is_not_connected_or_too_busy_says_so(bureau: Bureau) -> None:
    bureau.takers[ACME].has_room = False
    assert "too many commands waiting; nothing was sent" in bureau.refusal(TRADER, a_place())
    bureau.takers[ACME].is_open = False
    assert "not connected to its venue yet; nothing was sent" in bureau.refusal(TRADER, a_place())


def test_a_preview_is_asked_of_the_worker_and_one_that_cannot_be_asked_is_answered_all_the_same(bureau: Bureau) -> None:
    published: list[ev.Event] = []
    control = Control(bureau.office, TRADER, published.append, bureau.clock)
    control.preview(a_place(), RequestId("p1"))
    assert bureau.posts() == [Preview(command=a_place(), request_id=RequestId("p1"))]
    Control(bureau.office, SUPPORT, published.append, bureau.clock).preview(a_place(), RequestId("p2"))
    [answer] = published
    assert isinstance(answer, ev.PreviewMade)
    assert answer.request_id == "p2"
    assert "takes the role trader" in answer.verdict.denials[0]


def test_what_an_operator_may_confirm_the_desk_says_whatever_the_order_came_with(bureau: Bureau) -> None:
    claims = msgspec.structs.replace(a_place(), confirm="because", is_risk=True)
    assert isinstance(bureau.submit(TRADER, claims), Submitted)
    assert isinstance(bureau.submit(ALONE, msgspec.structs.replace(claims, is_risk=False)), Submitted)
    assert bureau.office.preview(RISK, claims, RequestId("p")) is None  # who watches may ask, and orders nothing
    posted = [getattr(post, "command", post) for post in bureau.posts()]
    assert [(post.operator, post.is_risk) for post in posted] == [("desk1", False), ("solo", True), ("risk1", True)]


def test_an_alert_is_acknowledged_under_the_operators_name(bureau: Bureau) -> None:
    """5.15"""
    bureau.emit(an_alert())
    assert bureau.submit(TRADER, AcknowledgeAlert(key="drawdown:acme", note="on it", operator=NOBODY)) == Submitted()
    row = bureau.replica.alerts["drawdown:acme"]
    assert (row.acknowledged_by, row.note) == ("desk1", "on it")
    assert "there is no alert 'nothing'" in bureau.refusal(TRADER, AcknowledgeAlert(key="nothing", operator=NOBODY))


def test_an_alert_of_a_market_may_be_acknowledged_by_whoever_trades_here(bureau: Bureau) -> None:
    bureau.emit(an_alert(account=None))
    assert bureau.submit(TRADER, AcknowledgeAlert(key="drawdown:acme", operator=NOBODY)) == Submitted()


# ---- halts -------------------------------------------------------------------------------------------------------------


def test_a_halt_latches_before_it_is_told_and_before_anything_is_posted(bureau: Bureau) -> None:
    """5.5"""
    assert bureau.submit(TRADER, a_halt()) == Submitted()
    assert [type(event) for event in bureau.events] == [ev.HaltSet]
    assert bureau.takers[ACME].latched == [True]
    assert bureau.posts() == [HaltNow(level=HaltLevel.CancelOpening, by="desk1")]
    assert bureau.posts(BIRCH) == []


def test_a_halt_of_the_desk_reaches_every_account_at_the_stricter_level(bureau: Bureau) -> None:
    bureau.submit(ALONE, a_halt(ACME, HaltLevel.CancelAll))
    bureau.submit(ALONE, a_halt(None, HaltLevel.ReduceOnly))
    assert bureau.posts(ACME)[-1] == HaltNow(level=HaltLevel.CancelAll, by="solo")
    assert bureau.posts(BIRCH) == [HaltNow(level=HaltLevel.ReduceOnly, by="solo")]


def test_rearming_one_scope_leaves_the_halt_of_the_other_in_force(bureau: Bureau) -> None:
    bureau.submit(ALONE, a_halt(ACME, HaltLevel.CancelAll))
    bureau.submit(ALONE, a_halt(None, HaltLevel.BlockNew))
    bureau.submit(ALONE, a_rearm(ACME))
    assert bureau.posts(ACME)[-1] == HaltNow(level=HaltLevel.BlockNew, by="solo")
    bureau.submit(ALONE, a_rearm(None))
    assert bureau.posts(ACME)[-1] == HaltEnded()
    assert bureau.replica.halts == {}


def test_a_rearm_takes_a_halt_a_role_and_a_reason(bureau: Bureau) -> None:
    assert bureau.refusal(ALONE, a_rearm()) == "account acme is not halted"
    assert bureau.refusal(ALONE, a_rearm(None)) == "the desk is not halted"
    bureau.submit(TRADER, a_halt())
    assert "takes the role risk" in bureau.refusal(TRADER, a_rearm())
    assert "needs a reason" in bureau.refusal(ALONE, a_rearm(reason=" "))
    assert bureau.latch.own(ACME) is not None


def test_nobody_who_trades_there_rearms_a_breach_not_even_after_halting_over_it(bureau: Bureau) -> None:
    system = Operator(name=OperatorId("system:risk"), roles=frozenset(), accounts=frozenset({"*"}), uid=None)
    assert bureau.submit(system, a_halt(reason="drawdown")) == Submitted()
    assert "a breach of their own" in bureau.refusal(ALONE, a_rearm())
    assert bureau.submit(ALONE, a_halt(level=HaltLevel.CancelAll)) == Submitted()
    assert "a breach of their own" in bureau.refusal(ALONE, a_rearm())
    assert bureau.submit(RISK, a_rearm()) == Submitted()


def test_a_halt_is_made_stricter_by_halting_and_weaker_only_by_a_rearm(bureau: Bureau) -> None:
    """5.5"""
    bureau.submit(RISK, a_halt(level=HaltLevel.BlockNew))
    for weaker in (HaltLevel.ReduceOnly, HaltLevel.CancelOpening):
        assert "refuses more than" in bureau.refusal(TRADER, a_halt(level=weaker))
    assert bureau.submit(TRADER, a_halt(level=HaltLevel.CancelAll)) == Submitted()
    halt = bureau.latch.own(ACME)
    assert halt is not None
    assert halt.level is HaltLevel.CancelAll


def test_a_halt_stands_in_this_desk_even_if_the_disk_refuses_it(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: HaltLatch, halt: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(HaltLatch, "latch", refused)
    assert bureau.submit(TRADER, a_halt()) == Submitted()
    assert ACME in bureau.replica.halts
    assert bureau.posts() == [HaltNow(level=HaltLevel.CancelOpening, by="desk1")]


# ---- exits ------------------------------------------------------------------------------------------------------------

STANDBY = "socks5://acme@10.0.0.1:1080"


def a_switch(exit_: str | None = None, reason: str = "the first one is dead") -> SwitchExit:
    return SwitchExit(account=ACME, exit=exit_, reason=reason, operator=NOBODY)


def listed(bureau: Bureau, standby: str | None = STANDBY) -> None:
    account = msgspec.structs.replace(an_account(), standby_egress=standby)
    bureau.emit(ev.AccountListed(at=1, source="desk", account=account))
    bureau.events.clear()


def test_an_exit_is_switched_there_and_back_and_each_time_recorded_with_who_and_why(bureau: Bureau) -> None:
    listed(bureau)
    for exit_ in (STANDBY, "127.0.0.2"):
        assert bureau.submit(TRADER, a_switch()) == Submitted()
        assert bureau.exits.of(ACME) == exit_
        assert bureau.exits.of(BIRCH) == "127.0.0.2"
        switched = bureau.events[-1]
        assert isinstance(switched, ev.ExitSwitched)
        assert (switched.exit, switched.by, switched.reason) == (exit_, "desk1", "the first one is dead")
    assert bureau.posts() == ["exit", "exit"]
    assert bureau.posts(BIRCH) == []


def test_choosing_the_exit_in_use_accepts_the_address_it_is_seen_at_now(bureau: Bureau) -> None:
    listed(bureau)
    before = bureau.exits.choice(ACME)
    bureau.submit(TRADER, a_switch(STANDBY))
    bureau.emit(ev.ExitProved(at=2, source="", account=ACME, exit=STANDBY, seen="203.0.113.7", how="echo e"))
    assert bureau.replica.exits[ACME].known == {STANDBY: "203.0.113.7"}
    assert bureau.submit(TRADER, a_switch(STANDBY, "the provider moved it")) == Submitted()
    assert bureau.replica.exits[ACME].known == {}
    assert bureau.exits.choice(ACME).number == before.number + 2


def test_what_is_no_exit_of_the_account_is_not_switched_to(bureau: Bureau) -> None:
    listed(bureau)
    assert "none of account acme's exits: 127.0.0.2, socks5" in bureau.refusal(TRADER, a_switch("127.0.0.9"))
    assert "none of account acme's exits" in bureau.refusal(TRADER, a_switch("socks5://u:hunter2@x:1"))
    assert "needs a reason" in bureau.refusal(TRADER, a_switch(reason=" "))
    assert "takes the role trader or risk" in bureau.refusal(SUPPORT, a_switch())
    listed(bureau, standby=None)
    assert "has no other exit than 127.0.0.2" in bureau.refusal(TRADER, a_switch())
    assert [event for event in bureau.events if isinstance(event, ev.ExitSwitched)] == []


# ---- cancelling everything ---------------------------------------------------------------------------------------------


def test_a_cancel_of_everything_goes_to_every_account_of_the_operator_and_to_no_other(bureau: Bureau) -> None:
    everywhere = msgspec.structs.replace(a_cancel_all(), account=None)
    assert bureau.submit(TRADER, everywhere) == Submitted(accounts=(ACME,))
    assert bureau.submit(ALONE, everywhere) == Submitted(accounts=(ACME, BIRCH))
    assert [post.account for post in bureau.posts(BIRCH)] == [BIRCH]  # type: ignore[attr-defined]
    assert "no account is help1's to cancel on" in bureau.refusal(SUPPORT, everywhere)


def test_an_account_that_cannot_take_the_cancel_holds_up_no_other(bureau: Bureau) -> None:
    bureau.takers[BIRCH].is_open = False
    reply = bureau.submit(ALONE, msgspec.structs.replace(a_cancel_all(), account=None))
    assert isinstance(reply, Submitted)
    assert reply.accounts == (ACME,)
    assert "birch is not connected" in reply.shortfall[0]
    bureau.takers[ACME].has_room = False
    assert "too many commands" in bureau.refusal(ALONE, msgspec.structs.replace(a_cancel_all(), account=None))
