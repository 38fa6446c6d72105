"""One demo for all tests of a file: starting one takes seconds."""

from collections.abc import Iterator

import pytest
from demo_desk import Demo, demo


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo(tmp_path_factory.mktemp("demo")) as found:
        yield found
