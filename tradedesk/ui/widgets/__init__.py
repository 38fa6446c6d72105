"""Widgets that several panes share: the live table on the Line API."""
