"""chatcore: a chat room of one's own, on one TCP port, that loses nothing.

The life of a line, and where each part of it lives:

1. `reactor`: the loop sees that a socket can be read; `connection.connection` reads it once.
2. `dialects`: the first bytes decided which dialect speaks here; it makes commands of bytes. A whole read of lines
   is one command, a *run*.
3. `hub`: `decide` looks at the state and answers with drafts of records, or a refusal; `log.order` numbers them, the
   log takes them, `apply` changes the state. State is nothing but the fold of the log.
4. At the end of the tick the journal gets all records of the tick as one batch (`log.journal` is the port,
   `store.journal` the disk), and what has become durable is delivered. Nothing leaves before.
5. `connection.delivery`: each room's news is rendered once for each wire form, and every reader gets one `send` of
   those shared bytes. Who is behind has a cursor into the log instead (`log.reader`), in memory or on disk
   (`log.archive` is the port, `store.library` reads).

`server` puts the parts together and says what a tick does: begin there. `start` is the way to it from the command line.
What a server stands on is its `keeping`, in memory or `on_disk`: there a restart is the last snapshot of the state and
the records after it.

What those who run it are told comes from `metrics` and `report` by way of `admin`, a listener in the same loop
(`status` asks it); `service` speaks with a service manager. `client` is the terminal client; it knows the native
dialect (docs/PROTOCOL.md) and nothing of the server's inside.
"""

__version__ = "0.1.0"
