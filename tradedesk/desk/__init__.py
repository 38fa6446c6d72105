"""The composition root: builds a desk from its settings, runs it, and opens its two sockets.

`build` puts the rooms together, `Desk.start` starts them and `Desk.stop` stops them in reverse. The desk thread numbers
and folds every event (`hub`), authorises and routes commands (`office`) and serves the sockets (`sockets`). `client` is
the other end of the control socket and imports none of the rest.
"""
