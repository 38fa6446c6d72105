"""desk.toml: what is read, what is written, and the sentence each mistake gets."""

import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradedesk import config
from tradedesk.config import ConfigError, DeskSettings, OperatorSettings, Settings, VenueSettings
from tradedesk.config.reading import settings_of
from tradedesk.config.tables import Table
from tradedesk.domain.accounts import Account, Mode
from tradedesk.domain.instruments import instrument_id
from tradedesk.domain.limits import InstrumentLimits, Limits, effective
from tradedesk.domain.text import clean
from tradedesk.domain.words import AccountId, InstrumentId, OperatorId, VenueId

EXAMPLE = """
[desk]
name = "main"
reporting_currency = "USDT"

[venues.binance]
exchange = "binance"
url = "http://127.0.0.1:8765"
egress = "127.0.0.1"
instruments = ["BTC/USDT", "ETH/USDT"]

[accounts.acme]
venue = "binance"
secret = "acme"
egress = "127.0.0.2"
owner = "acme"
groups = ["all", "growth"]
mode = "paper"
[accounts.acme.limits]
max_order_notional = "50000"
max_open_orders = 20
[accounts.acme.limits.instruments."BTC/USDT"]
max_order_qty = "0.5"
max_position = 3

[operators.desk1]
roles = ["trader", "risk"]
accounts = ["acme"]
uid = 1000

[keys]
halt = "f12"
"""

SECOND = """
[accounts.zeta]
venue = "binance"
secret = "zeta"
egress = "127.0.0.3"
owner = "zeta"
mode = "paper"
"""


