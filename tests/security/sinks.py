"""The rule of text on a screen: nothing but cleaned `Content` or `Text` goes where Textual and Rich would draw a string.

A plain string given to them is parsed as markup: `[@click=app.quit]` of a venue becomes a button. And what is not cleaned
reaches the terminal, control codes and all. So at a sink stands a literal of ours, or `Content(clean(...))` or
`Text(clean(...))`, or a name bound to no string; a line that must differ ends in a comment `# sink: why it is safe`.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

# Called with text first, or by one of the keywords below.
CALLS = frozenset(
    ("update", "notify", "Static", "Label", "Button", "Option", "Selection", "Checkbox", "RadioButton", "Tab", "TabPane",
     "Collapsible", "Tooltip", "Placeholder", "Markdown", "add_row", "add_column", "add_option", "add_options",
     "write_line", "DropdownItem", "Panel", "Rule", "Group", "Segment", "Input")
)  # fmt: skip
TYPED = frozenset(
    ("Input",)
)  # what comes first is what was typed, drawn as it is; the keywords are drawn like the others
KEYWORDS = frozenset(
    ("renderable", "content", "label", "title", "subtitle", "tooltip", "placeholder", "main", "prefix", "message", "header")
)  # fmt: skip
ASSIGNED = frozenset(("border_title", "border_subtitle", "tooltip", "placeholder", "label", "title", "sub_title"))
MADE_BY = frozenset(("Content", "Text"))
CLEANED_BY = frozenset(("clean", "fit"))
FORBIDDEN = frozenset(("from_markup", "from_ansi", "render_markup", "Markdown", "JSON", "from_rich_text"))
ALLOWED = "# sink: "


def breaches(path: Path) -> list[str]:
    """Each place in a file that breaks the rule, as a sentence."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    found = []
    tree = ast.parse(source)
    made = _names_of_made(tree)
    for node, what in _wrong(tree, made):
        span = lines[node.lineno - 1 : (node.end_lineno or node.lineno)]
        if not any(ALLOWED in line for line in span):
            found.append(
                f"{path.name}:{node.lineno}: {what}; write Content(clean(...)), or end the line in `{ALLOWED}why`"
            )
    return found


def _names_of_made(tree: ast.AST) -> frozenset[str]:
    """Names that are given nothing but what is safe at a sink, anywhere in the file."""
    given: dict[str, list[bool]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                given.setdefault(name, []).append(isinstance(value, ast.Call) and _is_safe(value))
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                given.setdefault(name, []).append(isinstance(node, ast.Name))  # the assignment itself counts above
    return frozenset(name for name, uses in given.items() if len(uses) > 1 and all(uses))


def _wrong(tree: ast.AST, made: frozenset[str]) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call():
                yield from _call(node, made)
            case ast.Assign(targets=targets, value=value) if not _is_safe(value, made):
                for target in targets:
                    if isinstance(target, ast.Attribute) and target.attr in ASSIGNED:
                        yield node, f"{target.attr} is set to a string that is not known to be ours"
            case ast.keyword(arg="markup", value=ast.Constant(value=True)):
                yield node.value, "markup is switched on"


def _call(node: ast.Call, made: frozenset[str]) -> Iterator[tuple[ast.expr, str]]:
    name = _name(node.func)
    if name in FORBIDDEN:
        yield node, f"{name} parses its text"
    elif name in MADE_BY:
        text = node.args[0] if node.args else None
        if text is not None and not _is_clean(text):
            yield node, f"{name}() is given a text that was not cleaned"
    elif name in CALLS or (name == "print" and isinstance(node.func, ast.Attribute)):
        first = [] if name in TYPED else node.args
        handed = [*first, *(keyword.value for keyword in node.keywords if keyword.arg in KEYWORDS)]
        for value in handed if name in ("add_row", "print") else handed[:1] + handed[len(first) :]:
            if not _is_safe(value, made):
                yield node, f"{name}() is given a string that is not known to be ours"
                return


def _is_safe(value: ast.expr, made: frozenset[str] = frozenset()) -> bool:
    """Whether no foreign string stands there: a literal, a made Content, or what is visibly no string."""
    match value:
        case ast.Starred(value=inner):
            return _is_safe(inner, made)
        case ast.Name(id=name):
            return name in made
        case ast.Constant(value=text):
            return not isinstance(text, str) or "[" not in text.replace("[ ", "").rstrip("[")
        case ast.Call():
            name = _name(value.func)
            inner = value.func.value if isinstance(value.func, ast.Attribute) else None
            is_joined = isinstance(inner, ast.Call) and _name(inner.func) in MADE_BY  # Content("\n").join(...)
            return is_joined or name in MADE_BY or name[:1].isupper() or name in ("fromkeys", "dict")
        case ast.IfExp(body=body, orelse=other):
            return _is_safe(body, made) and _is_safe(other, made)
        case ast.Dict() | ast.Set() | ast.DictComp() | ast.ListComp() | ast.GeneratorExp() | ast.Lambda():
            return True
    return False


def _is_clean(text: ast.expr) -> bool:
    match text:
        case ast.Constant(value=str()):
            return True
        case ast.Name(id=name) | ast.Call(func=ast.Attribute(value=ast.Name(id=name)), args=[]) if name.isupper():
            return True  # a text of the module's own
        case ast.Call(func=ast.Attribute(value=ast.Constant(), attr="join"), args=[ast.GeneratorExp(elt=part)]):
            return _is_clean(part)
        case ast.Call():
            return _name(text.func) in CLEANED_BY
        case ast.BinOp(op=ast.Mult(), left=ast.Constant()):
            return True
    return False


def _name(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
