"""The values of the desk and the pure rules over them: no I/O, no clock, no threads, no ccxt.

Every other room imports this one; it imports nothing of the house.
"""
