"""The setup as a value: what is asked next, what an answer changes, what the answers come to. No venue, no terminal."""

from decimal import Decimal

import pytest

from tradedesk.config import Settings, parse, render
from tradedesk.config.questions import Hidden, Question
from tradedesk.config.setup_model import (
    Check,
    Checked,
    Finished,
    Fix,
    Machine,
    State,
    Step,
    answered,
    next_step,
    one_back,
    retried,
    with_checked,
    withdrawn,
)
from tradedesk.config.setup_plan import SetupPlan
from tradedesk.domain.accounts import Mode
from tradedesk.domain.alerts import Severity
from tradedesk.domain.findings import fail, ok, warn
from tradedesk.domain.webhooks import Receiver, ReceiverKind
from tradedesk.domain.words import AccountId, VenueId

MACHINE = Machine(
    user="ann",
    uid=1000,
    sources=("10.0.0.4", "10.0.0.5"),
    loopback=("127.0.0.1", "127.0.0.2", "127.0.0.3"),
    keyring=None,
    has_vault_file=False,
    has_passphrase_file=False,
    exchanges=("binance",),
    folder="/home/ann",
)
ANSWERS = {
    "vault.passphrase": "good words",
    "venues.binance.url": "http://127.0.0.1:8765",
    "new_accounts": "acme",
    "accounts.acme.api_key": "key",
    "accounts.acme.secret": "hush",
    "operators.ann.passphrase": "",
}
FINE = Checked(findings=(ok("it", "works"),))


def a_plan(before: Settings | None = None, **machine: object) -> SetupPlan:
    return SetupPlan(
        before, Machine(**{**{field: getattr(MACHINE, field) for field in MACHINE.__struct_fields__}, **machine})
    )


def driven(
    plan: SetupPlan, answers: dict[str, str] | None = None, checks: dict[str, Checked] | None = None, until: str = ""
) -> tuple[State, Step, list[str]]:
    """Answer what is asked, with what is proposed where `answers` say nothing; stops at a Fix, the end, or the key `until`."""
    told, found, asked = {**ANSWERS, **(answers or {})}, checks or {}, []
    state = State()
    while True:
        step = next_step(plan, plan.compose, state)
        match step:
            case Question():
                asked.append(step.key)
                if step.key == until:
                    return state, step, asked
                after = answered(plan, state, step, told.get(step.key, ""))
                assert isinstance(after, State), f"{step.key}: {after}"
                state = after
            case Check():
                asked.append(step.key)
                state = with_checked(state, step, found.get(step.key, FINE))
            case _:
                return state, step, asked


def asked_for(plan: SetupPlan, key: str, answers: dict[str, str] | None = None) -> Question:
    _, step, _ = driven(plan, answers, until=key)
    assert isinstance(step, Question)
    return step


def test_the_order_of_questions_has_each_check_right_after_what_it_looks_at() -> None:
    _, step, asked = driven(a_plan())
    assert isinstance(step, Finished)
    assert asked == [
        "desk.name", "desk.reporting_currency",
        "vault.passphrase", "vault.unattended", "vault",
        "new_venues", "venues.binance.exchange", "venues.binance.url", "venues.binance.egress",
        "venues.binance.instruments", "venue:binance",
        "new_accounts", "accounts.acme.owner", "accounts.acme.egress", "exit:acme",
        "accounts.acme.kind", "accounts.acme.api_key", "accounts.acme.secret", "key:acme",
        "accounts.acme.max_order_notional", "accounts.acme.max_position_notional", "accounts.acme.price_collar_bps",
        "accounts.acme.max_open_orders", "accounts.acme.max_drawdown",
        "new_operators", "operators.ann.roles", "operators.ann.accounts", "operators.ann.uid",
        "operators.ann.passphrase", "new_alerts",
    ]  # fmt: skip


