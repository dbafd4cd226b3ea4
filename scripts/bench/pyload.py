"""The load in Python, for machines without a C compiler: the method of loadgen.c, fewer clients.

Same options, same messages (`|SSSSQQQQQQQQTTTTTTTTTTTTTTTTxxx…`: sender, sequence, stamp, in hex), same
line of JSON. All clients count; witnesses (the client after each sender) and three checkers read every
message, check its order and give the latencies (with --own-echo the senders instead, each of its own
messages). It saturates long before a good server does.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import resource
import selectors
import socket
import sys
import time
from typing import Any

MARK = b"|"
MESSAGE = re.compile(rb"\|([0-9a-f]{4})([0-9a-f]{8})([0-9a-f]{16})")
HEADER_BYTES = 29
READ_BYTES = 1 << 18
PROBE_SENDER = 0xFFFF
PROBE_S = 0.2
QUIET_S = 0.4  # longer than any timer that gathers join notices
QUIET_LIMIT_S = 30
POLL_S = 0.02
PAGE_KIB = resource.getpagesize() / 1024
ROOM = "bench"


def server_cpu_s(pids: list[int]) -> float:
    # The clock of another process: CPUCLOCK_SCHED of Linux, as clock_getcpuclockid() makes it.
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)


def server_rss_kib(pids: list[int]) -> float:
    return (
        sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
        * PAGE_KIB
    )


class Client:
    def __init__(self, index: int, port: int) -> None:
        self.index = index
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.ready, self.joining, self.full = False, False, False
        self.witness_of = -1
        self.marks = self.seq = self.credit = 0
        self.rest = b""
        self.out = bytearray()
        self.expected: dict[int, int] = {}


class Load:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.clients: list[Client] = []
        self.selector = selectors.DefaultSelector()
        self.latencies: list[int] = []
        self.counting = False
        self.reads = self.sent = self.delivered = self.order_errors = self.closed = 0
        self.last_delivery = time.monotonic_ns()
        self.late_ns = 0

    # Joining

    def join_all(self, *, probe: bool) -> float:
        """All clients, all joined; the seconds it took."""
        start, options = time.monotonic(), self.options
        for index in range(options.clients):
            client = Client(index, options.port)
            self.clients.append(client)
            self.selector.register(client.socket, selectors.EVENT_READ, client)
            self._send(client, self._opening(index))
            client.ready = options.proto == "line"  # the probe proves the join
            while sum(not c.ready for c in self.clients) >= options.in_hand:
                self._give_up_after(start)
                self._turn(POLL_S)
            self._turn(0)
        next_probe = 0.0
        while not (all(c.ready for c in self.clients) and (not probe or self._all_probed())):
            self._give_up_after(start)
            if probe and time.monotonic() > next_probe and all(c.ready for c in self.clients):
                self._send(self.clients[-1], self._message(PROBE_SENDER, 0, 0))
                next_probe = time.monotonic() + PROBE_S
            self._turn(POLL_S)
        return time.monotonic() - start

    def _give_up_after(self, start: float) -> None:
        if time.monotonic() > start + self.options.setup:
            sys.exit("pyload: set-up timed out")
        if self.closed:
            sys.exit("pyload: connection lost in set-up")

    def wait_quiet(self) -> None:
        """No count may begin while something of the set-up is still under way."""
        since, seen, limit = time.monotonic(), self.reads, time.monotonic() + QUIET_LIMIT_S
        while time.monotonic() < min(since + QUIET_S, limit):
            self._turn(POLL_S)
            if seen != self.reads:
                since, seen = time.monotonic(), self.reads

    def _all_probed(self) -> bool:
        return all(client.marks for client in self.clients[:-1])

    def _opening(self, index: int) -> bytes:
        match self.options.proto:
            case "irc":
                return b"NICK u%05d\r\nUSER u%05d 0 * :bench\r\n" % (index, index)
            case "redis":
                return f"HELLO 3\r\nSUBSCRIBE {ROOM}\r\n".encode()
            case _:
                return b"u%05d\n" % index

    def _on_setup(self, client: Client, data: bytes) -> None:
        client.marks += data.count(MARK)
        if self.options.proto == "redis":
            client.ready = client.ready or b"subscribe" in data
        if self.options.proto != "irc":
            return
        *lines, client.rest = (client.rest + data).split(b"\n")
        for line in lines:
            words = line.split(b" ")
            if words[0] == b"PING":
                self._send(client, b"PONG" + line[4:] + b"\n")
            elif len(words) > 1 and words[1] == b"001" and not client.joining:
                client.joining = True
                self._send(client, f"JOIN #{ROOM}\r\n".encode())
            elif len(words) > 1 and words[1] == b"366":
                client.ready = True

    # Sending

    def _message(self, sender: int, seq: int, stamp: int) -> bytes:
        size = self.options.size
        payload = f"|{sender:04x}{seq:08x}{stamp:016x}".ljust(size, "x")
        match self.options.proto:
            case "irc":
                return f"PRIVMSG #{ROOM} :{payload}\r\n".encode()
            case "redis":
                head = f"*3\r\n$7\r\nPUBLISH\r\n${len(ROOM)}\r\n{ROOM}\r\n${size}\r\n"
                return f"{head}{payload}\r\n".encode()
            case _:
                return f"{payload}\n".encode()

    def _say(self, sender: int, stamp: int) -> None:
        client = self._sender(sender)
        client.out += self._message(sender, client.seq, stamp)
        client.seq += 1
        self.sent += 1

    def _sender(self, sender: int) -> Client:
        return self.clients[sender * len(self.clients) // int(self.options.senders)]

    def _send(self, client: Client, data: bytes = b"") -> None:
        client.out += data
        try:
            while client.out:
                del client.out[: client.socket.send(client.out)]
        except BlockingIOError:
            pass
        except OSError:
            client.out.clear()
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.out else 0)
        if self.selector.get_key(client.socket).events != events:
            self.selector.modify(client.socket, events, client)

    # Receiving

    def _turn(self, timeout_s: float) -> None:
        for key, events in self.selector.select(timeout_s):
            client = key.data
            if events & selectors.EVENT_WRITE:
                self._send(client)
            if events & selectors.EVENT_READ:
                self._read(client)

    def _read(self, client: Client) -> None:
        try:
            data = client.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.reads += 1
        if not data:
            self.closed += 1
            self.selector.unregister(client.socket)
        elif not self.counting:
            self._on_setup(client, data)
        elif client.full:
            self._parse(client, data)
        else:
            self._count(client, data.count(MARK))
        if self.counting and self.options.proto == "irc" and data.startswith(b"PING"):
            self._send(client, b"PONG" + data[4 : data.find(b"\n") + 1])

    def _count(self, client: Client, marks: int) -> None:
        if marks:
            client.marks += marks
            self.delivered += marks
            self.last_delivery = time.monotonic_ns()

    def _parse(self, client: Client, data: bytes) -> None:
        data = client.rest + data
        cut = data.rfind(MARK)
        keep = cut if cut >= 0 and len(data) - cut < HEADER_BYTES else len(data)
        client.rest, now = data[keep:], time.monotonic_ns()
        found = MESSAGE.findall(data[:keep])
        for sender_hex, seq_hex, stamp_hex in found:
            sender, seq = int(sender_hex, 16), int(seq_hex, 16)
            if sender >= self.options.senders or client.expected.get(sender, 0) != seq:
                self.order_errors += 1
            client.expected[sender] = seq + 1
            if not self.options.own_echo or self._sender(sender) is client:
                self.latencies.append(max(0, now - int(stamp_hex, 16)))
            if client.witness_of == sender:
                self._sender(sender).credit += 1
        self._count(client, len(found))

    # The load

    def assign_roles(self) -> None:
        clients, options = self.clients, self.options
        for client in clients:
            client.marks, client.rest = 0, b""
        for place in (0, len(clients) // 2, len(clients) - 1):
            clients[place].full = True
        for sender in range(options.senders if options.own_echo else 0):
            self._sender(sender).full = True
        for sender in range(options.senders if not options.rate else 0):
            client = self._sender(sender)
            witness = clients[(client.index + 1) % len(clients)]
            witness.witness_of, witness.full, client.credit = sender, True, options.window

    def run(self, start_ns: int, receivers: int) -> None:
        """Sends for `duration`, then waits until everything is delivered, at most `drain`."""
        options = self.options
        stop, planned, drain_end = start_ns + int(options.duration * 1e9), 0, 0
        everything = int(options.rate * options.senders * options.duration)
        while not self.closed:
            now = time.monotonic_ns()
            if options.rate and planned < everything:
                planned = self._send_due(start_ns, now, planned, everything)
            elif not options.rate and now < stop:
                self._spend_credits(now)
            elif self.delivered >= self.sent * receivers or (drain_end and now > drain_end):
                return
            elif not drain_end:
                drain_end = now + int(options.drain * 1e9)
            self._turn(0.001 if options.rate else POLL_S)

    def _send_due(self, start_ns: int, now: int, planned: int, everything: int) -> int:
        gap_ns, senders = 1e9 / (self.options.rate * self.options.senders), set()
        while planned < everything and (due := start_ns + int(planned * gap_ns)) <= now:
            self.late_ns = max(self.late_ns, now - due)
            self._say(planned % self.options.senders, due)
            senders.add(planned % self.options.senders)
            planned += 1
        for sender in senders:
            self._send(self._sender(sender))
        return planned

    def _spend_credits(self, now: int) -> None:
        for sender in range(self.options.senders):
            client = self._sender(sender)
            for _ in range(client.credit):
                self._say(sender, now)
            client.credit = 0
            if client.out:
                self._send(client)

    def results(self, start_ns: int, cpu_s: float, busy_s: float, *, echo: bool) -> dict[str, Any]:
        receivers = self.options.clients - (not echo)
        bad = sum(c.marks != self.sent - (0 if echo else c.seq) for c in self.clients)
        ordered = sorted(self.latencies) or [0]
        wall_s = (self.last_delivery - start_ns) / 1e9
        return {
            "mode": "load",
            "echo": int(echo),
            "sent": self.sent,
            "delivered": self.delivered,
            "lost": self.sent * receivers - self.delivered,
            "bad_clients": bad,
            "order_errors": self.order_errors,
            "closed": self.closed,
            "wall_s": wall_s,
            "cpu_s": cpu_s,
            "deliveries_per_cpu_s": self.delivered / cpu_s if cpu_s else 0,
            "timed": len(self.latencies),
            "p50_us": ordered[len(ordered) // 2] / 1e3,
            "p99_us": ordered[len(ordered) * 99 // 100] / 1e3,
            "load_busy": busy_s / ((time.monotonic_ns() - start_ns) / 1e9),
            "load_late_us": self.late_ns / 1e3,
        }


def main() -> int:
    options = _options()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    load, rss0 = Load(options), server_rss_kib(options.pid)
    setup_s = load.join_all(probe=options.idle is None or options.proto == "line")
    load.wait_quiet()
    if options.idle is not None:
        grown = server_rss_kib(options.pid) - rss0
        joined = {"joined_per_s": options.clients / setup_s}
        print(json.dumps({"rss_per_client_kib": grown / options.clients, **joined}))
        return 0
    echo = load.clients[-1].marks > 0
    load.assign_roles()
    load.counting = True
    cpu, busy, start = server_cpu_s(options.pid), time.process_time(), time.monotonic_ns()
    load.run(start, options.clients - (not echo))
    cpu, busy = server_cpu_s(options.pid) - cpu, time.process_time() - busy
    print(json.dumps(load.results(start, cpu, busy, echo=echo)))
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--proto", choices=("line", "irc", "redis"), default="line")
    for name in ("--port", "--clients", "--senders", "--size", "--window", "--in-hand"):
        parser.add_argument(name, type=int, default=10)
    for name in ("--rate", "--duration", "--drain", "--setup"):
        parser.add_argument(name, type=float, default=0)
    parser.add_argument("--idle", type=float)
    parser.add_argument("--own-echo", action="store_true")
    parser.add_argument("--pid", type=int, action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
