"""The format of recorded market data: reading it line by line, writing it. On whose thread it is called; imports nothing
of the house."""
