"""The limits in force: how much one connection, one address and one turn of the loop may take.

One `Limits` is shared by everything that keeps a limit; a reload writes the new values into it (`take`), so that
they hold from then on, also for connections that are there already. Each has its setting in `[limits]` or
`[timeouts]`; what is part of the protocol (the length of a line) is not here but with the dialects.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)
class Limits:
    """Defaults, with units and reasons. Seconds end in `_s`, bytes in `_bytes`; the rest are counts."""

    # Of the section [limits]:
    connections_per_address: int = 32
    """At once, loopback exempt; 0 for any number. A class behind one router fits, a flood does not."""
    arrivals_per_minute: int = 64
    """New connections of one address in a minute, loopback exempt; 0 for any number. Twice the connections it may have."""
    accepts_a_turn: int = 256
    """Connections taken in one turn of the loop: a few milliseconds."""
    send_buffer_bytes: int = 64 * 1024
    """The kernel's copy for one reader. By default a stalled one takes 4.3 MB of kernel memory; with this 0.28 MB."""
    reply_bytes: int = 64 * 1024
    """Answers waiting to be read beyond which a connection's commands wait."""
    handshakes: int = 1_000
    """TLS handshakes under way at once: 44 KiB each after the first message. Others wait for their turn."""
    handshakes_a_turn: int = 8
    """Steps of TLS handshakes in one turn of the loop: 0.2 to 0.4 ms of work each."""
    logins_per_minute: int = 3
    """Passwords that one address, and one account, may try in a minute: a person mistypes twice."""
    logins_waiting: int = 32
    """Passwords waiting to be checked: 32 MiB and 0.2 s each, one after the other."""

    # Of the section [timeouts]:
    greeting_s: float = 0.5
    """Silence before a connection is greeted: a program that speaks first has done so, a person has not noticed yet."""
    handshake_s: float = 10.0
    """From accept to the end of the TLS handshake: three round trips over the worst line."""
    join_s: float = 60.0
    """From accept to joined: Ergo's measure; a person who reads the greeting and thinks of a name needs half of it."""
    keepalive_s: float = 60.0
    """Silence before the kernel asks whether the peer is still there. It asks four times in as much time again, so one
    that vanished without a word is noticed after twice this; Ergo takes 150 s."""
    unsent_s: float = 30.0
    """For how long a peer may acknowledge nothing of what was sent to it. One that reads nothing still acknowledges."""
    drain_s: float = 2.0
    """How long a peer that we are done with may take to end its side."""
    progress_s: float = 60.0
    """How long a connection that is to be closed may take nothing of what is still due to it."""

    def take(self, other: Limits) -> None:
        """Make these the limits in force."""
        for field in fields(self):
            setattr(self, field.name, getattr(other, field.name))
