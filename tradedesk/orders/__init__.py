"""The order manager of one account and its reconciliation: messages in, effects out, nothing else.

Runs on its account's worker. Imports `domain` and `views` (whose fold it keeps its own books with); knows no adapter.

`manager` is the door: commands, answers and time come in there. What it keeps stands in a file of its own each, and each
may use those before it: `books` (what happened), `cancels` (wanted until the order is dead), `doubts` (asking), `progress`
(reports and fills), `reconcile` (whole looks at the venue), `sweep` (a halt's cancelling).
"""
