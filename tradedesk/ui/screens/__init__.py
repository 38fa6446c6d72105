"""The screens: what a desk shows to someone who only watches, what it adds for someone who trades, and the welcome."""
