"""The vault in a real system keyring: the Secret Service of gnome-keyring, in a session bus of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    shutil.which("dbus-run-session") is None or shutil.which("gnome-keyring-daemon") is None,
    reason="gnome-keyring and dbus-run-session are not installed",
)

STEPS = """
import sys
from pathlib import Path
from tradedesk.access.signer_process import start_signer
from tradedesk.access.vault import Entry, Secret, open_vault, secret_at

vault = open_vault(Path(sys.argv[1]) / "vault", None)
print(vault.where)
vault.put("acme", "binance", Secret("KEYacme", "SECRETacme", passphrase="WORDSacme"))
vault.put_text("socks5://me@10.0.0.1:1080", "exit", "password")
again = open_vault(Path(sys.argv[1]) / "vault", None)
assert again.get("acme", "binance").secret == "SECRETacme"
assert again.names() == (Entry("acme", "binance"),)
assert again.text("socks5://me@10.0.0.1:1080", "exit") == "password"
assert open_vault(Path(sys.argv[1]) / "other" / "vault", None).names() == ()
handover = again.handover("acme", "binance")
assert secret_at(handover).passphrase == "WORDSacme"
signer = start_signer(handover)
assert len(signer.sign("symbol=BTCUSDT&timestamp=1764000000000")) == 64
signer.close()
again.remove("acme", "binance")
again.remove_text("socks5://me@10.0.0.1:1080", "exit")
assert vault.names() == ()
print("done")
"""
IN_A_SESSION = 'printf words | gnome-keyring-daemon --unlock --components=secrets > /dev/null 2>&1; exec "$@"'


def test_a_system_keyring_serves_vault_handover_and_signer_process(tmp_path: Path) -> None:
    command = ["dbus-run-session", "--", "sh", "-c", IN_A_SESSION, "sh", sys.executable, "-c", STEPS, str(tmp_path)]
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "system keyring SecretService (open to every program of this session)",
        "done",
    ]
