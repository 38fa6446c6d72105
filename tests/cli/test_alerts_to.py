"""`tradedesk alerts-to`, and the setup's question where alerts go: webhooks put in, tried, listed and taken out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_desk import Asked, Ran, demo
from paper_process import has_loopback_range
from webhook_server import TOKEN, Webhook, webhook

from tradedesk.config import load
from tradedesk.domain.alerts import Severity

CONFIG = '[desk]\nname = "main"\nreporting_currency = "USDT"\n'


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Asked:
    found = Asked(tmp_path)
    found.home.config.write_text(CONFIG)
    found.home.passphrase.touch(mode=0o600)
    found.home.passphrase.write_text("correct horse battery")
    return found


def add(home: Asked, url: str, *words: str, name: str = "night") -> Ran:
    return home.ask("alerts-to", "add", name, *words, "--secret-stdin", stdin=url + "\n")


def test_a_receiver_is_added_tried_listed_and_removed(home: Asked, hook: Webhook) -> None:
    ran = add(home, hook.url, "--kind", "slack", "--least", "critical")
    assert ran.status == 0, ran.err
    assert load(home.home.config).alerts["night"].least is Severity.Critical
    assert TOKEN not in home.home.config.read_text() + ran.out + ran.err
    assert add(home, hook.url, "--kind", "telegram", "--chat", "-100", name="bot").status == 0
    assert add(home, hook.url, "--kind", "slack", name="bot").status == 0  # which has no chats
    assert (load(home.home.config).alerts["bot"].chat, home.ask("alerts-to", "remove", "bot").status) == (None, 0)
    ran = home.ask("alerts-to", "test", "night")
    assert (ran.status, hook.next()) == (0, {"text": "INFO main: a trial: alerts are sent here"})
    listed = home.ask("alerts-to", "list", "--json")
    assert listed.json["receivers"] == [
        {"receiver": "night", "kind": "slack", "least": "critical", "chat": None, "has_url": True}
    ]
    hook.statuses = [404]
    ran = home.ask("alerts-to", "test", "night")
    assert (ran.status, "status 404" in ran.err, TOKEN in ran.err) == (1, True, False)
    assert home.ask("alerts-to", "remove", "night").status == 0
    assert load(home.home.config).alerts == {}
    assert add(home, hook.url).status == 2  # of no known kind any more


def test_a_receiver_that_was_written_by_hand_is_given_its_url(home: Asked, hook: Webhook) -> None:
    written = CONFIG + '\n[alerts.night] # mine\nkind = "json"\n'
    home.home.config.write_text(written)
    assert home.ask("alerts-to", "test", "night").status == 1
    assert add(home, hook.url).status == 0
    assert home.home.config.read_text() == written
    assert home.ask("alerts-to", "test", "night").status == 0
    assert hook.next()["rule"] == "trial"


@pytest.mark.parametrize(
    ("url", "words", "said"),
    [
        (f"http://hooks.example.com/{TOKEN}", ("--kind", "slack"), "use https://"),
        (f"https://h.example.com/{TOKEN}", ("--kind", "telegram"), "alerts.night.chat: is missing"),
        (f"https://h.example.com/{TOKEN}", ("--kind", "pager"), "'pager' is not known"),
        (f"https://h.example.com/{TOKEN}", ("--kind", "json", "--least", "x"), "'x' is not known"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_kept(
    home: Asked, url: str, words: tuple[str, ...], said: str
) -> None:
    ran = add(home, url, *words)
    assert (ran.status in (1, 2), said in ran.err, TOKEN in ran.err) == (True, True, False), ran.err
    assert home.home.config.read_text() == CONFIG
    assert not home.home.vault.exists()


@pytest.mark.skipif(not has_loopback_range(), reason="needs loopback addresses besides 127.0.0.1")
def test_a_desk_that_is_started_again_sends_its_alerts_there(tmp_path: Path, hook: Webhook) -> None:
    with demo(tmp_path) as running:
        ran = running.ask("alerts-to", "add", "night", "--kind", "slack", "--secret-stdin", stdin=hook.url)
        assert (ran.status, "until it is started again" in ran.err) == (0, True)
        with running.home.config.open("a") as file:
            file.write('\n[alerts.bare]\nkind = "json"\n')  # without a URL, which is an alert for the others
        running.kill_and_run_again()
        assert "WARNING demo: alerts.bare: its URL is not in the vault" in hook.next()["text"]
        rows = running.ask("alerts", "--json").json["alerts"]
        assert "webhook:bare" in [row["key"] for row in rows]
        looked = running.ask("doctor").out
        assert ("URL of alerts.bare is missing" in looked, "alerts.night" in looked) == (True, False)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert kept == []
