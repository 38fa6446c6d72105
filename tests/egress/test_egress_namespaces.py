"""What takes a network of its own: the scenes beside this run in one, where that is allowed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCENES = Path(__file__).with_name("namespace_scenes.py")
WITHIN_S = 300


def network_of_its_own() -> list[str] | None:
    """The command before a command that gives it a network namespace; None where there is none to be had."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return None
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    trial = "ip link set lo up && ip addr add 10.77.0.1/32 dev lo"
    tried = subprocess.run([*command, "sh", "-c", trial], check=False, capture_output=True)
    return command if tried.returncode == 0 else None


def test_F11_addresses_of_the_machine_come_and_go_and_no_client_takes_another() -> None:
    command = network_of_its_own()
    if command is None:
        pytest.skip("network namespaces are not allowed here (unshare --net, ip addr add)")
    ran = subprocess.run(
        [*command, sys.executable, "-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", str(SCENES)],
        check=False,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        cwd=SCENES.parents[2],
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
