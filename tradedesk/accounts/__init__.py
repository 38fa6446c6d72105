"""One worker per client account: its thread, its loop, its adapter, its books. Nothing of one reaches another (5.8).

Imports `orders`, `risk`, `venues` and below. The desk starts and stops workers and may call `post` and nothing else.
"""
