"""The index of faults is whole and true: every number has a test, and every test in it exists."""

import ast
import re
from pathlib import Path

import index

TESTS = Path(index.__file__).parent.parent
NUMBERS = [f"F{number:02}" for number in range(1, 91)]


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_fault_of_the_catalogue_has_a_test() -> None:
    assert list(index.TESTS) == NUMBERS
    assert [number for number, tests in index.TESTS.items() if not tests] == []
    assert set(index.NOTES) <= set(NUMBERS)


def test_every_test_that_is_named_exists() -> None:
    known: dict[str, set[str]] = {}
    missing = []
    for number, tests in index.TESTS.items():
        for reference in tests:
            file, _, name = reference.partition("::")
            if file not in known:
                known[file] = functions_of(TESTS / file) if (TESTS / file).exists() else set()
            if name not in known[file]:
                missing.append(f"{number}: {reference}")
    assert missing == [], "renamed or gone: mend tests/faults/index.py"


def test_no_test_carries_a_number_that_is_none() -> None:
    """A slip of the pen in a name would claim a fault that does not exist."""
    named = {
        number
        for path in TESTS.rglob("test_*.py")
        for name in functions_of(path)
        for number in re.findall(r"_(F\d\d+)(?=_)", name)
    }
    assert named - set(NUMBERS) == set()