def test_what_is_written_is_read_back_as_what_was_answered() -> None:
    told = Checked(findings=(ok("key", "works"),), told={"uid": "35", "free": "12345.67", "held": "124000.5"})
    _, step, _ = driven(a_plan(), checks={"key:acme": told})
    assert isinstance(step, Finished)
    assert parse(render(step.settings)) == step.settings
    account = step.settings.accounts[AccountId("acme")]
    assert (account.mode, account.egress, account.uid) == (Mode.Paper, "127.0.0.2", "35")
    assert account.limits.max_order_notional == Decimal(1_000)  # a tenth of what it holds, one figure
    assert account.limits.max_position_notional == Decimal(129_001)  # what it holds counts: else it could only sell
    assert "hush" not in render(step.settings)


def test_a_live_venue_makes_live_accounts_that_leave_by_no_loopback_address() -> None:
    plan = a_plan()
    _, step, _ = driven(plan, {"venues.binance.url": "live"})
    assert isinstance(step, Finished)
    account = step.settings.accounts[AccountId("acme")]
    assert (account.mode, account.egress) == (Mode.Live, "10.0.0.5")  # the first is the market data's
    assert step.settings.venues[VenueId("binance")].url is None
    offers = asked_for(plan, "accounts.acme.egress", {"venues.binance.url": "live"}).offers
    assert [offer.value for offer in offers] == ["10.0.0.4", "10.0.0.5"]


def test_a_failed_check_offers_the_answers_it_looked_at_and_no_others() -> None:
    refused = Checked(findings=(fail("key", "is refused", "look at it"),))
    _, step, _ = driven(a_plan(), checks={"key:acme": refused})
    assert isinstance(step, Fix)
    assert [question.key for question in step.questions] == [
        "accounts.acme.api_key", "accounts.acme.secret", "accounts.acme.kind", "accounts.acme.egress",
        "venues.binance.url",
    ]  # fmt: skip


def test_correcting_one_answer_asks_only_it_again_and_repeats_only_the_checks_it_touches() -> None:
    plan = a_plan()
    state, step, _ = driven(plan, checks={"key:acme": Checked(findings=(fail("key", "is refused", "look"),))})
    assert isinstance(step, Fix)
    state = withdrawn(plan, state, "accounts.acme.egress")
    assert set(state.checked) == {"vault", "venue:binance"}  # the exit's and the key's looked at it
    again = next_step(plan, plan.compose, state)
    assert isinstance(again, Question)
    assert again.key == "accounts.acme.egress"
    after = answered(plan, state, again, "127.0.0.3")
    assert isinstance(after, State)
    assert next_step(plan, plan.compose, after) == Check(
        key="exit:acme",
        says="whether acme gets out by that exit, and is seen there",
        needs=(
            "accounts.acme.egress", "accounts.acme.proxy_password", "accounts.acme.exit_check", "accounts.acme.venue",
            "venues.binance.url",
        ),
    )  # fmt: skip


def test_a_check_can_be_run_again_without_another_answer() -> None:
    plan = a_plan()
    state, step, _ = driven(plan, checks={"exit:acme": Checked(findings=(fail("exit", "is down", "mend it"),))})
    assert isinstance(step, Fix)
    again = next_step(plan, plan.compose, retried(state, step.check))
    assert again == step.check


def test_one_back_takes_the_last_answer_away_and_at_the_start_nothing() -> None:
    plan = a_plan()
    state, _, _ = driven(plan, until="new_venues")
    back = one_back(plan, state)
    assert list(state.answers)[:-1] == list(back.answers)
    assert "vault" not in back.checked  # the vault's check looked at it
    assert one_back(plan, State()) == State()


def test_what_the_checks_warn_of_is_said_again_before_it_is_saved() -> None:
    note = warn("addresses", "usable from anywhere", "bind it")
    _, step, _ = driven(a_plan(), checks={"key:acme": Checked(findings=(note,))})
    assert isinstance(step, Finished)
    assert step.findings == (note,)


def test_two_clients_on_one_exit_must_be_named_a_family() -> None:
    answers = {"new_accounts": "acme, birch", "accounts.birch.egress": "127.0.0.2", "accounts.birch.family": "home"}
    answers |= {"accounts.birch.api_key": "other", "accounts.birch.secret": "other"}
    _, step, asked = driven(a_plan(), answers)
    assert "accounts.birch.family" in asked
    assert isinstance(step, Finished)
    assert {account.family for account in step.settings.accounts.values()} == {"home"}


