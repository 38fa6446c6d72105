"""What the setup asks and tests, in which order, and the settings that the answers come to. Pure.

Names come first (which venues, which accounts, who operates), then the same questions for each, so every answer has a key
of its own, and a file of answers says what a person would.
"""

from collections.abc import Container, Iterator
from decimal import Decimal
from math import ceil
from urllib.parse import urlsplit

from tradedesk.config.questions import (
    Offer,
    Question,
    a_count,
    a_currency,
    a_name,
    a_passphrase,
    a_site,
    a_user_id,
    an_amount,
    an_echo,
    an_exit,
    instruments,
    names,
)
from tradedesk.config.settings import EVERY_ACCOUNT, Settings
from tradedesk.config.setup_draft import Draft
from tradedesk.config.setup_model import Check, Machine, State
from tradedesk.domain.money import parse_decimal, plain

_SMALL_ORDER = Decimal(1_000)  # quote units: proposed where no balance is known
_NO, _YES = "no", "yes"
_ROLES = (
    Offer("trader", "places, changes and cancels orders"),
    Offer("risk", "sets limits, halts, lifts a halt"),
    Offer("support", "looks, and can send nothing"),
)
_APPROVALS = (
    Offer("rearm-breach", "to lift a halt that a breach raised"),
    Offer("raise-limits", "to raise limits"),
    Offer("live", "to let a key trade live"),
)
_KINDS = (
    Offer("hmac", "a key and a shared secret"),
    Offer("ed25519", "a private key in a PEM file"),
    Offer("rsa", "likewise, slower"),
)