def mistakes(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return caught.value.mistakes


def test_the_documented_example_is_read_as_domain_values():
    read = config.parse(EXAMPLE)
    assert read.desk == DeskSettings(name="main", reporting_currency="USDT")
    assert read.venues[VenueId("binance")].instruments == ("BTC/USDT", "ETH/USDT")
    acme = read.accounts[AccountId("acme")]
    assert (acme.egress, acme.groups, acme.mode, acme.family) == ("127.0.0.2", ("all", "growth"), Mode.Paper, None)
    in_force = effective(acme.limits, InstrumentId("binance:BTCUSDT"))
    assert in_force is not None
    assert (in_force.max_order_qty, in_force.max_position, in_force.max_open_orders) == (Decimal("0.5"), Decimal(3), 20)
    assert read.operators[OperatorId("desk1")] == OperatorSettings(
        name=OperatorId("desk1"), roles=("trader", "risk"), accounts=("acme",), uid=1000
    )
    assert read.keys == {"halt": "f12"}


def test_an_account_without_limits_is_read_and_has_none_in_force():
    """5.4"""
    acme = config.parse(EXAMPLE + SECOND).accounts[AccountId("zeta")]
    assert effective(acme.limits, InstrumentId("binance:BTCUSDT")) is None


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('name = "main"', "", 'desk.toml: desk.name: is missing; add e.g. name = "main"'),
        ('name = "main"', "name = 3", 'desk.toml: desk.name: 3 is a number; write it like name = "main"'),
        (
            'name = "main"',
            'name = "a b"',
            "desk.toml: desk.name: 'a b' cannot be a name; use at most 32 letters, digits, - and _",
        ),
        (
            "reporting_currency",
            "reportng_currency",
            "desk.toml: desk.reportng_currency: is unknown; did you mean reporting_currency?",
        ),
        ("[desk]", "[desks]", "desk.toml: desks: is unknown; did you mean desk?"),
        ("[desk]", "desk = 1\n[accounts.b]", "desk.toml: desk: 1 is a number; write it as a table, [desk]"),
        ('"USDT"', '"dollars!"', "desk.toml: desk.reporting_currency: 'dollars!' is no currency; use e.g. USDT"),
        (
            '"http://127.0.0.1:8765"',
            '"http://user:hunter2@x"',
            "desk.toml: venues.binance.url: is not the address of a site; "
            "use e.g. http://127.0.0.1:8765, without path, user or password",
        ),
        (
            '"BTC/USDT", ',
            '"btcusdt", ',
            "desk.toml: venues.binance.instruments: 'btcusdt' is no instrument; use base/quote in capitals, e.g. BTC/USDT",
        ),
        (
            '"BTC/USDT", ',
            '"BTC/USDT", "BT/CUSDT", ',
            "desk.toml: venues.binance.instruments: BT/CUSDT and BTC/USDT would be one instrument; remove one",
        ),
        (
            '"BTC/USDT", ',
            '"BTC/USDT", "BTC/USDT", ',
            "desk.toml: venues.binance.instruments: 'BTC/USDT' stands there twice; remove one",
        ),
        (
            'venue = "binance"',
            'venue = "binnance"',
            "desk.toml: accounts.acme.venue: there is no [venues.binnance]; did you mean binance?",
        ),
        (
            '"127.0.0.2"',
            '"127.0.0"',
            "desk.toml: accounts.acme.egress: '127.0.0' is not an IP address; use a source address of this machine, "
            "or http://, https:// or socks5:// [user@]host:port, e.g. 127.0.0.2",
        ),
        (
            '"127.0.0.2"',
            '"0.0.0.0"',
            "desk.toml: accounts.acme.egress: 0.0.0.0 names no exit of its own; "
            "use one source address of this machine, e.g. 127.0.0.2",
        ),
        (
            '"127.0.0.2"',
            '"socks5://u:hunter2@10.0.0.1:1080"',
            "desk.toml: accounts.acme.egress: a password never stands here; name the user only, "
            "and put the password into the vault with `tradedesk accounts exit-password`",
        ),
        ('mode = "paper"', 'mode = "papre"', "desk.toml: accounts.acme.mode: 'papre' is no mode; use paper or live"),
        (
            'mode = "paper"',
            'mode = "live"',
            "desk.toml: accounts.acme.mode: live forbids venues.binance.url; remove that url, or use mode paper",
        ),
        (
            'url = "http://127.0.0.1:8765"',
            "",
            "desk.toml: accounts.acme.mode: paper needs venues.binance.url; "
            "set it to the paper exchange's, or use mode live",
        ),
        (
            '"50000"',
            "0.1",
            "desk.toml: accounts.acme.limits.max_order_notional: 0.1 is a float, and floats are not exact; "
            'use quotes: max_order_notional = "0.1"',
        ),
        (
            '"50000"',
            '"5e4"',
            "desk.toml: accounts.acme.limits.max_order_notional: '5e4' is not a plain decimal number; "
            'use digits and one point, e.g. "0.125"',
        ),
        (
            '"50000"',
            "-1",
            "desk.toml: accounts.acme.limits.max_order_notional: -1 is negative; use 0 or more",
        ),
        (
            "max_open_orders = 20",
            'max_open_orders = "20"',
            "desk.toml: accounts.acme.limits.max_open_orders: '20' is a text; write it like max_open_orders = 50",
        ),
        (
            "max_open_orders = 20",
            "max_order_notinal = 3",
            "desk.toml: accounts.acme.limits.max_order_notinal: is unknown; did you mean max_order_notional?",
        ),
        (
            'instruments."BTC/USDT"',
            'instruments."BTC/USD"',
            'desk.toml: accounts.acme.limits.instruments."BTC/USD": is none of venues.binance.instruments; '
            "did you mean BTC/USDT?",
        ),
        ('"trader", ', '"traider", ', "desk.toml: operators.desk1.roles: 'traider' is no role; did you mean trader?"),
        (
            'accounts = ["acme"]',
            'accounts = ["acne"]',
            "desk.toml: operators.desk1.accounts: there is no [accounts.acne]; did you mean acme?",
        ),
        (
            "uid = 1000",
            "uid = true",
            "desk.toml: operators.desk1.uid: true is no text or number; write it like uid = 1000",
        ),
        ("uid = 1000", "uid = -1", "desk.toml: operators.desk1.uid: -1 is out of range; use 0 or more, e.g. 1000"),
        (
            "uid = 1000",
            'sees = ["zeta"]',
            "desk.toml: operators.desk1.sees: there is no [accounts.zeta]; known: acme",
        ),
        (
            "uid = 1000",
            "sees = []",
            "desk.toml: operators.desk1.sees: leaves out acme, and nobody trades what they do not see; add it",
        ),
        (
            "[venues.binance]",
            'approvals = ["rearm-breech"]\n[venues.binance]',
            "desk.toml: desk.approvals: 'rearm-breech' is nothing that can be approved; did you mean rearm-breach?",
        ),
        (
            "[venues.binance]",
            "idle_lock_minutes = -1\n[venues.binance]",
            "desk.toml: desk.idle_lock_minutes: -1 is out of range; use 0 or more, e.g. 10",
        ),
        ('"f12"', "12", 'desk.toml: keys.halt: 12 is a number; write it like halt = "f9"'),
    ],
)
def test_each_mistake_names_file_key_and_remedy(old, new, sentence):
    assert old in EXAMPLE
    found = mistakes(EXAMPLE.replace(old, new, 1))
    assert sentence in found
    assert "hunter2" not in " ".join(found)


