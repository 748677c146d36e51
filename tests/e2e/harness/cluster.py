"""A cluster of server processes: made by CLUSTER commands, watched through one raw connection a node."""

from harness.resp import Connection, ConnectionClosed
from harness.server import ServerFailure, free_port, wait_until

SLOTS = 16384
SETTLE_TIMEOUT_S = 60
NODE_TIMEOUT_MS = 2000


class Node:
    """One server of a cluster. Not thread-safe."""

    def __init__(self, server, bus_port):
        self.server = server
        self.bus_port = bus_port
        self.connection = None

    @property
    def port(self):
        return self.server.port

    def connect(self):
        return Connection(self.port, host=self.server.host)

    def call(self, *args):
        """The reply; connects anew once when the connection is gone."""
        for last_try in (False, True):
            try:
                if self.connection is None:
                    self.connection = self.connect()
                return self.connection.call(*args)
            except (OSError, ConnectionClosed):
                self.disconnect()
                if last_try:
                    raise
        return None

    def disconnect(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def text(self, *args):
        """The content of a reply that must not be an error."""
        kind, content = self.call(*args)
        if kind == "-":
            raise ServerFailure(f"port {self.port}: {args} answered {content}")
        return content.decode() if isinstance(content, bytes) else content

    def fields(self, *args):
        """`name:value` lines as a dictionary."""
        lines = (line.partition(":") for line in self.text(*args).splitlines())
        return {name: value for name, colon, value in lines if colon}

    def id(self):
        return self.text("CLUSTER", "MYID")

    def nodes(self):
        """CLUSTER NODES by id: address, flags (a set), primary, epoch, state, slots (a list)."""
        view = {}
        for line in self.text("CLUSTER", "NODES").splitlines():
            parts = line.split(" ")
            view[parts[0]] = {"address": parts[1], "flags": set(parts[2].split(",")),
                              "primary": None if parts[3] == "-" else parts[3],
                              "epoch": int(parts[6]), "state": parts[7], "slots": parts[8:]}
        return view

    def is_ok(self):
        return self.fields("CLUSTER", "INFO")["cluster_state"] == "ok"

    def is_primary(self):
        return self.call("ROLE")[1][0][1] == b"master"

    def is_linked(self):
        """A replica whose stream from its primary runs."""
        info = self.fields("INFO", "replication")
        return info["role"] == "slave" and info["master_link_status"] == "up"

    def keys(self):
        return int(self.text("DBSIZE"))

    def kill(self):
        self.disconnect()
        self.server.kill()

    def start(self):
        self.server.start()


class Cluster:
    """Nodes of which the first ones own the slots. `test`: the E2ETest that ends the processes."""

    def __init__(self, test, count, node_timeout_ms=NODE_TIMEOUT_MS, options=()):
        self.nodes = []
        for _ in range(count):
            bus_port = free_port()
            server = test.start_server("--cluster-enabled", "yes", "--cluster-port", bus_port,
                                       "--cluster-node-timeout", node_timeout_ms, *options)
            self.nodes.append(Node(server, bus_port))
        for node in self.nodes:
            test.addCleanup(node.disconnect)

    def adopt(self, server, bus_port):
        """A server of the test's own becomes one of the nodes."""
        self.nodes.append(Node(server, bus_port))
        return self.nodes[-1]

    def __getitem__(self, index):
        return self.nodes[index]

    def meet(self, node, other):
        node.text("CLUSTER", "MEET", other.server.host, other.port, other.bus_port)

    def create(self, primaries):
        """Slots to the first `primaries` nodes; the others replicate them in turn."""
        for index, node in enumerate(self.nodes[:primaries]):
            first, end = index * SLOTS // primaries, (index + 1) * SLOTS // primaries
            node.text("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            node.text("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for node in self.nodes[1:]:
            self.meet(self.nodes[0], node)
        self.wait_known(len(self.nodes))
        for index, node in enumerate(self.nodes[primaries:]):
            node.text("CLUSTER", "REPLICATE", self.nodes[index % primaries].id())
        self.wait_ok()
        for node in self.nodes[primaries:]:
            wait_until(node.is_linked, SETTLE_TIMEOUT_S, f"port {node.port} follows its primary")
        replicas = len(self.nodes) - primaries
        wait_until(lambda: all(sum(peer["primary"] is not None for peer in node.nodes().values())
                               == replicas for node in self.nodes),
                   SETTLE_TIMEOUT_S, "all know who is a replica")
        return self

    def wait_known(self, count, nodes=None):
        """Every node has heard from `count` nodes."""
        def all_know():
            for node in nodes or self.nodes:
                view = node.nodes().values()
                if len(view) != count or any("handshake" in peer["flags"] for peer in view):
                    return False
            return True
        wait_until(all_know, SETTLE_TIMEOUT_S, f"all nodes know {count}")

    def wait_ok(self, nodes=None):
        """Every node says that the cluster is ok, and all agree on who owns what."""
        def agreed():
            watched = nodes or self.nodes
            if not all(node.is_ok() for node in watched):
                return False
            views = [sorted((peer, tuple(part for part in known["slots"] if part[0] != "["))
                            for peer, known in node.nodes().items()) for node in watched]
            return all(view == views[0] for view in views)
        wait_until(agreed, SETTLE_TIMEOUT_S, "the cluster is ok")

    def replica_of(self, primary):
        """The nodes that replicate it, in the order of this list."""
        name = primary.id()
        view = primary.nodes()
        ids = {peer for peer, known in view.items() if known["primary"] == name}
        return [node for node in self.nodes if node.server.process and node.id() in ids]

    def owner_of_slot(self, slot):
        """The node that says it owns the slot; None when none does."""
        for node in self.nodes:
            if node.server.process is None:
                continue
            for peer in node.nodes().values():
                if "myself" not in peer["flags"]:
                    continue
                for part in peer["slots"]:
                    first, _, last = part.partition("-")
                    if first.isdigit() and int(first) <= slot <= int(last or first):
                        return node
        return None