class SetupPlan:
    """The questions for one machine and what its desk.toml says already. Holds nothing that changes."""

    def __init__(self, before: Settings | None, machine: Machine) -> None:
        self.before = before
        self.machine = machine

    def __call__(self, state: State) -> Iterator[Question | Check]:
        """All that is to be asked and tested, as far as the answers say. What is not answered yet counts as nothing."""
        draft = self.draft(state)
        if draft.is_new:
            yield from self._desk()
        yield from self._vault(state)
        yield from self._venues(draft)
        yield from self._accounts(draft)
        yield from self._operators(draft)

    def draft(self, state: State) -> Draft:
        return Draft(self.before, state)

    def compose(self, state: State) -> Settings:
        return self.draft(state).compose()

    # -- what is asked ----------------------------------------------------------------------------------------------------

    def _desk(self) -> Iterator[Question]:
        about = "the desk"
        yield Question(
            key="desk.name", about=about, text="What is this desk called?", proposal="main", judge=a_name("a desk")
        )
        yield Question(
            key="desk.reporting_currency",
            about=about,
            text="In which currency are profit, drawdown and exposure told?",
            proposal="USDT",
            judge=a_currency,
        )

    def _vault(self, state: State) -> Iterator[Question | Check]:
        machine, about = self.machine, "where keys are kept"
        if not machine.has_vault_file and machine.keyring is not None:
            yield Question(
                key="vault.kind",
                about=about,
                text="Where are the clients' keys to be kept?",
                offers=(
                    Offer("keyring", f"the {machine.keyring}"),
                    Offer("file", f"an encrypted file in {machine.folder}, opened by a passphrase"),
                ),
                only_offers=True,
                proposal="keyring",
            )
        uses_file = machine.has_vault_file or machine.keyring is None or state.text("vault.kind") == "file"
        if uses_file and not (machine.has_vault_file and machine.has_passphrase_file):
            is_made = not machine.has_vault_file
            yield Question(
                key="vault.passphrase",
                about=about,
                text="A passphrase for the encrypted file of keys" if is_made else "The passphrase of the vault",
                hint="At least 8 characters. Nobody can open the file without it." if is_made else "",
                is_hidden=True,
                is_typed_twice=is_made,
                judge=a_passphrase,
            )
            if is_made:
                yield Question(
                    key="vault.unattended",
                    about=about,
                    text="Shall the desk be able to start without somebody to type it?",
                    hint="yes keeps it in a file `passphrase` (0600) beside desk.toml: who reads your files can read it.",
                    offers=(Offer(_NO, "it is asked for at each start"), Offer(_YES, "for a service or a cron job")),
                    only_offers=True,
                    proposal=_NO,
                )
        needs = ("vault.kind", "vault.passphrase", "vault.unattended")
        yield Check(
            key="vault", says="writing, reading back and deleting a trial entry where keys are kept", needs=needs
        )

    def _venues(self, draft: Draft) -> Iterator[Question | Check]:
        known = draft.before.venues
        yield Question(
            key="new_venues",
            about="venues",
            text="Which venues does the desk trade at?" if not known else "Which venues are new?",
            hint=f"Known already: {', '.join(known)}. Nothing if there is no new one."
            if known
            else "Names of your choosing, with commas.",
            proposal="" if known else "binance",
            is_optional=bool(known),
            is_list=True,
            judge=names("a venue", known),
        )
        for name in draft.venue_names():
            yield from self._venue_questions(name, draft.site_of(name))
        for name, venue in known.items():
            key = f"venues.{name}.add_instruments"
            yield Question(
                key=key,
                about=f"venue {name}",
                text=f"Which instruments are to be traded at {name} besides {', '.join(venue.instruments)}?",
                hint="Nothing if these are enough.",
                is_optional=True,
                is_list=True,
                judge=instruments,
            )
            if draft.state.text(key):
                yield Check(key=f"venue:{name}", says=f"whether {name} lists them", needs=(key,))

    def _venue_questions(self, name: str, site: str | None) -> Iterator[Question | Check]:
        about, at = f"venue {name}", f"venues.{name}"
        yield Question(
            key=f"{at}.exchange",
            about=about,
            text=f"Which exchange is {name}?",
            offers=tuple(Offer(exchange) for exchange in self.machine.exchanges),
            only_offers=True,
            proposal=name if name in self.machine.exchanges else self.machine.exchanges[0],
        )
        yield Question(
            key=f"{at}.url",
            about=about,
            text="The real exchange, or a paper or test site?",
            hint="live trades real money. Else the address of the site, e.g. http://127.0.0.1:8765 of `tradedesk paper`.",
            judge=a_site,
        )
        yield Question(
            key=f"{at}.egress",
            about=about,
            text="By which address of this machine does its public market data come?",
            offers=self._sources(site),
            proposal=next(iter(self._addresses(site)), ""),
            judge=an_exit,
        )
        yield Question(
            key=f"{at}.instruments",
            about=about,
            text="What may be traded there?",
            hint="Base/quote, with commas.",
            proposal="BTC/USDT, ETH/USDT",
            is_list=True,
            judge=instruments,
        )
        yield Check(
            key=f"venue:{name}",
            says=f"whether {name} answers by that exit, what its clock says, and what it lists",
            needs=(f"{at}.exchange", f"{at}.url", f"{at}.egress", f"{at}.instruments"),
        )

    def _accounts(self, draft: Draft) -> Iterator[Question | Check]:
        known = draft.before.accounts
        yield Question(
            key="new_accounts",
            about="clients",
            text="Which client accounts are to be set up?",
            hint=f"Known already: {', '.join(known)}. Nothing if there is no new one."
            if known
            else "A name for each, with commas, e.g. acme, birch. One account is one client at one venue.",
            is_optional=bool(known),
            is_list=True,
            judge=names("an account", known),
        )
        for name in draft.account_names():
            yield from self._account_questions(draft, name)

    def _account_questions(self, draft: Draft, name: str) -> Iterator[Question | Check]:
        about, at = f"account {name}", f"accounts.{name}"
        yield Question(
            key=f"{at}.owner", about=about, text=f"Whose account is {name}?", hint="The client.", proposal=name
        )
        venues = (*draft.before.venues, *draft.venue_names())
        if len(venues) > 1:
            yield Question(
                key=f"{at}.venue",
                about=about,
                text=f"At which venue is {name}?",
                offers=tuple(Offer(venue) for venue in venues),
                only_offers=True,
            )
        venue = draft.venue_of(name)
        site = (f"venues.{venue}.url",)
        yield from self._exit_questions(draft, name, site)
        yield Question(
            key=f"{at}.kind",
            about=about,
            text=f"What kind of API key has {name}?",
            offers=_KINDS,
            only_offers=True,
            proposal="hmac",
        )
        yield Question(
            key=f"{at}.api_key",
            about=about,
            text=f"The API key of {name}",
            hint="Not shown while you type or paste it.",
            is_hidden=True,
        )
        is_shared_secret = draft.state.text(f"{at}.kind") in ("", "hmac")
        if is_shared_secret:
            yield Question(
                key=f"{at}.secret",
                about=about,
                text=f"The secret of that key of {name}",
                hint="Not shown while you type or paste it. It goes into the vault and nowhere else.",
                is_hidden=True,
            )
        else:
            yield Question(
                key=f"{at}.secret_file",
                about=about,
                text=f"The file with the private key of {name}",
                hint="In PEM form, mode 0600, without a passphrase. The key goes into the vault; the file is yours to remove then.",
            )
        secret = f"{at}.secret" if is_shared_secret else f"{at}.secret_file"
        yield Check(
            key=f"key:{name}",
            says=f"whether the key of {name} works, what it may do, and whether the clocks agree",
            needs=(f"{at}.api_key", secret, f"{at}.kind", f"{at}.egress", f"{at}.venue", *site),
        )
        yield from self._limit_questions(draft, name)

    def _exit_questions(self, draft: Draft, name: str, site: tuple[str, ...]) -> Iterator[Question | Check]:
        about, at = f"account {name}", f"accounts.{name}"
        taken = draft.taken(but=name)
        site_url = draft.site_of(draft.venue_of(name))
        market_data = draft.exit_of(draft.venue_of(name))
        free = [source for source in self._addresses(site_url) if source not in taken and source != market_data]
        yield Question(
            key=f"{at}.egress",
            about=about,
            text=f"By which exit does {name} reach its venue?",
            hint="An address of this machine, or a proxy: http://, https:// or socks5://[user@]host:port. One per client.",
            offers=self._sources(site_url, taken),
            proposal=free[0] if free else "",
            judge=an_exit,
        )
        egress = draft.state.text(f"{at}.egress")
        if "://" in egress and "@" in egress:
            yield Question(
                key=f"{at}.proxy_password",
                about=about,
                text="The password of that proxy",
                hint="Not shown while you type it. It goes into the vault.",
                is_hidden=True,
            )
        if draft.before.desk.exit_check is None and not egress.startswith("127."):
            yield Question(
                key=f"{at}.exit_check",
                about=about,
                text="A URL that tells from which address it was asked, to prove the exit?",
                hint="An address echo you trust, https:// and plain text. A proxy needs one; else nothing is an answer too.",
                is_optional="://" not in egress,
                judge=an_echo,
            )
        sharing = draft.sharing(name)
        if sharing:
            family = next((draft.family_of(other) for other in sharing if draft.family_of(other)), "")
            yield Question(
                key=f"{at}.family",
                about=about,
                text=f"{', '.join(sharing)} leaves by {egress} too. The name of the family that shares it?",
                hint="Only for accounts whose traffic may be told to belong together. Else go back and choose another exit.",
                proposal=family,
                judge=a_name("a family"),
            )
        yield Check(
            key=f"exit:{name}",
            says=f"whether {name} gets out by that exit, and is seen there",
            needs=(f"{at}.egress", f"{at}.proxy_password", f"{at}.exit_check", f"{at}.venue", *site),
        )

    def _limit_questions(self, draft: Draft, name: str) -> Iterator[Question]:
        about, at, proposed = f"account {name}", f"accounts.{name}", _SMALL_ORDER
        free = draft.state.told(f"key:{name}", "free")
        if free:
            proposed = _round_figure(parse_decimal(free, "free") / 10) or _SMALL_ORDER
        yield Question(
            key=f"{at}.max_order_notional",
            about=about,
            text=f"The largest order of {name}, in quote units (e.g. USDT)?",
            hint=f"A tenth of the {free} it holds is proposed." if free else "Without it the account would be blocked.",
            proposal=plain(proposed),
            judge=an_amount,
        )
        order = draft.state.text(f"{at}.max_order_notional")
        held = draft.state.told(f"key:{name}", "held")
        room = parse_decimal(order, "order") * 5 if order else _SMALL_ORDER * 5
        yield Question(
            key=f"{at}.max_position_notional",
            about=about,
            text="Its largest position, in quote units?",
            hint=f"It holds {held} of one instrument already; that and five full orders are proposed."
            if held
            else "Five full orders are proposed.",
            proposal=plain(room + ceil(parse_decimal(held, "held")) if held else room),
            judge=an_amount,
        )
        yield Question(
            key=f"{at}.price_collar_bps",
            about=about,
            text="How far from the market may a price be, in hundredths of a percent?",
            hint="Beyond it an order is taken for a typing error and refused.",
            proposal="300",
            judge=an_amount,
        )
        yield Question(
            key=f"{at}.max_open_orders", about=about, text="How many orders may be open?", proposal="40", judge=a_count
        )
        yield Question(
            key=f"{at}.max_drawdown",
            about=about,
            text=f"At what loss since the day's best does an alert come, in {self._currency(draft)}?",
            hint="Nothing for no such alert.",
            is_optional=True,
            judge=an_amount,
        )

    def _operators(self, draft: Draft) -> Iterator[Question]:
        known, new = draft.before.operators, draft.account_names()
        for operator in known.values():
            if new and EVERY_ACCOUNT not in operator.accounts:
                yield Question(
                    key=f"operators.{operator.name}.add_accounts",
                    about=f"operator {operator.name}",
                    text=f"Which of the new accounts are {operator.name}'s too?",
                    hint=f"So far {operator.name} has {', '.join(operator.accounts)}. Nothing if none.",
                    offers=tuple(Offer(account) for account in new),
                    only_offers=True,
                    is_list=True,
                    is_optional=True,
                )
        yield Question(
            key="new_operators",
            about="operators",
            text="Who operates this desk?" if not known else "Which operators are new?",
            hint=f"Known already: {', '.join(known)}. Nothing if there is no new one."
            if known
            else "A name for each, with commas. Orders and commands are recorded under it.",
            proposal="" if known else self._own_name(),
            is_optional=bool(known),
            is_list=True,
            judge=names("an operator", known),
        )
        is_first = not known
        for name in draft.operator_names():
            yield from self._operator_questions(draft, name, is_first)
            is_first = False
        if draft.operator_names() and len(known) + len(draft.operator_names()) > 1 and not draft.before.desk.approvals:
            yield Question(
                key="desk.approvals",
                about="operators",
                text="What takes a second person, with the role risk?",
                hint="With commas. Nothing: each does what their roles allow alone.",
                offers=_APPROVALS,
                only_offers=True,
                is_list=True,
                is_optional=True,
            )

    def _operator_questions(self, draft: Draft, name: str, is_first: bool) -> Iterator[Question]:
        about, at = f"operator {name}", f"operators.{name}"
        yield Question(
            key=f"{at}.roles",
            about=about,
            text=f"What may {name} do?",
            hint="Who trades an account may not lift a halt that a breach of its limits raised: that takes another.",
            offers=_ROLES,
            only_offers=True,
            is_list=True,
            proposal="trader, risk" if is_first else "trader",
        )
        accounts = (*draft.before.accounts, *draft.account_names())
        yield Question(
            key=f"{at}.accounts",
            about=about,
            text=f"For which accounts does {name} do that?",
            offers=(Offer(EVERY_ACCOUNT, "all, later ones too"), *(Offer(account) for account in accounts)),
            only_offers=True,
            is_list=True,
            proposal=EVERY_ACCOUNT,
        )
        taken = {operator.uid for operator in draft.before.operators.values()}
        taken |= {int(uid) for other in draft.operator_names() if other != name
                  and (uid := draft.state.text(f"operators.{other}.uid"))}  # fmt: skip
        yield Question(
            key=f"{at}.uid",
            about=about,
            text=f"The user id of this machine that is {name}?",
            hint=f"Yours is {self.machine.uid}. Nothing: the user that the desk runs as, saying --operator {name}.",
            proposal=str(self.machine.uid) if self.machine.uid not in taken and is_first else "",
            is_optional=True,
            judge=a_user_id,
        )
        yield Question(
            key=f"{at}.passphrase",
            about=about,
            text=f"A passphrase for {name}",
            hint="Asked for when a screen is attached under this name. Nothing: the user id of the machine is enough.",
            is_hidden=True,
            is_typed_twice=True,
            is_optional=True,
            judge=a_passphrase,
        )

    # -- small questions of our own ---------------------------------------------------------------------------------------

    def _addresses(self, site: str | None) -> tuple[str, ...]:
        """What can be an exit to that site: one on this machine is reached from loopback, any other never."""
        host = "" if site is None else urlsplit(site).hostname or ""
        return self.machine.loopback if host == "localhost" or host.startswith("127.") else self.machine.sources

    def _sources(self, site: str | None, taken: Container[str] = ()) -> tuple[Offer, ...]:
        return tuple(
            Offer(source, "has an account already" if source in taken else "") for source in self._addresses(site)
        )

    def _own_name(self) -> str:
        """The user's name, if it can be an operator's."""
        return self.machine.user if a_name("an operator")(self.machine.user) is None else "desk1"

    def _currency(self, draft: Draft) -> str:
        return draft.state.text("desk.reporting_currency") if draft.is_new else draft.before.desk.reporting_currency


def _round_figure(amount: Decimal) -> Decimal:
    """The amount with one leading digit, rounded down: 12345 gives 10000; 0 below 1."""
    whole = str(int(amount))
    return Decimal(whole[0]).scaleb(len(whole) - 1)
