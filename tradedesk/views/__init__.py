"""The read side of the desk: one fold from events to what is shown, fed locally or over a socket.

The desk thread folds the authoritative replica; every screen and every monitor folds a replica of its own, on its own
thread, with the same code. Imports `domain` and the ground.
"""
