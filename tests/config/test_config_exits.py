"""Exits in desk.toml: every form, what each needs, and that no two clients get one unseen."""

import pytest

from tradedesk import config
from tradedesk.domain.words import AccountId

DESK = '[desk]\nname = "main"\nreporting_currency = "USDT"\n'
VENUE = """
[venues.binance]
exchange = "binance"
url = "http://127.0.0.1:8765"
egress = "127.0.0.1"
instruments = ["BTC/USDT"]
"""
CHECK = 'exit_check = "https://echo.example.com/"\n'


def account(name, **keys):
    rows = [f'venue = "binance"\nsecret = "{name}"\nowner = "{name}"\nmode = "paper"']
    rows += [f'{key} = "{value}"' for key, value in keys.items()]
    return f"\n[accounts.{name}]\n" + "\n".join(rows) + "\n"


def mistakes(*parts):
    with pytest.raises(config.ConfigError) as found:
        config.parse(DESK + "".join(parts))
    return found.value.mistakes


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("127.0.0.2", "127.0.0.2"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("http://Proxy.Example.com:3128", "http://proxy.example.com:3128"),
        ("https://acme@proxy.example.com:443/", "https://acme@proxy.example.com:443"),
        ("SOCKS5://acme-1@[2001:DB8::1]:1080", "socks5://acme-1@[2001:db8::1]:1080"),
    ],
)
def test_every_form_of_exit_is_read_and_written_alike(written, kept):
    read = config.parse(DESK + CHECK + VENUE + account("acme", egress=written))
    assert read.accounts[AccountId("acme")].egress == kept
    assert config.parse(config.render(read)) == read


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("http://u:hunter2@10.0.0.1:1080", "a password never stands here"),
        ("socks5h://10.0.0.1:1080", "write it as socks5://"),
        ("socks4://10.0.0.1:1080", "'socks4' is no kind of proxy"),
        ("http://10.0.0.1", "use http://host:port"),
        ("http://10.0.0.1:99999", "use http://host:port"),
        ("http://10.0.0.1:8080/path", "use http://host:port"),
        ("http://:8080", "use http://host:port"),
        ("http://@10.0.0.1:8080", "the proxy's user"),
        ("eth0", "is not an IP address"),
        ("224.0.0.1", "names no exit of its own"),
    ],
)
def test_what_is_no_exit_gets_a_sentence_that_quotes_no_proxy(written, said):
    (found,) = mistakes(CHECK, VENUE, account("acme", egress=written))
    assert found.startswith("desk.toml: accounts.acme.egress: ")
    assert said in found
    assert "hunter2" not in found


def test_a_proxy_needs_somebody_who_says_where_it_lets_out():
    (found,) = mistakes(VENUE, account("acme", egress="socks5://10.0.0.1:1080"))
    assert found == (
        "desk.toml: accounts.acme.egress: where a proxy lets out shows only from outside; "
        "set exit_check here or under [desk]"
    )
    own = account("acme", egress="socks5://10.0.0.1:1080", exit_check="https://echo.example.com/")
    assert config.parse(DESK + VENUE + own).accounts[AccountId("acme")].exit_check == "https://echo.example.com/"


def test_an_address_behind_a_gateway_needs_the_echo_too():
    (found,) = mistakes(VENUE, account("acme", egress="10.0.0.1", exit_address="203.0.113.7"))
    assert "accounts.acme.exit_address: where an exit is seen shows only from outside" in found


@pytest.mark.parametrize(
    "url", ["http://echo.example.com/", "https://u:p@echo.example.com/", "ftp://127.0.0.1/", "echo", "http://8.8.8.8/"]
)
def test_an_echo_in_clear_text_from_outside_is_not_believed(url):
    (found,) = mistakes(f'exit_check = "{url}"\n', VENUE)
    assert found.startswith("desk.toml: desk.exit_check: is not the https:// address of an address echo")


def test_an_echo_on_this_machine_may_be_in_clear_text():
    assert config.parse(f'{DESK}exit_check = "http://127.0.0.1:1/echo"\n{VENUE}').desk.exit_check is not None


@pytest.mark.parametrize(
    ("one", "other", "key", "shared"),
    [
        ({"egress": "127.0.0.2"}, {"egress": "127.0.0.2"}, "egress", "127.0.0.2"),
        ({"egress": "http://p:1"}, {"egress": "socks5://me@P:1"}, "egress", "p:1"),
        (
            {"egress": "127.0.0.2"},
            {"egress": "127.0.0.3", "standby_egress": "127.0.0.2"},
            "standby_egress",
            "127.0.0.2",
        ),
        (
            {"egress": "127.0.0.2", "standby_egress": "http://p:1"},
            {"egress": "127.0.0.3", "standby_egress": "http://p:1"},
            "standby_egress",
            "p:1",
        ),
        (
            {"egress": "10.0.0.2", "exit_address": "203.0.113.7"},
            {"egress": "10.0.0.3", "exit_address": "203.0.113.7"},
            "exit_address",
            "203.0.113.7",
        ),
        (
            {"egress": "203.0.113.7"},
            {"egress": "http://p:1", "exit_address": "203.0.113.7"},
            "exit_address",
            "203.0.113.7",
        ),
    ],
)
def test_two_clients_on_one_exit_are_refused_unless_they_are_a_family(one, other, key, shared):
    (found,) = mistakes(CHECK, VENUE, account("acme", **one), account("zeta", **other))
    assert found == (
        f"desk.toml: accounts.zeta.{key}: {shared} is the exit of accounts.acme too; use an address of its own, "
        "or give both the same family"
    )
    mistakes(CHECK, VENUE, account("acme", **one, family="a"), account("zeta", **other, family="b"))
    family = account("acme", **one, family="a") + account("zeta", **other, family="a")
    assert len(config.parse(DESK + CHECK + VENUE + family).accounts) == 2


def test_a_third_client_does_not_slip_in_behind_a_family():
    family = account("acme", egress="127.0.0.2", family="a") + account("beta", egress="127.0.0.2", family="a")
    found = mistakes(VENUE, family, account("zeta", egress="127.0.0.2"))
    assert len(found) == 1
    assert "accounts.zeta.egress" in found[0]


def test_a_standby_is_another_exit():
    (found,) = mistakes(VENUE, account("acme", egress="127.0.0.2", standby_egress="127.0.0.2"))
    assert "accounts.acme.standby_egress: 127.0.0.2 is the account's egress already" in found
    (found,) = mistakes(CHECK, VENUE, account("acme", egress="127.0.0.2", standby_exit_address="203.0.113.7"))
    assert "there is no standby_egress" in found
