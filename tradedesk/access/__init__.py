"""How an account gets in: secrets (vault), the one guarded way out (egress), and who may do what (operators).

The vault blocks (disk, key derivation) and belongs on a thread that may; a session belongs to the loop it was made on.
Imports the ground and domain only; knows no venue and no ccxt.
"""