def test_a_proxy_needs_an_address_echo_and_its_password_never_stands_in_desk_toml() -> None:
    plan = a_plan()
    exit_ = "socks5://ann@10.1.1.1:1080"
    answers = {
        "accounts.acme.egress": exit_,
        "accounts.acme.proxy_password": "proxy-hush",
        "accounts.acme.exit_check": "https://echo.example.com/",
    }
    state, step, _ = driven(plan, answers)
    assert isinstance(step, Finished)
    assert step.settings.accounts[AccountId("acme")].egress == exit_
    assert "proxy-hush" not in render(step.settings)
    assert state.secret("accounts.acme.proxy_password") is not None
    question = asked_for(plan, "accounts.acme.exit_check", answers)
    assert answered(plan, State(), question, "") == "an answer is needed here"
    exit_question = asked_for(plan, "accounts.acme.egress")
    refused = answered(plan, State(), exit_question, "http://ann:proxy-hush@10.1.1.1:8080")
    assert isinstance(refused, str)
    assert "proxy-hush" not in refused


def test_a_desk_is_added_to_and_says_what_it_said_before() -> None:
    _, first, _ = driven(a_plan())
    assert isinstance(first, Finished)
    plan = a_plan(first.settings, has_vault_file=True, has_passphrase_file=True)
    answers = {
        "venues.binance.add_instruments": "SOL/USDT",
        "new_accounts": "birch",
        "accounts.birch.api_key": "other",
        "accounts.birch.secret": "other",
        "new_operators": "eve",
        "operators.eve.passphrase": "",
    }
    _, step, asked = driven(plan, answers)
    assert isinstance(step, Finished)
    assert "desk.name" not in asked
    assert "vault.passphrase" not in asked
    assert step.settings.accounts[AccountId("acme")] == first.settings.accounts[AccountId("acme")]
    assert list(step.settings.accounts) == ["acme", "birch"]
    assert step.settings.venues[VenueId("binance")].instruments == ("BTC/USDT", "ETH/USDT", "SOL/USDT")
    assert [operator.uid for operator in step.settings.operators.values()] == [1000, None]


def test_operators_with_accounts_by_name_can_be_given_the_new_ones() -> None:
    _, first, _ = driven(a_plan(), {"operators.ann.accounts": "acme"})
    assert isinstance(first, Finished)
    plan = a_plan(first.settings, has_vault_file=True, has_passphrase_file=True)
    answers = {"new_accounts": "birch", "operators.ann.add_accounts": "1", "new_operators": ""}
    answers |= {"accounts.birch.api_key": "other", "accounts.birch.secret": "other"}
    _, step, _ = driven(plan, answers)
    assert isinstance(step, Finished)
    assert step.settings.operators[next(iter(step.settings.operators))].accounts == ("acme", "birch")


def test_where_alerts_go_is_asked_and_the_url_stands_in_the_vault_alone() -> None:
    url = "https://api.telegram.org/bot123:hush-hush/sendMessage"
    answers = {"new_alerts": "night", "alerts.night.kind": "telegram", "alerts.night.least": "2"}
    answers |= {"alerts.night.chat": "-100", "alerts.night.url": url}
    state, step, asked = driven(a_plan(), answers)
    assert isinstance(step, Finished)
    assert asked[-6:] == [
        "new_alerts", "alerts.night.kind", "alerts.night.least", "alerts.night.chat", "alerts.night.url", "webhook:night",
    ]  # fmt: skip
    assert step.settings.alerts["night"] == Receiver(
        name="night", kind=ReceiverKind.Telegram, least=Severity.Critical, chat="-100"
    )
    assert parse(render(step.settings)) == step.settings
    assert "hush" not in render(step.settings) + repr(state)


def test_a_webhook_that_takes_no_message_is_asked_for_again() -> None:
    answers = {"new_alerts": "night", "alerts.night.url": "https://hooks.example.com/x"}
    down = Checked(findings=(fail("alerts", "night took no message", "look at the URL"),))
    _, step, asked = driven(a_plan(), answers, {"webhook:night": down})
    assert isinstance(step, Fix)
    assert [question.key for question in step.questions] == ["alerts.night.kind", "alerts.night.url"]
    assert "alerts.night.chat" not in asked


