"""The messenger, against real HTTP servers on loopback: what is told to whom, how often, and who is not held up by it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from scripted_desk import running
from webhook_server import TOKEN, WITHIN_S, Webhook, webhook

from tradedesk import log
from tradedesk.clock import SystemClock
from tradedesk.config import ConfigError, Settings, parse, render
from tradedesk.config.questions import Hidden
from tradedesk.desk.hub import Hub
from tradedesk.desk.messenger import TRIES, WAITING, Messenger, judged, learn
from tradedesk.domain import events as ev
from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.webhooks import Receiver, ReceiverKind, hook_wrong, message
from tradedesk.domain.words import AccountId, OperatorId
from tradedesk.views.replica import Replica

INFO, WARNING, CRITICAL = Severity.Info, Severity.Warning, Severity.Critical


class NoWait(Random):
    """Chance by which a back-off takes no time."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def an_alert(key: str = "drawdown:acme", severity: Severity = WARNING, text: str = "lost much", at: int = 0) -> Alert:
    return Alert(
        key=key, rule="drawdown", severity=severity, account=AccountId("acme"), text=text, at=at or SystemClock().now()
    )


def a_receiver(name: str = "night", kind: ReceiverKind = ReceiverKind.Json, least: Severity = WARNING) -> Receiver:
    return Receiver(name=name, kind=kind, least=least, chat="-100" if kind is ReceiverKind.Telegram else None)


class Sending:
    """A running messenger behind a real hub, and what it raises itself."""

    def __init__(self, urls: dict[str, str], receivers: list[Receiver]) -> None:
        self._hub = Hub(Replica(), lambda: None, lambda: None)
        self._raised: list[ev.Event] = []
        self.delivered: list[ev.Event] = []
        self._news = threading.Condition()
        self.messenger = Messenger(
            self._hub.open_feed(),
            receivers,
            {name: learn(url) for name, url in urls.items()},
            desk="main",
            emit=self._emit,
            clock=SystemClock(),
            random=NoWait(1),
            log=log.Log(),
        )
        self._hub.drain()

    def _emit(self, event: ev.Event) -> None:
        with self._news:
            (self.delivered if isinstance(event, ev.AlertDelivered) else self._raised).append(event)
            self._news.notify_all()

    def tell(self, *events: ev.Event | Alert) -> None:
        for event in events:
            is_alert = isinstance(event, Alert)
            self._hub.publish(ev.AlertRaised(at=event.at, source="test", alert=event) if is_alert else event)
        self._hub.drain()

    def pass_on(self) -> None:
        """What the messenger raised goes to everybody, as the desk sees to it."""
        self.tell(*self._raised)

    def raised(self, count: int = 1) -> list[ev.Event]:
        """Wait until that many events were raised by the messenger."""
        with self._news:
            assert self._news.wait_for(lambda: len(self._raised) >= count, WITHIN_S), self._raised
            return list(self._raised)


@contextmanager
def sending(*hooks: tuple[Receiver, str | None]) -> Iterator[Sending]:
    found = Sending(
        {receiver.name: url for receiver, url in hooks if url is not None}, [receiver for receiver, _ in hooks]
    )
    found.messenger.start()
    try:
        yield found
    finally:
        found.messenger.stop()


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


def logged(event: str) -> list[dict[str, str]]:
    return [dict(record.fields) for record in log.tail() if record.event == event]


# ---- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (
            ReceiverKind.Json,
            {
                "schema": "alert.v1", "desk": "main", "key": "drawdown:acme", "rule": "drawdown", "severity": "warning",
                "account": "acme", "text": "lost <much>", "owner": "", "cause": "drawdown:acme", "action": "", "at_ns": 7,
                "more": 2,
            },
        ),
        (ReceiverKind.Slack, {"text": "WARNING main acme: lost &lt;much&gt; (and 2 more)"}),
        (
            ReceiverKind.Discord,
            {"content": "WARNING main acme: lost <much> (and 2 more)", "allowed_mentions": {"parse": []}},
        ),
        (
            ReceiverKind.Telegram,
            {
                "chat_id": "-100", "text": "WARNING main acme: lost <much> (and 2 more)",
                "link_preview_options": {"is_disabled": True},
            },
        ),
    ],
)  # fmt: skip
def test_each_kind_of_receiver_is_told_in_its_own_shape(kind: ReceiverKind, body: dict[str, object]) -> None:
    assert message(a_receiver(kind=kind), an_alert(text="lost <much>", at=7), "main", more=2) == body


