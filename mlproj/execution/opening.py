"""Opens a run's port in its own network and hands it out: a program for the Python of an isolated run.

It is given as text (`python -c`) to whatever Python that is, so it is written for any, and imports little.
"""

import array
import socket
import sys

port, descriptor = map(int, sys.argv[1:])
listener = socket.socket()
listener.bind(("127.0.0.1", port))
listener.listen(2048)
socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM).sendmsg(
    [b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))]
)
