"""A network of namespaces: each place is a namespace with its own address, all hang on one bridge
in a namespace of its own, so nothing is changed outside. Needs root, iproute2 and nftables.

What is cut is dropped by nftables where it arrives, so each direction can be cut alone, and lost
packets need no traffic control in the kernel. Traffic of a place with itself is never cut: tests
reach a node from inside its place, whatever is cut.
"""

import contextlib
import ctypes
import os
import shutil
import subprocess

NETNS_FOLDER = "/run/netns"
PREFIX = "syntropy-e2e"
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
SUBNET = "10.77.0"
RULES = """
table inet cuts {
  set blocked { type ipv4_addr; }
  chain loss { }
  chain arriving {
    type filter hook input priority 0;
    iif lo accept
    ip saddr @blocked drop
    jump loss
  }
}
"""
CLEAR = "flush set inet cuts blocked\nflush chain inet cuts loss\n"
_libc = ctypes.CDLL(None, use_errno=True)


class NetworkFailure(AssertionError):
    """A command that makes the network did not work."""


def _run(*command, text=None):
    finished = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise NetworkFailure(f"{' '.join(command)}: {finished.stderr.strip()}")


def _enter(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def end_with_parent():
    """For a child process, before it runs: it is killed when the thread that started it ends."""
    _libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)


def missing():
    """Why no network can be made here; None when it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool, package in (("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(tool) is None:
            return f"there is no {tool} (package {package})"
    try:
        with Network() as network:
            network.add("a")
            network.lose(1)
    except (NetworkFailure, OSError) as failure:
        return f"network namespaces can't be made here: {failure}"
    return None


class Place:
    """A namespace, `address` is its only one. A thread inside it makes sockets and processes there."""

    def __init__(self, namespace, address):
        self.namespace = namespace
        self.address = address

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in the namespace; other threads stay where they are."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(os.path.join(NETNS_FOLDER, self.namespace), os.O_RDONLY)
        try:
            _enter(there)
            try:
                yield self
            finally:
                _enter(before)
        finally:
            os.close(there)
            os.close(before)

    def rules(self, text):
        with self.inside():
            _run("nft", "-f", "-", text=text)


class Network:
    """Places on one bridge. Leave it by `with` or close(): then all is gone."""

    _made = 0

    def __init__(self):
        _remove_leftovers()
        Network._made += 1
        self.name = f"{PREFIX}-{os.getpid()}-{Network._made}"
        self.hub = f"{self.name}-hub"
        self.places = []
        _run("ip", "netns", "add", self.hub)
        try:
            _run("ip", "-n", self.hub, "link", "add", "bridge", "type", "bridge")
            _run("ip", "-n", self.hub, "link", "set", "bridge", "up")
        except NetworkFailure:
            self.close()
            raise

    def add(self, name):
        """A new place, which all others reach."""
        number = len(self.places) + 1
        place = Place(f"{self.name}-{name}", f"{SUBNET}.{number}")
        _run("ip", "netns", "add", place.namespace)
        self.places.append(place)
        _run("ip", "-n", self.hub, "link", "add", f"to{number}", "type", "veth", "peer", "name",
             "eth0", "netns", place.namespace)
        _run("ip", "-n", self.hub, "link", "set", f"to{number}", "master", "bridge", "up")
        _run("ip", "-n", place.namespace, "address", "add", f"{place.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", "-n", place.namespace, "link", "set", device, "up")
        place.rules(RULES)
        return place

    def cut(self, senders, receivers):
        """Nothing of what `senders` send arrives at `receivers`. The other direction stays."""
        for receiver in receivers:
            addresses = ", ".join(place.address for place in senders if place is not receiver)
            if addresses:
                receiver.rules(f"add element inet cuts blocked {{ {addresses} }}\n")

    def part(self, one, other):
        """Cuts both directions."""
        self.cut(one, other)
        self.cut(other, one)

    def lose(self, percent):
        """Every place loses this share of the packets that arrive."""
        for place in self.places:
            place.rules("flush chain inet cuts loss\n"
                        f"add rule inet cuts loss numgen random mod 100 < {percent} drop\n")

    def heal(self):
        """Nothing is cut or lost any more."""
        for place in self.places:
            place.rules(CLEAR)

    def close(self):
        for namespace in [place.namespace for place in self.places] + [self.hub]:
            with contextlib.suppress(NetworkFailure):
                _run("ip", "netns", "delete", namespace)
        self.places = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _remove_leftovers():
    """Removes the namespaces of test programs that were killed."""
    if not os.path.isdir(NETNS_FOLDER):
        return
    for name in os.listdir(NETNS_FOLDER):
        owner = name[len(PREFIX) + 1:].partition("-")[0]
        if name.startswith(PREFIX + "-") and owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            with contextlib.suppress(NetworkFailure):
                _run("ip", "netns", "delete", name)
