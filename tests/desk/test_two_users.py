"""Two operators with desks of their own on one machine, as two of its users: neither gets at anything of the other's."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ANN, BEN, CLEO = 31_001, 31_002, 31_003  # user ids that nobody has
PROGRAM = [sys.executable, str(Path(__file__).with_name("user_desk.py"))]

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can act as two other users of this machine")


@contextmanager
def a_desk_of(uid: int, place: Path, guest: int = 0) -> Iterator[Path]:
    folder = place / f"home-{uid}-{guest}"
    folder.mkdir(mode=0o755)  # as careless as most homes are
    os.chown(folder, uid, uid)
    process = subprocess.Popen(
        [*PROGRAM, "desk", str(folder), str(uid), str(guest)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield folder
        assert process.poll() is None, "it ended while somebody looked at it"
    finally:
        process.stdin.close()
        assert process.wait(30) == 0


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="two-users-"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@pytest.fixture(scope="module")
def desks(place: Path) -> Iterator[dict[int, Path]]:
    with a_desk_of(ANN, place) as ann, a_desk_of(BEN, place) as ben:
        yield {ANN: ann, BEN: ben}


def looked(folder: Path, uid: int) -> dict[str, str]:
    done = subprocess.run(
        [*PROGRAM, "look", str(folder), str(uid)], check=True, capture_output=True, text=True, timeout=60
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(("who", "whose"), [(ANN, BEN), (BEN, ANN)])
def test_nobody_gets_at_sockets_vault_or_state_of_another_users_desk(
    desks: dict[int, Path], who: int, whose: int
) -> None:
    found = looked(desks[whose], who)
    assert {name: said.split(":")[0] for name, said in found.items()} == dict.fromkeys(found, "refused"), found
    assert len(found) == 9


def test_what_is_refused_to_others_is_the_owners_to_use(desks: dict[int, Path]) -> None:
    """else the test above would hold for a desk that nobody can use"""
    found = looked(desks[ANN], ANN)
    assert {name: said.split(":")[0] for name, said in found.items()} == dict.fromkeys(found, "got in"), found
    assert "the name or its passphrase is wrong" in found["control"]
    assert found["orders"] == "got in: ['acme', 'birch']"


def test_an_operator_of_another_user_comes_in_by_the_control_socket_and_no_other_way(place: Path) -> None:
    with a_desk_of(ANN, place, guest=BEN) as shared:
        guest, stranger = looked(shared, BEN), looked(shared, CLEO)
    assert '"operator":"guest"' in guest["own name"]
    assert "the name or its passphrase is wrong" in guest["control"]  # under the owner's name
    assert f"no operator of this desk has user id {CLEO}" in stranger["own name"]
    assert guest["orders"] == "got in: ['acme']"  # what they may see, by the control socket
    shut = {"read", "vault", "operators", "journal", "state", "halt"}
    for found, more in ((guest, set()), (stranger, {"orders"})):
        assert {name for name, said in found.items() if said.startswith("refused")} == shut | more, found
