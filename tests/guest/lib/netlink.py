"""Netlink messages for guest tests (netlink(7)): building them, sending them, reading what comes
back.
"""

import os
import socket
import struct

ROUTE, USERSOCK, SOCK_DIAG, CONNECTOR, UEVENT, GENERIC = 0, 2, 4, 11, 15, 16
ERROR, DONE = 2, 3
REQUEST, MULTI, ACK, ECHO, DUMP, REPLACE, EXCL, CREATE = 1, 2, 4, 8, 0x300, 0x100, 0x200, 0x400
SOL_NETLINK = 270
ADD_MEMBERSHIP, DROP_MEMBERSHIP, PKTINFO, LIST_MEMBERSHIPS, CAP_ACK, EXT_ACK, STRICT = 1, 2, 3, 9, 10, 11, 12


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def attributes(data):
    """Maps the types of attributes, without NLA_F_*, to their data; the last of a type counts."""
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[at + 4:at + length]
        at += (length + 3) & ~3
    return found


def message(kind, flags, body, seq=1, pid=0):
    return struct.pack("=IHHII", 16 + len(body), kind, flags, seq, pid) + body


def messages(data):
    """Returns (type, flags, seq, pid, body) of each message of a datagram."""
    found, at = [], 0
    while at + 16 <= len(data):
        length, kind, flags, seq, pid = struct.unpack_from("=IHHII", data, at)
        found.append((kind, flags, seq, pid, data[at + 16:at + length]))
        at += (length + 3) & ~3
    return found


class Netlink:
    def __init__(self, protocol, groups=0):
        self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self.s.settimeout(10)
        self.s.bind((0, groups))
        self.seq = 0

    def join(self, group):
        self.s.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)

    def option(self, name, value=1):
        self.s.setsockopt(SOL_NETLINK, name, value)

    def send(self, kind, flags, body):
        self.seq += 1
        self.s.send(message(kind, flags, body, self.seq))

    def receive(self):
        return messages(self.s.recv(1 << 20))

    def ask(self, kind, flags, body=b""):
        """
        Sends a request. Returns all answers without the final NLMSG_DONE; an error raises OSError.
        """
        self.send(kind, flags | REQUEST, body)
        found = []
        while True:
            for one in self.receive():
                if one[2] != self.seq:
                    continue
                if one[0] == ERROR:
                    code, = struct.unpack_from("=i", one[4])
                    if code != 0:
                        raise OSError(-code, os.strerror(-code))
                    return found
                if one[0] == DONE:
                    return found
                found.append(one)
                if not one[1] & MULTI and not flags & ACK:
                    return found

    def pending(self):
        """Reads all queued messages."""
        found = []
        self.s.setblocking(False)
        try:
            while True:
                found += self.receive()
        except BlockingIOError:
            pass
        finally:
            self.s.settimeout(10)
        return found
