"""Attaching to a running desk, read-only: supplies the feed of a DeskView. Reads on a thread of its own; imports `views` and below.

Nothing here can send: a socket feed writes one line, the handshake, and from then on only reads (5.12).
"""
