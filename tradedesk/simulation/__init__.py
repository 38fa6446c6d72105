"""The desk on a virtual clock: order manager, Gate, journal and halts against the paper engine, with faults from a seed.

No thread, socket, file or sleep: one thread runs everything, and the same seed runs the same. Imports `accounts` and
below, and `paper`, whose exchange it wraps.
"""
