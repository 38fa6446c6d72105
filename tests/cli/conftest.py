"""One demo for all tests of a file: starting one takes seconds. The real proxies of tests/egress are used here too."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_desk import Demo, demo

sys.path.append(str(Path(__file__).parent.parent / "egress"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("demo")) as found:
        yield found