def test_all_mistakes_are_told_at_once():
    text = EXAMPLE.replace('"main"', "3").replace('"50000"', "0.1").replace('"trader"', '"boss"').replace('"f12"', "12")
    assert len(mistakes(text)) == 4
    assert str(ConfigError(mistakes(text))).count("\n") == 3


def test_two_clients_may_not_leave_by_one_exit_unless_they_say_they_are_a_family():
    shared = EXAMPLE + SECOND.replace("127.0.0.3", "127.0.0.2")
    assert mistakes(shared) == (
        "desk.toml: accounts.zeta.egress: 127.0.0.2 is the exit of accounts.acme too; "
        "use an address of its own, or give both the same family",
    )
    family = shared.replace('mode = "paper"', 'mode = "paper"\nfamily = "demo"')
    assert config.parse(family).accounts[AccountId("zeta")].family == "demo"
    assert mistakes(shared.replace('mode = "paper"', 'mode = "paper"\nfamily = "demo"', 1))


def test_one_exit_written_in_two_ways_is_one_exit():
    assert mistakes(EXAMPLE + SECOND.replace("127.0.0.3", "::ffff:127.0.0.2"))


def test_two_accounts_may_not_use_one_key():
    assert mistakes(EXAMPLE + SECOND.replace('"zeta"', '"acme"', 1)) == (
        "desk.toml: accounts.zeta.secret: 'acme' is that of accounts.acme too; use an entry of its own",
    )


def test_two_operators_of_one_user_are_refused():
    second = '[operators.desk2]\nroles = ["risk"]\naccounts = ["*"]\nuid = 1000\n'
    assert mistakes(EXAMPLE + second) == (
        "desk.toml: operators.desk2.uid: 1000 is that of operators.desk1 too; use another, or leave it out",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[desk\nname = 1", r"desk\.toml: .*\(at line 1, column 6\); mend that line"),
        ("[desk]\nname = 'a'\nname = 'b'", r"desk\.toml: .*mend"),
        ("a = " + "1" * 5000, r"desk\.toml: .*mend"),
        ("a = " + "[" * 5000, r"desk\.toml: is nested too deep"),
        (
            EXAMPLE.replace("uid = 1000", "uid = 0x" + "f" * 5000),
            r"uid: a number of thousands of digits is out of range",
        ),
        ("[desk]\nname = 0x" + "f" * 5000, r"desk\.toml: desk\.name: "),
        (
            EXAMPLE.replace('"50000"', "0x" + "f" * 5000),
            r"max_order_notional: a number of thousands of digits is not a plain",
        ),
        ("[accounts.'a\u202e\\u001b']", r'accounts\."a[^\u202e\u001b]*": cannot be the name of an account'),
    ],
)
def test_malformed_files_get_a_sentence_and_never_a_traceback(text, sentence):
    assert re.search(sentence, "\n".join(mistakes(text)))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_KEYS = ("desk", "venues", "accounts", "operators", "keys", "acme", "binance", "limits", "instruments", "venue", "mode")