def test_a_text_of_any_length_fits_into_a_message() -> None:
    body = message(a_receiver(kind=ReceiverKind.Discord), an_alert(text="x" * 100_000), "main", more=9)
    assert len(str(body["content"])) <= 2_000
    assert str(body["content"]).endswith("(and 9 more)")


@pytest.mark.parametrize(
    ("url", "wrong"),
    [
        ("https://hooks.slack.com/services/T/B/x", None),
        ("http://127.0.0.1:8080/x", None),
        ("http://10.1.2.3/x", None),
        ("http://[::1]:80/x", None),
        ("http://localhost/x", None),
        ("http://93.184.216.34/x", "use https://"),
        ("http://hooks.example.com/x", "use https://"),
        ("https://me:pw@hooks.example.com/x", "leave user"),
        ("ftp://hooks.example.com/x", "begins with https://"),
        ("https://hooks.example.com/a b", "characters"),
        ("https://[oops/x", "no URL"),
        ("", "begins with https://"),
    ],
)
def test_a_url_is_https_or_stays_in_this_network(url: str, wrong: str | None) -> None:
    found = hook_wrong(url)
    assert (found is None) if wrong is None else (wrong in (found or ""))


def test_only_refusals_that_may_pass_are_tried_again() -> None:
    assert [status for status in (200, 204, 302, 401, 404, 408, 429, 500, 503) if judged(status, None).may_pass] == [
        200, 204, 408, 429, 500, 503,
    ]  # fmt: skip
    assert [judged(429, after).wait_s for after in ("3", "999999", "soon", None)] == [3.0, 30.0, 0.0, 0.0]


def test_receivers_stand_in_desk_toml_without_their_urls() -> None:
    text = '[desk]\nname = "main"\nreporting_currency = "USDT"\n[alerts.night]\nkind = "telegram"\nleast = "critical"\nchat = "-100"\n'
    settings = parse(text)
    assert settings.alerts["night"] == Receiver(name="night", kind=ReceiverKind.Telegram, least=CRITICAL, chat="-100")
    assert parse(render(settings)) == settings


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        ('kind = "slak"', "alerts.night.kind: 'slak' is not known; did you mean slack?"),
        ("", "alerts.night.kind: is missing"),
        ('kind = "telegram"', "alerts.night.chat: is missing"),
        ('kind = "slack"\nchat = "x"', "alerts.night.chat: only telegram has chats"),
        ('kind = "slack"\nleast = "bad"', "alerts.night.least: 'bad' is no severity"),
        (f'kind = "slack"\nurl = "https://h.example.com/{TOKEN}"', "alerts.night.url: is a secret; take it out"),
    ],
)
def test_a_mistake_in_a_receiver_is_named(table: str, wrong: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"[alerts.night]\n{table}\n")
    assert wrong in str(caught.value)
    assert TOKEN not in str(caught.value)


# ---- who is told, and how often -----------------------------------------------------------------------------------------


def test_a_cause_is_told_once_until_it_worsens_or_ends(hook: Webhook) -> None:
    with sending((a_receiver(), hook.url)) as desk:
        desk.tell(
            an_alert(text="1"), an_alert(text="again"), an_alert(text="2", severity=CRITICAL), an_alert(text="less")
        )
        desk.tell(ev.AlertEnded(at=8, source="test", key="drawdown:acme"), an_alert(text="3"))
        desk.tell(ev.AlertAcknowledged(at=9, source="test", key="drawdown:acme", by=OperatorId("ann"), note=""))
        desk.tell(an_alert(text="4"), an_alert(key="last", text="5"))
        assert [hook.next()["text"] for _ in range(5)] == ["1", "2", "3", "4", "5"]
    assert hook.is_empty


def test_what_is_less_than_a_receiver_wants_is_not_sent_to_it(hook: Webhook) -> None:
    with webhook() as other, sending((a_receiver(), hook.url), (a_receiver("all", least=INFO), other.url)) as desk:
        desk.tell(an_alert("a", INFO, "a"), an_alert("b", WARNING, "b"))
        assert [other.next()["text"], other.next()["text"], hook.next()["text"]] == ["a", "b", "b"]
        assert hook.is_empty