def test_a_webhook_url_that_would_be_read_on_the_way_is_refused_unquoted() -> None:
    plan = a_plan()
    question = asked_for(plan, "alerts.night.url", {"new_alerts": "night"})
    refused = answered(plan, State(), question, "http://hooks.example.com/hush")
    assert isinstance(refused, str)
    assert "use https://" in refused
    assert "hush" not in refused


def test_where_several_operate_it_is_asked_what_takes_two_of_them() -> None:
    answers = {"new_operators": "ann, eve", "operators.eve.passphrase": "", "desk.approvals": "live, 1"}
    _, step, asked = driven(a_plan(), answers)
    assert isinstance(step, Finished)
    assert step.settings.desk.approvals == ("live", "rearm-breach")
    _, _, alone = driven(a_plan())
    assert ("desk.approvals" in asked, "desk.approvals" in alone) == (True, False)


@pytest.mark.parametrize(
    ("key", "typed", "wrong"),
    [
        ("desk.name", "a b", "cannot be the name of a desk"),
        ("desk.reporting_currency", "usdt", "is no currency"),
        ("vault.passphrase", "short", "at least 8 characters"),
        ("venues.binance.exchange", "krakn", "is none of the choices; known: binance"),
        ("venues.binance.url", "", "an answer is needed here"),  # nobody trades live by pressing Enter
        ("venues.binance.url", "binance.com", "say live, or the address"),
        ("venues.binance.url", "http://", "say live, or the address"),
        ("venues.binance.url", "http://me:hush@127.0.0.1:1", "leave the password out"),
        ("venues.binance.instruments", "BTCUSDT", "is no instrument"),
        ("new_accounts", "acme; birch", "cannot be the name of an account"),
        ("accounts.acme.egress", "10.0.0.999", "is not an IP address"),
        ("accounts.acme.kind", "4", "is none of the choices"),
        ("accounts.acme.max_order_notional", "0", "it must be above 0"),
        ("accounts.acme.max_order_notional", "1e6", "is not a plain decimal number"),
        ("accounts.acme.max_open_orders", "many", "is no count"),
        ("operators.ann.roles", "trader, boss", "'boss' is none of the choices"),
        ("operators.ann.uid", "ann", "is no user id"),
        ("desk.name", "x" * 600, "too long"),
        ("desk.name", "a\x1b[2J", "characters that no screen shows"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_with_what_would_do(key: str, typed: str, wrong: str) -> None:
    plan = a_plan()
    refused = answered(plan, State(), asked_for(plan, key), typed)
    assert isinstance(refused, str)
    assert wrong in refused


def test_a_mistake_that_only_the_whole_shows_can_be_corrected_too() -> None:
    plan = a_plan()
    answers = {"new_accounts": "acme, birch", "accounts.birch.egress": "127.0.0.3"}
    answers |= {"accounts.birch.api_key": "other", "accounts.birch.secret": "other"}
    seen = Checked(findings=(warn("proof", "behind a gateway", "know it"),), told={"exit_address": "203.0.113.7"})
    _, step, _ = driven(plan, answers, {"exit:acme": seen, "exit:birch": seen})
    assert isinstance(step, Fix)
    assert any("exit" in finding.text for finding in step.findings)
    assert "accounts.birch.egress" in [question.key for question in step.questions]


def test_a_state_shows_no_secret_of_itself_and_gives_none_away_as_text() -> None:
    state, _, _ = driven(a_plan())
    assert "hush" not in repr(state)
    assert state.text("accounts.acme.secret") == ""
    found = state.secret("accounts.acme.secret")
    assert isinstance(found, Hidden)
    assert found.text == "hush"


def test_a_system_keyring_is_proposed_and_the_file_asks_for_words() -> None:
    plan = a_plan(keyring="system keyring SecretService")
    _, _, asked = driven(plan)
    assert "vault.passphrase" not in asked
    _, _, asked = driven(plan, {"vault.kind": "file"})
    assert "vault.passphrase" in asked