@settings(max_examples=150)
@given(st.recursive(_VALUES, lambda inner: st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5), max_leaves=12))
def test_any_content_is_read_or_refused_with_sentences(values):
    found: list[str] = []
    settings_of(Table(values if isinstance(values, dict) else {}, (), found, "desk.toml"))
    assert all(sentence.startswith("desk.toml: ") and sentence == clean(sentence) for sentence in found)
    assert found  # no name, at least


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "there is no such file; `tradedesk demo` needs none"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b"[desk]\nname = '\xff'"), "line 2 is not UTF-8"),
        (lambda path: path.write_bytes(b"#" * 1_000_001), "1000001 bytes long"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, make, sentence):
    path = tmp_path / "desk.toml"
    make(path)
    with pytest.raises(ConfigError, match=re.escape(sentence)) as caught:
        config.load(path)
    assert "desk.toml" in str(caught.value)


# ---- writing ---------------------------------------------------------------------------------------------------------

_names = st.from_regex(r"[a-z0-9][A-Za-z0-9_-]{0,8}", fullmatch=True)
_texts = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
_amounts = st.none() | st.decimals(min_value=0, max_value=10**9, places=6).map(abs)
_symbols = st.lists(st.sampled_from(["BTC/USDT", "ETH/USDT", "1000SATS/USDT", "币安人生/USDT"]), unique=True).map(tuple)


@st.composite
def all_settings(draw) -> Settings:
    venues = {
        VenueId(name): VenueSettings(
            id=VenueId(name),
            exchange="binance",
            url=draw(st.none() | st.just("http://127.0.0.1:1")),
            egress=draw(st.none() | st.ip_addresses(v=4, network="10.0.0.0/8").map(str)),
            instruments=draw(_symbols),
        )
        for name in draw(st.lists(_names, max_size=2, unique=True))
    }
    names = draw(st.lists(_names, max_size=3, unique=True)) if venues else []
    accounts = {}
    for number, name in enumerate(names):
        venue = draw(st.sampled_from(list(venues.values())))
        own = {
            instrument_id(venue.id, symbol): InstrumentLimits(max_order_qty=draw(_amounts), max_position=draw(_amounts))
            for symbol in venue.instruments
            if draw(st.booleans())
        }
        accounts[AccountId(name)] = Account(
            id=AccountId(name),
            venue=venue.id,
            owner=draw(_texts),
            groups=draw(st.lists(_texts, max_size=2, unique=True).map(tuple)),
            mode=Mode.Live if venue.url is None else Mode.Paper,
            egress=f"127.0.1.{number}",
            standby_egress=draw(st.none() | st.just(f"socks5://me@10.0.2.{number}:1080")),
            exit_address=draw(st.none() | st.just(f"203.0.113.{number}")),
            exit_check="https://echo.example.com/address",
            stp_group=draw(st.none() | _texts),
            secret=f"{draw(_texts)}{number}",
            family=draw(st.none() | _texts),
            limits=Limits(
                max_order_notional=draw(_amounts),
                max_drawdown=draw(_amounts),
                max_open_orders=draw(st.integers(0, 1000)),
                stale_after_ms=draw(st.integers(1, 10**6)),
                instruments=own,
            ),
        )
    operators = {
        OperatorId(name): OperatorSettings(
            name=OperatorId(name),
            roles=draw(st.sampled_from([("trader",), ("risk", "trader"), ()])),
            accounts=draw(st.sampled_from([("*",), tuple(accounts)])),
            sees=draw(st.sampled_from([None, ("*",)])),
            uid=draw(st.none() | st.just(number)),
        )
        for number, name in enumerate(draw(st.lists(_names, max_size=2, unique=True)))
    }
    return Settings(
        desk=DeskSettings(
            name=draw(_names),
            reporting_currency="USDT",
            approvals=draw(st.sampled_from([(), ("live",), ("rearm-breach", "raise-limits", "live")])),
            idle_lock_minutes=draw(st.integers(0, 60)),
            read_group=draw(st.none() | st.just("support")),
        ),
        venues=venues,
        accounts=accounts,
        operators=operators,
        keys=draw(st.dictionaries(_texts, _texts, max_size=2)),
    )


