"""Connections: sockets on one side, dialects and the hub on the other; and the delivery of what everyone reads."""
