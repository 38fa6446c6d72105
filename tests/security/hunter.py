"""The leak hunt: looks for canary secrets, in every form in which one could travel, in bytes, files, processes and heaps.

It knows nothing of tradedesk's own redaction: what hides a secret and what looks for it must not share a mistake.
"""

import base64
import gc
import json
import os
import re
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

PART = 16  # letters of a canary that count as a leak of it: half a key is no less a leak


class Hunter:
    """Looks for `canaries` (name -> secret)."""

    def __init__(self, canaries: Mapping[str, str]) -> None:
        forms = {form: name for name, secret in canaries.items() for form in _forms(secret)}
        self._firsts = {form: name for name, secret in canaries.items() for form in _forms(secret[:PART])}
        self._names = {form.lower(): name for form, name in forms.items()}
        self._wanted = re.compile(
            b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True)), re.IGNORECASE
        )

    def in_bytes(self, found: bytes) -> set[str]:
        """The names of the canaries that stand in it."""
        return {self._names[match.lower()] for match in self._wanted.findall(found)}

    def in_text(self, text: str) -> set[str]:
        return self.in_bytes(text.encode("utf-8", "surrogatepass"))

    def in_files(self, *roots: Path) -> list[str]:
        """Every regular file below the roots, as raw bytes: SQLite pages, logs, sockets' captures, screenshots."""
        found = []
        for root in roots:
            for path in [root] if root.is_file() else sorted(root.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    found += [f"{name} in {path}" for name in self.in_bytes(path.read_bytes() + path.name.encode())]
        return found

    def in_process(self, pid: int) -> list[str]:
        """Its command line and its environment, as any `ps` shows them."""
        found = []
        for entry in ("cmdline", "environ"):
            content = Path(f"/proc/{pid}/{entry}").read_bytes()
            found += [f"{name} in {entry} of {pid}" for name in self.in_bytes(content)]
        return found

    def in_memory(self, pid: int) -> list[str]:
        """Everything a process holds, page by page, for the first part of each. Raises PermissionError for who may not look."""
        found: set[str] = set()
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in maps:
                span, rights, *_ = line.split()
                if not rights.startswith("rw"):
                    continue
                start, end = (int(each, 16) for each in span.split("-"))
                for place in range(start, end, CHUNK):
                    try:
                        memory.seek(place)
                        held = memory.read(min(CHUNK + OVERLAP, end - place))
                    except (OSError, OverflowError, ValueError):  # a guard page, or the kernel's own
                        continue
                    found |= {name for form, name in self._firsts.items() if form in held}
        return [f"{name} in the memory of {pid}" for name in sorted(found)]

    def in_heap(self, roots: Iterable[Any], allowed: Callable[[Any], bool]) -> list[str]:
        """What is reachable from the roots without passing through what is `allowed` to hold a secret; each with its way."""
        found = []
        for value, way in _reachable(roots, allowed):
            names = set()
            if isinstance(value, str):
                names = self.in_text(value)
            elif isinstance(value, bytes | bytearray):
                names = self.in_bytes(bytes(value))
            found += [f"{name} at {way()}" for name in names]
        return found


CHUNK, OVERLAP = 1 << 22, 4096


def _forms(secret: str) -> Iterator[bytes]:
    raw = secret.encode()
    for part in (raw[:PART], raw[-PART:], raw[max(0, len(raw) // 2 - PART // 2) :][:PART]):
        text = part.decode()
        yield part
        yield part.hex().encode()
        yield "".join(f"%{byte:02x}" for byte in part).encode()
        yield "".join(f"\\u{byte:04x}" for byte in part).encode()
        yield quote_plus(text).encode()
        yield json.dumps(text)[1:-1].encode()
        yield part.decode().encode("utf-16-le")
        yield part[::-1]
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + part)
            whole = encoded[4 if shift else 0 : len(encoded) - 4]
            yield whole
            yield whole.translate(bytes.maketrans(b"+/", b"-_"))


def _reachable(roots: Iterable[Any], allowed: Callable[[Any], bool]) -> Iterator[tuple[Any, Callable[[], str]]]:
    """Breadth first over what objects refer to; modules, classes of others and frames of the hunt itself are not entered."""
    seen: dict[int, int] = {}  # id -> id of whoever referred to it
    kept: list[Any] = []  # so that no id is used twice
    kinds: dict[int, str] = {}
    waiting: deque[tuple[Any, int]] = deque((root, 0) for root in roots)

    def way(at: int) -> str:
        steps = []
        while at and len(steps) < 12:
            steps.append(kinds[at])
            at = seen[at]
        return " < ".join(steps)

    while waiting:
        value, parent = waiting.popleft()
        if id(value) in seen or _is_foreign(value) or allowed(value):
            continue
        seen[id(value)], kinds[id(value)] = parent, _kind(value)
        kept.append(value)
        if isinstance(value, str | bytes | bytearray):
            yield value, partial(way, id(value))
            continue
        for inner in _referents(value):
            waiting.append((inner, id(value)))


def _referents(value: Any) -> list[Any]:
    if isinstance(value, types.FunctionType):  # not its globals: those are the module's, and roots of their own
        return [value.__closure__, value.__defaults__, value.__kwdefaults__, value.__dict__, value.__code__.co_consts]
    return gc.get_referents(value)


def _is_foreign(value: Any) -> bool:
    if isinstance(value, types.ModuleType | types.CodeType | types.BuiltinFunctionType):
        return True
    if isinstance(value, type):
        return not value.__module__.startswith("tradedesk")
    return isinstance(value, dict) and "__builtins__" in value


def _kind(value: Any) -> str:
    name = type(value).__qualname__
    return f"{name}({value.__qualname__})" if isinstance(value, types.FunctionType) else name


def module_globals(package: str) -> list[Any]:
    """What the modules of a package hold."""
    import sys

    return [
        value
        for name, module in list(sys.modules.items())
        if name == package or name.startswith(package + ".")
        for value in vars(module).values()
        if not isinstance(value, types.ModuleType)
    ]


def descendants(pid: int) -> list[int]:
    """The processes below it, itself first."""
    below = [pid]
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parent = int(Path(f"/proc/{entry}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            except (OSError, ValueError):  # it ended meanwhile
                continue
            if parent == pid:
                below += descendants(int(entry))
    return below
