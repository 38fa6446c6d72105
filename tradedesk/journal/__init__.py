"""The durable log: what must be known after a crash is on disk before anything rests on it (5.1).

`SqliteJournal` is the desk's own, with one writer thread; `MemoryJournal` stands in for it in a simulation, where
records become durable only when told. Both are a `Store`. Imports `domain` and the ground.
"""
