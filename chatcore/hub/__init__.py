"""The hub: who is here, which rooms there are, what a command does. `decide` reads, `apply` writes.

Pure: state is the fold of the log over `apply`; clock, randomness and connections reach it as arguments.
"""
