"""Every key of the desk: one table, from which bindings, footer, help and palette are made, and by which keys are remapped.

The monitor gets READ_KEYS only: what trades is absent there, not disabled (5.12).
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from textual.binding import Binding

from tradedesk.ui.names import hint
from tradedesk.ui.verbs import PANES


class Key(Struct, frozen=True, kw_only=True):
    """One action with its key. `command` is the way to it where a terminal swallows the key."""

    id: str
    key: str  # as Textual names it; several with commas
    action: str
    label: str  # for the footer: one or two words
    says: str  # for help and palette: a short sentence
    command: str = ""
    in_footer: bool = False
    is_app: bool = False  # bound on the app, so that it works above dialogs too


READ_KEYS: tuple[Key, ...] = (
    Key(id="desk.help", key="question_mark,f1", action="help", label="help", says="Keys of this pane, then all",
        command="help", in_footer=True),
    Key(id="desk.command", key="colon", action="command", label="command", says="Command line, with history and Tab",
        in_footer=True),
    Key(id="desk.filter", key="slash", action="filter", label="filter", says="Filter the table; Esc clears",
        command="filter TEXT", in_footer=True),
    *(
        Key(id=f"go.{name}", key=str(place), action=f"go('{name}')", label=name, says=f"Go to {name}",
            command=f"go {name}")
        for place, name in enumerate(PANES, 1)
    ),
    Key(id="go.next", key="tab", action="go_next(1)", label="next pane", says="Next pane"),
    Key(id="go.previous", key="shift+tab", action="go_next(-1)", label="previous pane", says="Previous pane"),
    Key(id="go.jump", key="g", action="jump", label="jump", says="Jump: a letter over each pane", command="go PANE"),
    Key(id="desk.worklist", key="w", action="worklist", label="worklist", says="What differs at the venue and waits",
        command="worklist ACCOUNT"),
    Key(id="desk.zoom", key="z", action="zoom", label="zoom", says="Zoom this pane, and back", command="zoom"),
    Key(id="desk.logs", key="f8", action="grow_logs", label="logs", says="Grow the logs, and back"),
    Key(id="desk.theme", key="t", action="next_theme", label="theme", says="Next theme", command="theme NAME"),
    Key(id="desk.lock", key="ctrl+l", action="lock", label="lock", says="Lock the screen; the passphrase opens it",
        command="lock"),
    Key(id="desk.dismiss", key="escape", action="dismiss_notices", label="seen", says="Put notices away"),
    Key(id="desk.copy", key="ctrl+c", action="copy_row", label="copy", says="Copy the selection or the row",
        is_app=True),
    Key(id="desk.quit", key="ctrl+q", action="leave", label="quit", says="Quit; open orders stay at the venue",
        command="quit", is_app=True),
)  # fmt: skip

TRADE_KEYS: tuple[Key, ...] = (
    Key(id="order.new", key="n", action="new", label="new", says="New ticket, filled from the selection",
        command="ACCOUNT INSTRUMENT buy QTY @PRICE", in_footer=True),
    Key(id="order.cancel", key="x", action="cancel", label="cancel", says="Cancel the selected or marked orders",
        in_footer=True),
    Key(id="order.cancel-all", key="X", action="cancel_all", label="cancel all", says="Cancel all in a scope; F2",
        command="ACCOUNTS cancel INSTRUMENT"),
    Key(id="order.undo", key="u", action="cancel_last", label="undo", says="Cancel my newest order or batch still open",
        command="undo"),
    Key(id="order.amend", key="e", action="amend", label="amend", says="Amend the selected order"),
    Key(id="order.flatten", key="f", action="flatten", label="flatten", says="A reduce-only ticket for the position",
        command="ACCOUNT INSTRUMENT flatten"),
    Key(id="alert.acknowledge", key="a", action="acknowledge", label="ack", says="Acknowledge the selected alert",
        command="ack NOTE, snooze 30m NOTE"),
    Key(id="approval.approve", key="A", action="approve", label="approve", says="Approve, as the second person; F2",
        command="approve ID NOTE"),
    Key(id="account.settle", key="W", action="settle", label="settle", says="Settle a difference: account, note, F2",
        command="settle ACCOUNT ITEM WHY"),
    Key(id="desk.arm", key="f9", action="arm", label="arm", says="Arm or disarm", command="arm", in_footer=True),
    Key(id="desk.halt", key="f12", action="halt", label="halt", says="Halt: scope, then y", command="halt ACCOUNT REASON",
        in_footer=True),
)  # fmt: skip


def bindings(keys: Iterable[Key], *, is_app: bool = False) -> list[Binding]:
    """Textual bindings for the keys of the screen, or of the app."""
    return [
        Binding(key.key, key.action, key.says, show=False, id=key.id, priority=key.is_app)
        for key in keys
        if key.is_app is is_app
    ]


def shown(key: str) -> str:
    """How a key is written for people: ^q, F9, ?."""
    first = key.split(",", maxsplit=1)[0]
    names = {"question_mark": "?", "colon": ":", "slash": "/", "escape": "Esc", "tab": "Tab", "enter": "Enter",
             "left_square_bracket": "[", "right_square_bracket": "]", "plus": "+", "minus": "-", "space": "Space",
             "home": "Home", "end": "End", "pageup": "PgUp", "pagedown": "PgDn"}  # fmt: skip
    if first.startswith("ctrl+"):
        return "^" + shown(first.removeprefix("ctrl+"))
    if first.startswith("shift+"):
        return "⇧" + shown(first.removeprefix("shift+"))
    if first[0] == "f" and first[1:].isdigit():
        return first.upper()
    return names.get(first, first)


def checked_keymap(wanted: Mapping[str, str], in_use: Mapping[str, str]) -> dict[str, str]:
    """`wanted` (action id -> key) if it can be used. `in_use` holds the key of every action there is.

    Raises ValueError with all mistakes: an action nobody knows, two actions on one key (naming both).
    """
    mistakes = [f"keys.{name}: no such action; {hint(name, in_use)}" for name in wanted if name not in in_use]
    mistakes += [f"keys.{name}: empty; name a key, like f5" for name, key in wanted.items() if not key.strip()]
    by_key: dict[str, str] = {}
    for name, keys in {**in_use, **{name: key for name, key in wanted.items() if name in in_use}}.items():
        for key in (one.strip() for one in keys.split(",")):
            other = by_key.setdefault(key, name)
            if other != name and (name in wanted or other in wanted):
                mistakes.append(f"keys.{name}: {key} is {other}'s already; give one of them another key")
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return dict(wanted)
