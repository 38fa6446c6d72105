"""The order manager of one account and its reconciliation: messages in, effects out, nothing else.

Runs on its account's worker. Imports `domain` and `views` (whose fold it keeps its own books with); knows no adapter.
"""
