"""Where alerts are sent: whoever receives them, the body that each kind of receiver takes, and what its URL may be. Pure."""

import ipaddress
from enum import StrEnum
from urllib.parse import urlsplit

from msgspec import Struct

from tradedesk.domain.alerts import Alert, Severity
from tradedesk.domain.text import clean

HOOK_SCOPE = "webhook"  # of their URLs in the vault, which are secrets: who has one can write there
MOST_TEXT = 1_500  # characters; Discord takes 2,000, the others more
MOST_URL = 1_000


class ReceiverKind(StrEnum):
    Json = "json"
    Slack = "slack"
    Discord = "discord"
    Telegram = "telegram"


class Receiver(Struct, frozen=True, kw_only=True):
    """One [alerts.X] of desk.toml."""

    name: str
    kind: ReceiverKind
    least: Severity = Severity.Warning  # what is less is not sent
    chat: str | None = None  # Telegram's chat id, or @channel


def message(receiver: Receiver, alert: Alert, desk: str, more: int = 0) -> dict[str, object]:
    """The JSON body that tells of `alert`, and of `more` alerts before it that were not told.

    Slack's and Discord's mentions and links, and Telegram's markup, are off: the text may quote a venue.
    """
    if receiver.kind is ReceiverKind.Json:
        return {
            "schema": "alert.v1",
            "desk": desk,
            "key": alert.key,
            "rule": alert.rule,
            "severity": alert.severity.value,
            "account": alert.account,
            "text": alert.text,
            "owner": alert.owner,
            "cause": alert.group,
            "action": alert.action,
            "at_ns": alert.at,
            "more": more,
        }
    rest = f" (and {more} more)" if more else ""
    head = f"{alert.severity.value.upper()} {desk}{f' {alert.account}' if alert.account else ''}: "
    text = head + clean(alert.text, MOST_TEXT - len(head) - len(rest)) + rest
    match receiver.kind:
        case ReceiverKind.Slack:  # docs.slack.dev, formatting message text: these three are its control characters
            return {"text": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}
        case ReceiverKind.Discord:
            return {"content": text, "allowed_mentions": {"parse": []}}
        case ReceiverKind.Telegram:
            return {"chat_id": receiver.chat, "text": text, "link_preview_options": {"is_disabled": True}}


def hook_wrong(url: str) -> str | None:
    """The sentence that says why `url` is no receiver's, or None. Quotes nothing of it."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return "that is no URL"
    if parts.scheme not in ("https", "http") or not host or port == 0 or len(url) > MOST_URL:
        return "that is no URL of a webhook; it begins with https://"
    if url != clean(url, MOST_URL) or not url.isascii() or " " in url:
        return "that URL has characters that no URL has"
    if "@" in parts.netloc or parts.fragment:
        return "leave user, password and # out of the URL"
    if parts.scheme == "http" and not _is_near(host):
        return "http:// would send it over the net for all to read; use https://, or an address of this network"
    return None


def _is_near(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback or address.is_private
