"""The log: what happened, in one order. Records, the streams they stand in, and the readers that follow.

Pure and at the bottom of everything: no socket, clock, thread or randomness, and no import of any other layer.
"""
