"""What is refused, what is watched and how it stops: Gate before, RiskMonitor after, halts above both.

The Gate runs on its account's worker, without I/O; the RiskMonitor on a thread of its own, from its own replica. Imports
`domain`, `views` and the ground.
"""
