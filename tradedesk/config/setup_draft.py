"""The answers of a setup read as parts of a desk, and the settings they come to. Pure."""

from decimal import Decimal

import msgspec

from tradedesk.config.questions import LIVE, listed
from tradedesk.config.settings import DeskSettings, OperatorSettings, Settings, VenueSettings
from tradedesk.config.setup_model import State
from tradedesk.domain.accounts import Account, Mode
from tradedesk.domain.alerts import Severity
from tradedesk.domain.exits import Exit, exits_of, parse_exit
from tradedesk.domain.limits import Limits
from tradedesk.domain.money import parse_decimal
from tradedesk.domain.webhooks import Receiver, ReceiverKind
from tradedesk.domain.words import AccountId, OperatorId, VenueId

NOTHING = Settings(desk=DeskSettings(name="main", reporting_currency="USDT"))


class Draft:
    """What desk.toml says already (None: there is none), and the answers so far. What is not answered is empty."""

    def __init__(self, before: Settings | None, state: State) -> None:
        self.before = NOTHING if before is None else before
        self.is_new = before is None
        self.state = state

    def venue_names(self) -> tuple[str, ...]:
        return listed(self.state.text("new_venues"))

    def account_names(self) -> tuple[str, ...]:
        return listed(self.state.text("new_accounts"))

    def operator_names(self) -> tuple[str, ...]:
        return listed(self.state.text("new_operators"))

    def receiver_names(self) -> tuple[str, ...]:
        return listed(self.state.text("new_alerts"))

    def venue_of(self, account: str) -> str:
        """The venue of a new account: the one that was chosen, or the only one there is."""
        known = (*self.before.venues, *self.venue_names())
        return self.state.text(f"accounts.{account}.venue") or (known[0] if len(known) == 1 else "")

    def site_of(self, venue: str) -> str | None:
        """The URL at which a venue is reached; None: the real one."""
        known = self.before.venues.get(VenueId(venue))
        if known is not None:
            return known.url
        url = self.state.text(f"venues.{venue}.url")
        return None if url == LIVE else url.rstrip("/")

    def symbols_of(self, venue: str) -> tuple[str, ...]:
        known = self.before.venues.get(VenueId(venue))
        if known is None:
            return listed(self.state.text(f"venues.{venue}.instruments"))
        return (*known.instruments, *listed(self.state.text(f"venues.{venue}.add_instruments")))

    def exit_of(self, venue: str) -> str:
        """The exit of the venue's public market data."""
        known = self.before.venues.get(VenueId(venue))
        return self.state.text(f"venues.{venue}.egress") if known is None else known.egress or ""

    def compose(self) -> Settings:
        """What desk.toml says then: what it said before, and what the answers add."""
        before = self.before
        venues = {**before.venues, **{VenueId(name): self._venue(name) for name in self.venue_names()}}
        for id_, venue in before.venues.items():
            symbols = tuple(dict.fromkeys(self.symbols_of(id_)))
            venues[id_] = msgspec.structs.replace(venue, instruments=symbols)
        accounts = dict(before.accounts)
        for name in self.account_names():
            account = self._account(name, venues)
            accounts[account.id] = account
            for other in self.sharing(name):
                if account.family is not None and other in accounts and accounts[other].family is None:
                    accounts[other] = msgspec.structs.replace(accounts[other], family=account.family)
        operators = dict(before.operators)
        for key, known in before.operators.items():
            more = listed(self.state.text(f"operators.{key}.add_accounts"))
            if more:
                operators[key] = msgspec.structs.replace(known, accounts=(*known.accounts, *more))
        for name in self.operator_names():
            operators[OperatorId(name)] = self._operator(name)
        alerts = {**before.alerts, **{name: self.receiver_of(name) for name in self.receiver_names()}}
        desk = before.desk
        if self.is_new:
            desk = msgspec.structs.replace(
                desk, name=self.state.text("desk.name"), reporting_currency=self.state.text("desk.reporting_currency")
            )
        approvals = listed(self.state.text("desk.approvals"))
        if approvals:
            desk = msgspec.structs.replace(desk, approvals=approvals)
        return msgspec.structs.replace(
            before, desk=desk, venues=venues, accounts=accounts, operators=operators, alerts=alerts
        )

    def _venue(self, name: str) -> VenueSettings:
        return VenueSettings(
            id=VenueId(name),
            exchange=self.state.text(f"venues.{name}.exchange"),
            url=self.site_of(name),
            egress=self.state.text(f"venues.{name}.egress"),
            instruments=self.symbols_of(name),
        )

    def _account(self, name: str, venues: dict[VenueId, VenueSettings]) -> Account:
        at, venue = f"accounts.{name}", VenueId(self.venue_of(name))
        drawdown = self.state.text(f"{at}.max_drawdown")
        return Account(
            id=AccountId(name),
            venue=venue,
            owner=self.state.text(f"{at}.owner"),
            groups=("all",),
            mode=Mode.Live if venue in venues and venues[venue].url is None else Mode.Paper,
            egress=self.egress_of(name),
            secret=name,
            family=(self.state.text(f"{at}.family") or None) if self.sharing(name) else None,
            uid=self.state.told(f"key:{name}", "uid") or None,
            exit_check=self.state.text(f"{at}.exit_check") or None,
            exit_address=self.state.told(f"exit:{name}", "exit_address") or None,
            limits=Limits(
                max_order_notional=self._amount(f"{at}.max_order_notional"),
                max_position_notional=self._amount(f"{at}.max_position_notional"),
                price_collar_bps=self._amount(f"{at}.price_collar_bps"),
                max_open_orders=int(self.state.text(f"{at}.max_open_orders")),
                max_drawdown=parse_decimal(drawdown, "max_drawdown") if drawdown else None,
            ),
        )

    def _operator(self, name: str) -> OperatorSettings:
        uid = self.state.text(f"operators.{name}.uid")
        return OperatorSettings(
            name=OperatorId(name),
            roles=listed(self.state.text(f"operators.{name}.roles")),
            accounts=listed(self.state.text(f"operators.{name}.accounts")),
            uid=int(uid) if uid else None,
        )

    def receiver_of(self, name: str) -> Receiver:
        """A new receiver of alerts."""
        kind = ReceiverKind(self.state.text(f"alerts.{name}.kind"))
        return Receiver(
            name=name,
            kind=kind,
            least=Severity(self.state.text(f"alerts.{name}.least")),
            chat=self.state.text(f"alerts.{name}.chat") if kind is ReceiverKind.Telegram else None,
        )

    def _amount(self, key: str) -> Decimal:
        return parse_decimal(self.state.text(key), key)

    def check_of(self, account: str) -> str | None:
        """The address echo that proves the exit of a new account."""
        return self.state.text(f"accounts.{account}.exit_check") or self.before.desk.exit_check

    # -- exits --------------------------------------------------------------------------------------------------------

    def egress_of(self, account: str) -> str:
        """The exit of a new account as desk.toml writes it; as typed where it is none."""
        typed = self.state.text(f"accounts.{account}.egress")
        found = parse_exit(typed)
        return str(found) if isinstance(found, Exit) else typed

    def taken(self, but: str) -> dict[str, list[AccountId]]:
        """The accounts that leave by each exit, by its place: known ones, and new ones that come before `but`."""
        found: dict[str, list[AccountId]] = {}
        for account in self.before.accounts.values():
            for exit_ in exits_of(account):
                found.setdefault(_place(exit_), []).append(account.id)
        for name in self.account_names():
            if name == but:
                break
            found.setdefault(_place(self.egress_of(name)), []).append(AccountId(name))
        return found

    def sharing(self, name: str) -> list[AccountId]:
        """The accounts that leave by the same exit as `name` and were there before it."""
        egress = self.egress_of(name)
        return self.taken(but=name).get(_place(egress), []) if egress else []

    def family_of(self, name: str) -> str:
        known = self.before.accounts.get(AccountId(name))
        return (known.family or "") if known is not None else self.state.text(f"accounts.{name}.family")


def _place(exit_: str) -> str:
    found = parse_exit(exit_)
    return found.place if isinstance(found, Exit) else exit_
