"""`tradedesk accounts lock|unlock`: the vault of the desk that runs."""

import typer

from tradedesk.cli.asking import asked
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import (
    ConfigOption,
    OperatorOption,
    OperatorPassphraseOption,
    controlled,
    home_of,
    is_terminal,
)
from tradedesk.cli.run import PassphraseOption


def lock(
    *,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Have the running desk forget the key of its vault. Accounts go on trading with the keys they have.

    Example: tradedesk accounts lock
    """
    from tradedesk.domain.commands import LockVault, NotSubmitted
    from tradedesk.domain.words import OperatorId

    control = controlled(home_of(config), operator, operator_passphrase_file)
    answer = control.submit(LockVault(operator=OperatorId("")))
    if isinstance(answer, NotSubmitted):
        end(answer.reason)
    typer.echo("locked; a change of keys needs `tradedesk accounts unlock` first")


def unlock(
    *,
    passphrase_file: PassphraseOption = None,
    operator: OperatorOption = None,
    operator_passphrase_file: OperatorPassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Open the vault of the running desk again, by its passphrase. It goes over the desk's own socket only.

    Example: tradedesk accounts unlock
    """
    from tradedesk.access.encrypted_file import VaultError, read_passphrase_file

    home = home_of(config)
    control = controlled(home, operator, operator_passphrase_file)
    if passphrase_file is None and not is_terminal():
        end("--passphrase-file: is needed where nobody can be asked", USAGE)
    try:
        words = asked("passphrase of the vault") if passphrase_file is None else read_passphrase_file(passphrase_file)
    except VaultError as error:
        end(str(error))
    refused = control.unlock_vault(words)
    if refused is not None:
        end(refused)
    typer.echo("the vault is open")
