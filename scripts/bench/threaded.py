"""A chat server with a thread for each client: the way chat servers are first written, here for comparison.

The same lines as everybody else's: the first is the alias, each further one goes to all as `alias: text`.
One lock around the list of clients, one blocking `sendall` per client of what one `recv` brought.
"""

import resource
import socket
import threading

BACKLOG = 4096  # the bench connects a thousand clients at once
READ_BYTES = 4096
STACK_BYTES = 256 * 1024  # ten thousand threads of the usual 8 MiB would exhaust the address space

clients: dict[socket.socket, bytes] = {}
lock = threading.Lock()


def broadcast(data: bytes) -> None:
    with lock:
        for client in list(clients):
            try:
                client.sendall(data)
            except OSError:
                clients.pop(client, None)


def serve(client: socket.socket) -> None:
    try:
        with client:
            alias, _, rest = first_line(client)
            with lock:
                clients[client] = alias
            while True:
                *lines, rest = rest.split(b"\n")
                if lines:
                    broadcast(b"".join(b"%s: %s\n" % (alias, line.rstrip()) for line in lines))
                data = client.recv(READ_BYTES)
                if not data:
                    return
                rest += data
    except OSError:
        pass  # a reset connection has left like any other
    finally:
        with lock:
            clients.pop(client, None)


def first_line(client: socket.socket) -> tuple[bytes, bytes, bytes]:
    data = b""
    while b"\n" not in data:
        chunk = client.recv(READ_BYTES)
        if not chunk:
            raise ConnectionError
        data += chunk
    return data.partition(b"\n")


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    threading.stack_size(STACK_BYTES)
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
        while True:
            client, _ = listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    main()
