"""Opens a run's port in its own network and hands it out: a program for the Python of an isolated run.

It is given as text (`python -c`) to whatever Python that is, so it is written for any, and imports little.
"""

# A run waits for this: what `socket` is made of is there sooner than that itself.
import _socket as socket
import struct
import sys

port, descriptor = map(int, sys.argv[1:])
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", port))
listener.listen(2048)
door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)
handed = struct.pack("i", listener.fileno())
door.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handed)])
