"""desk.toml as typed settings, and where a desk keeps its files. Errors name file, key and remedy, all of them at once."""

from tradedesk.config.home import MAX_SOCKET_PATH, Home, find_home, private_folder
from tradedesk.config.reading import MAX_BYTES, load, parse
from tradedesk.config.settings import (
    EVERY_ACCOUNT,
    ROLES,
    ConfigError,
    DeskSettings,
    GroupSettings,
    OperatorSettings,
    Settings,
    VenueSettings,
)
from tradedesk.config.writing import render

__all__ = [
    "EVERY_ACCOUNT",
    "MAX_BYTES",
    "MAX_SOCKET_PATH",
    "ROLES",
    "ConfigError",
    "DeskSettings",
    "GroupSettings",
    "Home",
    "OperatorSettings",
    "Settings",
    "VenueSettings",
    "find_home",
    "load",
    "parse",
    "private_folder",
    "render",
]
