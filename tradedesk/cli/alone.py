"""`tradedesk` alone: the desk of desk.toml with its screen, or what there is to choose from."""

from pathlib import Path

from tradedesk.cli.demo import demo
from tradedesk.cli.endings import USAGE, end
from tradedesk.cli.reach import home_of, is_terminal
from tradedesk.cli.screen import NO_TERMINAL, Look, monitor, screen_of


def open_screen(
    config: Path | None,
    operator: str | None,
    look: Look,
    passphrase_file: Path | None,
    operator_passphrase_file: Path | None,
) -> None:
    """`tradedesk` alone: the desk of desk.toml with its screen; without a desk.toml, what there is to choose from."""
    home = home_of(config)
    if home.config.exists():
        if not is_terminal():
            end(f"tradedesk opens a screen and {NO_TERMINAL}", USAGE)
        screen_of(
            home,
            look,
            operator=operator,
            operator_passphrase_file=operator_passphrase_file,
            passphrase_file=passphrase_file,
        )
        return
    from tradedesk.ui.screens.welcome import WITHOUT_A_TERMINAL, WelcomeApp

    if not is_terminal():
        end(WITHOUT_A_TERMINAL, USAGE)
    match WelcomeApp(theme=look.theme, ascii=look.ascii).run():
        case "demo":
            demo(theme=look.theme, as_ascii=look.ascii, slow=look.slow)
        case "setup":
            if _set_up(config, look):
                screen_of(home, look, operator=operator, passphrase_file=passphrase_file)
        case "monitor":
            monitor(theme=look.theme, as_ascii=look.ascii, slow=look.slow, config=config)


def _set_up(config: Path | None, look: Look) -> bool:
    """The setup on a screen; whether there is a desk now."""
    from tradedesk.cli.setup import Setup
    from tradedesk.ui.screens.setup import SetupApp

    found = Setup(home_of(config))
    app = SetupApp(found.plan, found.checker, found.writer.write, theme=look.theme, ascii=look.ascii)
    return app.run() is not None
