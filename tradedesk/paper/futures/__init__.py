"""The USD-M futures engine: margin accounts, positions, mark price, funding, liquidation and conditional orders.

Pure as the spot engine: no socket, no clock, no randomness but the market's. Reuses the spot book, tape and market.
"""
