"""The panes of the desk screen. Each is given its view, draws what changed, and posts messages upwards."""
