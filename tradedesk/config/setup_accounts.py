"""What the setup asks of one client account, its exit, its key and its limits, and what it checks of them. Pure."""

from collections.abc import Container, Iterator
from decimal import Decimal
from math import ceil
from urllib.parse import urlsplit

from tradedesk.config.questions import Offer, Question, a_count, a_name, an_amount, an_echo, an_exit
from tradedesk.config.setup_draft import Draft
from tradedesk.config.setup_model import Check, Machine
from tradedesk.domain.money import parse_decimal, plain

_SMALL_ORDER = Decimal(1_000)  # quote units: proposed where no balance is known
_KINDS = (
    Offer("hmac", "a key and a shared secret"),
    Offer("ed25519", "a private key in a PEM file"),
    Offer("rsa", "likewise, slower"),
)


def account_questions(machine: Machine, draft: Draft, name: str) -> Iterator[Question | Check]:
    about, at = f"account {name}", f"accounts.{name}"
    yield Question(key=f"{at}.owner", about=about, text=f"Whose account is {name}?", hint="The client.", proposal=name)
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
    yield from _exit_questions(machine, draft, name, site)
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
    yield from _limit_questions(draft, name)


def _exit_questions(machine: Machine, draft: Draft, name: str, site: tuple[str, ...]) -> Iterator[Question | Check]:
    about, at = f"account {name}", f"accounts.{name}"
    taken = draft.taken(but=name)
    site_url = draft.site_of(draft.venue_of(name))
    market_data = draft.exit_of(draft.venue_of(name))
    free = [source for source in addresses(machine, site_url) if source not in taken and source != market_data]
    yield Question(
        key=f"{at}.egress",
        about=about,
        text=f"By which exit does {name} reach its venue?",
        hint="An address of this machine, or a proxy: http://, https:// or socks5://[user@]host:port. One per client.",
        offers=sources(machine, site_url, taken),
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


def _limit_questions(draft: Draft, name: str) -> Iterator[Question]:
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
        text=f"At what loss since the day's best does an alert come, in {_currency(draft)}?",
        hint="Nothing for no such alert.",
        is_optional=True,
        judge=an_amount,
    )


def addresses(machine: Machine, site: str | None) -> tuple[str, ...]:
    """What can be an exit to that site: one on this machine is reached from loopback, any other never."""
    host = "" if site is None else urlsplit(site).hostname or ""
    return machine.loopback if host == "localhost" or host.startswith("127.") else machine.sources


def sources(machine: Machine, site: str | None, taken: Container[str] = ()) -> tuple[Offer, ...]:
    return tuple(
        Offer(source, "has an account already" if source in taken else "") for source in addresses(machine, site)
    )


def _currency(draft: Draft) -> str:
    return draft.state.text("desk.reporting_currency") if draft.is_new else draft.before.desk.reporting_currency


def _round_figure(amount: Decimal) -> Decimal:
    """The amount with one leading digit, rounded down: 12345 gives 10000; 0 below 1."""
    whole = str(int(amount))
    return Decimal(whole[0]).scaleb(len(whole) - 1)
