"""The log on disk: a folder that one server holds, and everything in it.

`codec` writes records as text, `schema` opens the database that holds them, `lock` keeps a second server out;
`store` is the folder as a whole and what a start reads from it, `journal` is the one thread that writes. Pages are
read back by `library`, words are found by `search`.

Invariant: exactly one connection ever writes to the log and checkpoints it, the journal's. Whoever else reads it
does so with a connection that cannot write, in short transactions.
"""
