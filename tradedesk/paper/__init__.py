"""The paper exchange: a venue of our own that speaks the spot protocol of Binance.

`exchange`, `book` and the markets are pure: no socket, no clock, randomness from a seed. `server` is the aiohttp shell
around them. Imports `domain` and the ground only; the desk reaches it over a socket like any other venue.
"""
