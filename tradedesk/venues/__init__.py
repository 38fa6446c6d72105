"""How the desk speaks to venues: the Adapter of an account, the PublicFeed of a venue, the table of proofs.

Alone imports ccxt; its words (`amount`, `filled`, `remaining`) end here. Everything runs on the loop of whoever owns
the adapter or the feed: an account's worker, a venue's feed host. Imports access, the ground and domain.
"""
