"""The wire server of the paper exchange: REST, market streams, WebSocket API and admin around the pure exchange.

One asyncio loop, no other thread; nothing here awaits between reading the exchange and writing to it. Imports aiohttp,
`tradedesk.paper` and the ground.
"""
