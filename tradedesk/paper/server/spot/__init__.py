"""The spot side of the server: its table of operations, its streams and its JSON."""
