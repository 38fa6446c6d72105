"""tradedesk: one operator, many client accounts, one terminal."""

__version__ = "0.1.0"
