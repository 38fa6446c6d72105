"""`tradedesk accounts cancel-key`: a key that can only cancel, for kill and watchdog, where the venue has such."""

import typer

from tradedesk.cli.accounts_common import (
    ApiKeyOption,
    KindOption,
    NameArgument,
    SecretStdinOption,
    VenuePassphraseOption,
    account_in,
    secret_of,
    settings_of,
    vault_of,
)
from tradedesk.cli.endings import end
from tradedesk.cli.reach import ConfigOption, home_of
from tradedesk.cli.run import PassphraseOption

SUFFIX = "-cancel"  # after the name of the account's own entry


def cancel_key(
    name: NameArgument,
    *,
    api_key: ApiKeyOption = None,
    secret_stdin: SecretStdinOption = False,
    kind: KindOption = "hmac",
    venue_passphrase: VenuePassphraseOption = False,
    passphrase_file: PassphraseOption = None,
    config: ConfigOption = None,
) -> None:
    """Give an account a second key, with no right but to read and cancel, that `kill` and `watchdog` use for it.

    Make it at the venue, bound to the same address. Then whoever runs them needs the account's own key no more, except to
    flatten. Example: tradedesk accounts cancel-key acme --api-key K --secret-stdin < secret
    """
    import msgspec

    from tradedesk.access.vault import VaultError
    from tradedesk.cli.setup_writing import text_of, write_whole
    from tradedesk.config import ConfigError, parse, render

    home = home_of(config)
    settings = settings_of(home)
    account = account_in(settings, home, name)
    entry = account.cancel_secret or f"{account.secret}{SUFFIX}"
    accounts = {**settings.accounts, account.id: msgspec.structs.replace(account, cancel_secret=entry)}
    try:
        text = render(msgspec.structs.replace(settings, accounts=accounts))
        parse(text, home.config.name)
        secret = secret_of(api_key, kind, from_stdin=secret_stdin, has_passphrase=venue_passphrase)
        vault = vault_of(home, passphrase_file)
        if vault.api_key(account.secret, account.venue) == secret.api_key:
            end(f"accounts.{name}: this is the key it trades with; make one at the venue that can only cancel")
        vault.put(entry, account.venue, secret)
    except (ConfigError, VaultError, ValueError) as error:
        end(str(error))
    if settings.accounts[account.id].cancel_secret != entry:
        write_whole(home.config, text, before=text_of(home.config))
    typer.echo(
        f"{name}: `kill` and `watchdog` use {entry} in {vault.where} from now on; start a watchdog that runs again"
    )
