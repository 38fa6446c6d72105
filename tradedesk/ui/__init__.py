"""The Textual app: handed a DeskView and, where its operator may trade, a DeskControl. Imports `views` and below only."""
