"""What the setup asks and tests, in which order, and the settings that the answers come to. Pure.

Names come first (which venues, which accounts, who operates), then the same questions for each, so every answer has a key
of its own, and a file of answers says what a person would.
"""

from collections.abc import Iterator

from tradedesk.config.questions import (
    Offer,
    Question,
    a_currency,
    a_hook,
    a_name,
    a_passphrase,
    a_site,
    a_user_id,
    an_exit,
    instruments,
    names,
)
from tradedesk.config.settings import EVERY_ACCOUNT, Settings
from tradedesk.config.setup_accounts import account_questions, addresses, sources
from tradedesk.config.setup_draft import Draft
from tradedesk.config.setup_model import Check, Machine, State
from tradedesk.domain.alerts import Severity
from tradedesk.domain.webhooks import ReceiverKind

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

_RECEIVERS = (
    Offer(ReceiverKind.Slack, "an incoming webhook of a channel"),
    Offer(ReceiverKind.Discord, "a webhook of a channel"),
    Offer(ReceiverKind.Telegram, "a bot, to a chat it is in"),
    Offer(ReceiverKind.Json, "a server of yours that takes a JSON object by POST"),
)
_LEAST = (
    Offer(Severity.Warning, "warnings too"),
    Offer(Severity.Critical, "only what must not wait"),
    Offer(Severity.Info, "everything"),
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
        yield from self._receivers(draft)

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
            offers=sources(self.machine, site),
            proposal=next(iter(addresses(self.machine, site)), ""),
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
            yield from account_questions(self.machine, draft, name)

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

    def _receivers(self, draft: Draft) -> Iterator[Question | Check]:
        known = draft.before.alerts
        yield Question(
            key="new_alerts",
            about="alerts",
            text="Where do alerts go besides the screen?" if not known else "Where else do alerts go?",
            hint=f"Known already: {', '.join(known)}. Nothing if there is no new one."
            if known
            else "A name for each receiver, with commas, e.g. night-desk. Nothing: to the screen and the log alone.",
            is_optional=True,
            is_list=True,
            judge=names("a receiver", known),
        )
        for name in draft.receiver_names():
            yield from self._receiver_questions(name, is_telegram=draft.state.text(f"alerts.{name}.kind") == "telegram")

    def _receiver_questions(self, name: str, *, is_telegram: bool) -> Iterator[Question | Check]:
        about, at = f"alerts to {name}", f"alerts.{name}"
        yield Question(
            key=f"{at}.kind",
            about=about,
            text=f"What is {name}?",
            offers=_RECEIVERS,
            only_offers=True,
            proposal="slack",
        )
        yield Question(
            key=f"{at}.least",
            about=about,
            text=f"Which alerts does {name} get?",
            offers=_LEAST,
            only_offers=True,
            proposal=Severity.Warning,
        )
        if is_telegram:
            yield Question(
                key=f"{at}.chat", about=about, text="Which chat?", hint="Its id, or @name of a public channel."
            )
        yield Question(
            key=f"{at}.url",
            about=about,
            text=f"The webhook URL of {name}",
            hint="https://api.telegram.org/bot<token>/sendMessage, with the token of your bot." if is_telegram else "",
            is_hidden=True,
            judge=a_hook,
        )
        needs = (f"{at}.kind", f"{at}.chat", f"{at}.url") if is_telegram else (f"{at}.kind", f"{at}.url")
        yield Check(key=f"webhook:{name}", says=f"whether {name} takes a message, by sending one", needs=needs)

    def _own_name(self) -> str:
        """The user's name, if it can be an operator's."""
        return self.machine.user if a_name("an operator")(self.machine.user) is None else "desk1"