def test_a_receiver_that_fails_once_is_tried_again_and_the_delay_is_measured(hook: Webhook) -> None:
    hook.statuses = [500, 503]
    with sending((a_receiver(), hook.url)) as desk:
        desk.tell(an_alert(key="retry", at=SystemClock().now()))
        assert hook.next()["key"] == "retry"
    (found,) = [fields for fields in logged("alert_delivered") if fields["alert"] == "retry"]
    assert (found["tries"], found["to"], found["late_ms"].isdigit()) == ("3", "night", True)


def test_a_receiver_that_goes_on_failing_is_an_alert_for_the_others_and_never_for_itself(hook: Webhook) -> None:
    hook.statuses = [500] * TRIES
    with webhook() as other, sending((a_receiver(), hook.url), (a_receiver("other"), other.url)) as desk:
        desk.tell(an_alert(text="lost"))
        raised = desk.raised()[0]
        assert isinstance(raised, ev.AlertRaised)
        assert (raised.alert.key, raised.alert.rule) == ("webhook:night", "webhook")
        assert "status 500" in raised.alert.text
        desk.pass_on()
        assert [other.next()["key"], other.next()["key"]] == ["drawdown:acme", "webhook:night"]
        desk.tell(an_alert(key="next"))
        body = hook.next()
        assert (body["key"], body["more"]) == ("next", 1)
        assert isinstance(desk.raised(2)[1], ev.AlertEnded)


@pytest.mark.parametrize("status", [302, 307, 404])
def test_what_cannot_become_right_is_not_tried_again_and_no_redirect_is_followed(hook: Webhook, status: int) -> None:
    hook.statuses = [status]
    with sending((a_receiver(), hook.url)) as desk:
        desk.tell(an_alert(text="refused"))
        desk.raised()
        desk.tell(an_alert(key="next"))
        assert hook.next()["key"] == "next"


def test_of_a_storm_the_oldest_are_counted(hook: Webhook) -> None:
    last = f"k{3 * WAITING - 1}"
    with sending((a_receiver(), hook.url)) as desk:
        desk.tell(*(an_alert(key=f"k{number}") for number in range(3 * WAITING)))
        told = [hook.next()]
        while told[-1]["key"] != last:
            told.append(hook.next())
    assert len(told) + sum(body["more"] for body in told) == 3 * WAITING
    assert WAITING <= len(told) < 3 * WAITING
    assert hook.is_empty


def test_a_receiver_that_hangs_holds_up_no_other(hook: Webhook) -> None:
    hook.hangs.set()
    with webhook() as other, sending((a_receiver(), hook.url), (a_receiver("other"), other.url)) as desk:
        desk.tell(an_alert(key="first"))
        assert hook.was_asked()
        desk.tell(an_alert(key="second"))
        assert [other.next()["key"], other.next()["key"]] == ["first", "second"]
        hook.ends.set()


def test_a_receiver_without_a_url_in_the_vault_is_an_alert(hook: Webhook) -> None:
    with sending((a_receiver("bare"), None), (a_receiver(), hook.url)) as desk:
        raised = desk.raised()[0]
        assert isinstance(raised, ev.AlertRaised)
        assert "alerts-to add bare" in raised.alert.text
        desk.tell(an_alert())
        assert hook.next()["key"] == "drawdown:acme"


def told_of(desk: Sending, **fields: Any) -> None:
    """An event about drawdown:acme, by the name of its kind."""
    kind = fields.pop("kind")
    desk.tell(kind(at=SystemClock().now(), source="test", key="drawdown:acme", **fields))


def test_alerts_of_one_cause_are_one_message_that_counts_the_rest(hook: Webhook) -> None:
    with sending((a_receiver(), hook.url)) as desk:
        desk.tell(*(msgspec.structs.replace(an_alert(f"k{number}"), cause="stream:acme") for number in range(4)))
        first = hook.next()
        desk.tell(an_alert("other"))
        second = hook.next()
        assert [first["cause"], second["key"]] == ["stream:acme", "other"]
        assert first["more"] + second["more"] == 3
        worse = msgspec.structs.replace(an_alert("k3", CRITICAL), cause="stream:acme")
        desk.tell(worse)
        assert hook.next()["severity"] == "critical"
        for number in range(4):
            desk.tell(ev.AlertEnded(at=1, source="test", key=f"k{number}"))
        desk.tell(worse)  # all of them were over: it is a new one
        assert hook.next()["key"] == "k3"


