"""The promise, tried on this machine: pull the plug on the server, on the network, on a reader, on the disk.

Each round starts a real server with its history in a folder, has people talk to it over real sockets, breaks
something, and then compares three things: what was acknowledged, what each reader saw, and what the history holds
(`verdict`). Nothing here imports chatcore: the one who checks shares no code with the one who is checked.

`python -m scripts.prove --help`; the same rounds at other sizes are tests in `tests/faults/`.
"""
