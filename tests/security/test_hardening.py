"""A process that holds secrets: no core file, and nobody of the same user looks into it."""

import contextlib
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paper_process import paper_process

from tradedesk import hardening

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process keep debuggers out")
SLEEPER = f"""
{Path(hardening.__file__).read_text(encoding="utf-8")}
missing = harden() if sys.argv[1] == "hardened" else ()
print(missing, resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)
sys.stdin.readline()
"""
LOOK = """
import sys
found = []
for entry in ("environ", "maps", "mem"):
    try:
        with open(f"/proc/{sys.argv[1]}/{entry}", "rb", 0) as file:
            if entry != "mem":
                file.read(1)
        found.append(entry)
    except PermissionError:
        pass
print(",".join(found))
"""


@contextmanager
def sleeper(
    how: str, python: str = sys.executable, user: str | None = None
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process that made itself hard, or did not, and what it says of itself."""
    process = subprocess.Popen(
        [python, "-c", SLEEPER, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, user=user, cwd="/"
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@pytest.fixture(scope="module")
def stranger() -> tuple[str, str | None]:
    """An interpreter, and a user without rights to run it as; None if we have none ourselves."""
    if os.geteuid() != 0:
        return sys.executable, None
    try:
        pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("this machine has no user `nobody`")
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            subprocess.run([python, "-c", ""], user="nobody", cwd="/", check=True, timeout=30)
            return python, "nobody"
    pytest.skip("the user `nobody` may run no Python here")


def looks(pid: int, python: str, user: str | None) -> str:
    words = [python, "-c", LOOK, str(pid)]
    return subprocess.run(
        words, user=user, capture_output=True, text=True, check=True, cwd="/", timeout=30
    ).stdout.strip()


@LINUX
def test_a_hardened_process_has_no_core_file_and_is_not_dumpable() -> None:
    with sleeper("hardened") as (_, said):
        assert said == "() (0, 0) 0"
    with sleeper("plain") as (_, said):
        assert said.endswith(" 1")


@LINUX
def test_the_same_user_reads_neither_its_memory_nor_its_environment(stranger: tuple[str, str | None]) -> None:
    with sleeper("hardened", *stranger) as (process, _):
        assert looks(process.pid, *stranger) == ""
    with sleeper("plain", *stranger) as (process, _):
        assert "environ" in looks(process.pid, *stranger)  # else the first half would prove nothing


@LINUX
@pytest.mark.parametrize(
    "tool", [("gdb", "-batch", "-p"), ("py-spy", "dump", "--pid"), ("strace", "-p")], ids=lambda it: it[0]
)
def test_no_debugger_or_profiler_of_the_same_user_attaches(
    tool: tuple[str, ...], stranger: tuple[str, str | None]
) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not here")
    with sleeper("hardened", *stranger) as (process, _):
        ran = subprocess.run(
            [*tool, str(process.pid)],
            user=stranger[1],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            timeout=60,
        )
        said = (ran.stdout + ran.stderr).lower()
        assert "not permitted" in said or "permission denied" in said, said


@LINUX
def test_the_program_starts_hardened_and_with_nothing_secret_in_its_environment() -> None:
    with paper_process("--seed", "1") as paper:
        root = Path(f"/proc/{paper['pid']}")
        assert re.search(r"^Max core file size\s+0\s+0\s", (root / "limits").read_text(), re.MULTILINE)
        assert (root / "environ").stat().st_uid == 0  # what is not dumpable belongs to root there, whoever runs it
