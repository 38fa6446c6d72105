"""The hunter itself: a canary leaked on purpose is found, in every form and every place; nothing else is."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from hunter import Hunter

CANARY = "k9Qm/3+xCANARY0123456789abcdefGHIJKLMNOPqrstuvwxyz+/AB"
HUNTER = Hunter({"secret": CANARY})

FORMS = {
    "bare": CANARY,
    "in capitals": CANARY.upper(),
    "percent-encoded": quote(CANARY, safe=""),
    "hex": CANARY.encode().hex(),
    "hex in capitals": CANARY.encode().hex().upper(),
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 of more": base64.b64encode(f"key={CANARY}&more".encode()).decode(),
    "base64 of more still": base64.b64encode(f"ke={CANARY}&more".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"user:{CANARY}".encode()).decode(),
    "JSON": json.dumps({"a": CANARY}),
    "JSON escapes": "".join(f"\\u{ord(letter):04x}" for letter in CANARY),
    "its first half": CANARY[: len(CANARY) // 2],
    "its second half": CANARY[len(CANARY) // 2 :],
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_every_form_is_found(text: str) -> None:
    assert HUNTER.in_text(f"before {text} after") == {"secret"}
    assert HUNTER.in_bytes(b"\0\1" + text.encode() + b"\0") == {"secret"}


def test_other_text_is_no_leak() -> None:
    assert Hunter({"short": "hunter2-of-acme"}).in_text("eeee of acme, hunter, e2") == set()
    assert HUNTER.in_text("k9Qm order filled 0123456789 CANARY GHIJ" * 50) == set()


def test_a_leak_in_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.db").write_bytes(b"SQLite format 3\0" + FORMS["hex"].encode())
    (tmp_path / "clean.log").write_text("nothing here")
    assert HUNTER.in_files(tmp_path) == [f"secret in {tmp_path / 'state' / 'journal.db'}"]


SLEEPER = "import sys; held = sys.stdin.readline().strip() * 2; print('ready', flush=True); sys.stdin.readline()"


def test_a_leak_in_a_command_line_an_environment_or_a_memory_is_found() -> None:
    command = [sys.executable, "-c", SLEEPER, f"--secret={CANARY}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"TOKEN": CANARY}
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("other\n")
        process.stdin.flush()
        process.stdout.readline()
        if not Path(f"/proc/{process.pid}/environ").exists():
            pytest.skip("this system shows processes another way")
        assert HUNTER.in_process(process.pid) == [
            f"secret in {what} of {process.pid}" for what in ("cmdline", "environ")
        ]
        try:
            found = HUNTER.in_memory(process.pid)
        except PermissionError:
            pytest.skip("this user may not read the memory of its own processes")
        finally:
            process.stdin.write("\n")
            process.stdin.flush()
        assert found == [f"secret in the memory of {process.pid}"]


class Adapter:
    def __init__(self) -> None:
        self.secret = CANARY


class Office:
    def __init__(self, adapter: Adapter) -> None:
        self.queue = [{"note": "x"}]
        self.adapter = adapter


def test_a_leak_on_the_heap_is_found_with_its_way_and_the_compartment_is_not_entered() -> None:
    office = Office(Adapter())

    def allowed(value: object) -> bool:
        return isinstance(value, Adapter)

    assert HUNTER.in_heap([office], allowed) == []
    office.queue.append({"note": f"signature of {CANARY.encode().hex()}"})
    [found] = HUNTER.in_heap([office], allowed)
    assert found.startswith("secret at str < dict < list < ")
    assert "Office" in found
    office.queue.clear()
    kept = CANARY
    office.queue.append({"later": lambda: kept})  # type: ignore[dict-item]
    [found] = HUNTER.in_heap([office], allowed)
    assert "cell" in found
    assert len(HUNTER.in_heap([office], lambda value: False)) >= 1
