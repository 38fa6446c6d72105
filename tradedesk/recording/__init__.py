"""Recorded market data: the format, writing it and reading it. On whose thread it is called; imports nothing of the house.

The format, version 1. A gzip file of JSON lines in UTF-8. The first line is an object:

    {"schema": "recording.v1", "venue": "binance", "kind": "spot", "started_at": 1723161254087896568,
     "instruments": [{"symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "tick": "0.01", "lot": "0.00001"}]}

`kind` is spot or usdm. Every other line is an array that begins with what it is, the local time at which it was received
(ns since the epoch, UTC) and the symbol. Prices and quantities are decimal texts in quote and base units, exactly as the
venue wrote them or shorter, never in scientific notation; levels are [price, quantity], best first.

    ["snapshot", at, symbol, last_id, bids, asks]
    ["depth", at, symbol, first_id, last_id, previous_id, bids, asks, venue_at]   what changed; quantity 0: level gone
    ["trade", at, symbol, trade_id, price, quantity, buyer_is_maker, venue_at]
    ["touch", at, symbol, update_id, bid, bid_qty, ask, ask_qty]                  best bid and offer
    ["gap", at, symbol, reason]                                                   what follows begins with a snapshot
    ["end", at, lines]                                                            the last line of a whole recording

`previous_id` is USD-M's `pu`, null elsewhere; `venue_at` is the venue's own time in ns, null if it gave none. Depth lines of
a symbol join: each `first_id` is the `last_id` before plus one (USD-M: each `previous_id` is the `last_id` before), the
first one after a snapshot holds or follows its `last_id`. Snapshots come at the start, after each gap, and again and again:
such a later one stands right after the first depth line that reaches its `last_id`, and says what the book must be then.
Touch lines may be left out; `tradedesk record` writes none, since they say nothing that the depth lines do not a little later.

The writer flushes whole lines, so a recording whose writer died can be read up to the cut; the reader then says where.
`raw` reads frames as they come from Binance's combined stream, which recordings by others are made of.
"""