@settings(max_examples=80)
@given(all_settings())
def test_what_is_written_is_read_back_the_same(wanted):
    assert config.parse(config.render(wanted)) == wanted


def test_an_account_can_be_added_to_a_file_that_was_read(tmp_path):
    read = config.parse(EXAMPLE)
    acme = read.accounts[AccountId("acme")]
    zeta = msgspec.structs.replace(acme, id=AccountId("zeta"), egress="127.0.0.3", secret="zeta")
    path = tmp_path / "desk.toml"
    path.write_text(config.render(msgspec.structs.replace(read, accounts=read.accounts | {zeta.id: zeta})))
    assert list(config.load(path).accounts.values()) == [acme, zeta]


# ---- where things are ------------------------------------------------------------------------------------------------


def test_TRADEDESK_HOME_puts_everything_in_one_folder(tmp_path):
    home = config.find_home({"TRADEDESK_HOME": str(tmp_path)})
    assert home == config.Home(config=tmp_path / "desk.toml", state=tmp_path / "state", log=tmp_path / "log")
    assert home.journal == tmp_path / "state" / "journal.sqlite"


def test_a_named_config_file_moves_only_that_file(tmp_path):
    home = config.find_home({"TRADEDESK_HOME": str(tmp_path)}, config=Path("other.toml"))
    assert home.config == Path.cwd() / "other.toml"
    assert home.state == tmp_path / "state"


def test_without_TRADEDESK_HOME_the_systems_folders_are_used():
    home = config.find_home({})
    assert home.config.name == "desk.toml"
    assert "tradedesk" in str(home.state)
    assert len({home.config.parent, home.log}) == 2


@given(st.integers(1, 300))
def test_socket_paths_stay_short_whatever_the_homes_length(length):
    state = Path("/home/" + "d" * length + "/state")
    home = config.Home(config=state, state=state, log=state)
    again = config.Home(config=Path("/x"), state=state, log=Path("/y"))
    assert len(bytes(home.control_socket)) <= 100
    assert len(bytes(home.read_socket)) <= 100
    assert (home.control_socket, home.read_socket) == (again.control_socket, again.read_socket)
    assert (home.sockets == state) == (length <= 100 - len("/home//state/control.sock"))


def test_two_long_homes_have_sockets_of_their_own():
    sockets = {
        config.Home(config=state, state=state, log=state).sockets
        for state in (Path("/home/" + "d" * 200 + end) for end in ("/a", "/b"))
    }
    assert len(sockets) == 2


def test_a_private_folder_is_made_or_closed_to_others(tmp_path):
    folder = config.private_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert config.private_folder(folder).stat().st_mode & 0o777 == 0o700
    assert config.private_folder(folder, is_passable=True).stat().st_mode & 0o777 == 0o711
    assert config.private_folder(folder).stat().st_mode & 0o777 == 0o711  # by whoever looks next: the desk decides it
    assert config.private_folder(folder, is_passable=False).stat().st_mode & 0o777 == 0o700


def test_a_link_or_a_file_where_the_folder_should_be_is_refused(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is not a folder of yours"):
        config.private_folder(tmp_path / "link")
    with pytest.raises(ConfigError, match="cannot be made"):
        config.private_folder(tmp_path / "file")


def test_the_venues_own_symbol_gives_the_same_instrument_as_the_one_for_people():
    assert instrument_id(VenueId("binance"), "BTC/USDT") == instrument_id(VenueId("binance"), "BTCUSDT")