def test_what_nobody_acknowledges_is_told_to_everybody_whatever_they_ask_for(hook: Webhook) -> None:
    with webhook() as other, sending((a_receiver(), hook.url), (a_receiver("few", least=CRITICAL), other.url)) as desk:
        desk.tell(an_alert())
        assert hook.next()["text"] == "lost much"
        told_of(desk, kind=ev.AlertEscalated, times=1, waited_ms=300_000)
        said = "NOT ACKNOWLEDGED for 5 min: lost much"
        assert [hook.next()["text"], other.next()["text"]] == [said, said]
        assert hook.is_empty


def test_what_was_put_off_is_sent_when_it_is_worse_or_when_its_time_has_come(hook: Webhook) -> None:
    later = SystemClock().now() + 3_600 * 10**9
    with sending((a_receiver(), hook.url)) as desk:
        desk.tell(an_alert())
        assert hook.next()["text"] == "lost much"
        told_of(desk, kind=ev.AlertSnoozed, by=OperatorId("ann"), until=later, note="")
        told_of(desk, kind=ev.AlertEnded)
        desk.tell(an_alert(text="back, no worse"))
        desk.tell(an_alert(severity=CRITICAL, text="worse"))
        assert hook.next()["text"] == "worse"
        told_of(desk, kind=ev.AlertSnoozed, by=OperatorId("ann"), until=later, note="")
        told_of(desk, kind=ev.AlertSnoozeEnded)
        assert hook.next()["text"] == "back after it was put off: worse"
        assert hook.is_empty


def test_each_delivery_is_measured_from_the_cause_and_a_late_one_is_an_alert(hook: Webhook) -> None:
    now = SystemClock().now()
    with sending((a_receiver(), hook.url)) as desk:
        late = msgspec.structs.replace(an_alert("late", at=now), seen_at=now - 6 * 10**9)
        desk.tell(late)
        hook.next()
        raised = desk.raised()[0]
        assert isinstance(raised, ev.AlertRaised)
        assert raised.alert.key == "alert-latency:night"
        assert "s to night; more than 5 s is too long" in raised.alert.text
        desk.tell(an_alert("soon"))
        hook.next()
        assert isinstance(desk.raised(2)[1], ev.AlertEnded)
    measured = [event.late_ms for event in desk.delivered if isinstance(event, ev.AlertDelivered)]
    assert [late_ms >= 6_000 for late_ms in measured] == [True, False]


# ---- on a whole desk ----------------------------------------------------------------------------------------------------


def with_receiver(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, alerts={"night": a_receiver()})


def test_a_desk_tells_its_alerts_and_the_url_stands_nowhere(tmp_path: Path, hook: Webhook) -> None:
    opened = log.open_log(tmp_path / "log" / "desk.log")
    try:
        hook.statuses = [500]
        with running(tmp_path, change=with_receiver, webhooks={"night": learn(hook.url)}) as found:
            found.desk.emit(ev.AlertRaised(at=7, source="test", alert=an_alert(text="on the desk")))
            assert hook.next()["text"] == "on the desk"
            hook.statuses = [404]
            found.desk.emit(ev.AlertRaised(at=7, source="test", alert=an_alert(key="worse", text="not taken")))
            assert found.until(lambda: "webhook:night" in found.view.replica.alerts)
            log.Log().error("told", url=hook.url)  # even where somebody did
    finally:
        opened.close()
    said = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"alert_not_delivered" in said
    assert TOKEN.encode() not in said


def test_a_desk_whose_receiver_hangs_works_on_and_ends(tmp_path: Path, hook: Webhook) -> None:
    hook.hangs.set()
    with running(tmp_path, change=with_receiver, webhooks={"night": learn(hook.url)}) as found:
        found.desk.emit(ev.AlertRaised(at=7, source="test", alert=an_alert()))
        assert hook.was_asked()
        for number in range(3):
            key = f"k{number}"
            found.desk.emit(ev.AlertRaised(at=7, source="test", alert=an_alert(key=key)))
            assert found.until(lambda key=key: key in found.view.replica.alerts)  # type: ignore[misc]
    assert not [thread for thread in threading.enumerate() if thread.name == "messenger"]


def test_a_desk_without_receivers_has_no_messenger(tmp_path: Path) -> None:
    with running(tmp_path):
        assert not [thread for thread in threading.enumerate() if thread.name == "messenger"]


def test_a_url_shows_nothing_of_itself(hook: Webhook) -> None:
    held: Any = learn(hook.url)
    assert isinstance(held, Hidden)
    assert TOKEN not in f"{held} {held!r} {[held]}"
