"""F79, F80: the lint rule that keeps plain strings out of Textual and Rich, and that the rule itself sees what it must."""

from pathlib import Path

import pytest
from sinks import breaches

import tradedesk

ROOM = Path(tradedesk.__file__).parent
DRAWN_BY_RICH = [path for path in sorted((ROOM / "cli").rglob("*.py")) if "rich." in path.read_text(encoding="utf-8")]
FILES = [*sorted((ROOM / "ui").rglob("*.py")), *DRAWN_BY_RICH]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOM)))
def test_no_plain_string_reaches_a_sink_of_textual_or_rich(path: Path) -> None:
    assert breaches(path) == []


@pytest.mark.parametrize(
    "line",
    [
        'yield Static(reason, id="x")',
        'yield Static(f"{reason}", markup=False)',
        'yield Static("[b]bold[/b]")',
        "yield Static(Content(reason))",
        "label.update(reason)",
        "label.update(Content(reason))",
        'label.update("a" + reason)',
        "label.update(clean(reason))",
        "self.notify(reason)",
        'self.notify("x", title=reason)',
        "table.add_row(symbol, price)",
        "table.add_row(Text(symbol), price)",
        "table.add_column(symbol)",
        "Text.from_markup(reason)",
        "Content.from_markup('x $y', y=reason)",
        "self.border_title = reason",
        'self.border_title = f"{reason}"',
        "self.border_subtitle = clean(reason)",
        "self.tooltip = reason",
        "console.print(reason)",
        'console.print("a", reason)',
        "Static(Content('x'), markup=True)",
        "Button(label=reason)",
        "Input(placeholder=reason)",
        "Segment(reason, style)",
        "Option(reason)",
        "yield Static(Content('x') if a else reason)",
        "name = Text('x'); name = reason; table.add_column(name)",
    ],
)
def test_the_rule_sees(line: str, tmp_path: Path) -> None:
    assert _breaches(tmp_path, line) != []


@pytest.mark.parametrize(
    "line",
    [
        'yield Static(id="x", markup=False)',
        'yield Static("accounts", markup=False)',
        "yield Static(Content(clean(reason)))",
        'label.update(Content(clean(f"[{reason}]")))',
        "found.update(dict.fromkeys(names))",
        "yield Static(Content(WELCOME.rstrip()))",
        "table.add_row(*cells)  # sink: Text, made above",
        "self.border_title = Content(clean(reason))",
        "self.border_title = None",
        'print("not of Rich")',
        "name = Text(clean(a)); table.add_column(name)",
        'Content("\\n").join(lines)',
        "Text(fit(reason, 4))",
    ],
)
def test_the_rule_lets_pass(line: str, tmp_path: Path) -> None:
    assert _breaches(tmp_path, line) == []


def _breaches(folder: Path, line: str) -> list[str]:
    path = folder / "pane.py"
    path.write_text(f"def compose(self):\n    {line}\n", encoding="utf-8")
    return breaches(path)
