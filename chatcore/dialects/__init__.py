"""Dialects: bytes to commands, records and replies to bytes. Pure, and never raising: any input gives commands or a hang-up."""
