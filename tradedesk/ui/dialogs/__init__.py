"""The dialogs: review, cancel all, halt, rearm, questions, help. Default and Esc are no.

A key never confirms what it opened: a dialog is deaf for its first 300 ms, and what sends is F2, which opens nothing.
"""
