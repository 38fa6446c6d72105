"""`tradedesk selftest`: the scripted minute with its kill, as a new user would run it."""

import json
import subprocess

from demo_desk import PROGRAM


def test_selftest_passes_and_says_what_it_did() -> None:
    ran = subprocess.run(
        [*PROGRAM, "selftest", "--seed", "7", "--json"], capture_output=True, text=True, check=False, timeout=180
    )
    document = json.loads(ran.stdout)
    assert (ran.returncode, document["differences"]) == (0, []), ran.stderr
    assert (document["schema"], document["seed"], document["is_ok"]) == ("selftest.v1", 7, True)
    assert document["figures"]["fills"] > 0
    assert any("killed" in step for step in document["steps"])
    assert "Traceback" not in ran.stderr
