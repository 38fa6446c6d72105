"""Market data: per venue one host that owns books, tape and candles, and says how far they can be trusted (5.9).

The parts that decide (book, candles, market) are pure; the host is a thread of its own around them. Imports venues,
domain, bus, clock and log; not ccxt, and nothing of accounts, orders or risk.
"""
