"""A cluster of real servers on this machine, for measurements: the tests' own harness."""

import contextlib
import os
import random
import shutil
import socket
import subprocess

from harness.cluster import Cluster, Node
from harness.server import Server, ServerFailure, wait_until

HOST = "127.0.0.1"
# Below what the kernel gives to outgoing connections, with room for the bus at port + 10000.
FIRST_PORT, LAST_PORT, BUS_OFFSET = 12000, 22000, 10000
SETTLE_S = 90


def free_port_pair():
    """A port that is free, and so is its bus port."""
    while True:
        port = random.randrange(FIRST_PORT, LAST_PORT)
        with contextlib.suppress(OSError), socket.socket() as client, socket.socket() as bus:
            client.bind((HOST, port))
            bus.bind((HOST, port + BUS_OFFSET))
            return port


class LocalCluster(Cluster):
    """Nodes that keep their default bus port, which redis-cli expects. As a context it ends them and
    removes their data. Not thread-safe."""

    def __init__(self, binary, count, node_timeout_ms, options=(), keep_logs=None):
        # The base's own would ask for a test case. `keep_logs`: a folder for copies of the logs.
        self.keep_logs = keep_logs
        self.nodes = []
        try:
            for _ in range(count):
                server = Server(shutil.which(binary) or binary, [
                    "--cluster-enabled", "yes", "--cluster-node-timeout", node_timeout_ms, *options])
                server.port = free_port_pair()
                self.nodes.append(Node(server, server.port + BUS_OFFSET))
                server.start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for node in self.nodes:
            node.disconnect()
            if self.keep_logs and os.path.exists(node.server.log_path):
                os.makedirs(self.keep_logs, exist_ok=True)
                shutil.copy(node.server.log_path, os.path.join(self.keep_logs, f"{node.port}.log"))
            node.server.close()

    def create_by_redis_cli(self, replicas):
        """`replicas`: of each primary. Ready when all agree about everybody's role."""
        made = subprocess.run(
            ["redis-cli", "--cluster", "create", *(f"{HOST}:{node.port}" for node in self.nodes),
             "--cluster-replicas", str(replicas), "--cluster-yes"],
            capture_output=True, text=True, timeout=SETTLE_S, check=False)
        if made.returncode != 0:
            raise ServerFailure(f"redis-cli --cluster create: {made.stdout}{made.stderr}")
        following = len(self.nodes) * replicas // (replicas + 1)
        self.wait_known(len(self.nodes))
        wait_until(lambda: sum(node.is_linked() for node in self.nodes) == following,
                   SETTLE_S, "replicas follow their primaries")
        wait_until(lambda: all(sum("slave" in peer["flags"] for peer in node.nodes().values())
                               == following for node in self.nodes),
                   SETTLE_S, "all know who is a replica")
        self.wait_ok()

    def slots_of(self, node):
        """[(first, last)] as the node itself says."""
        slots = node.nodes()[node.id()]["slots"]
        return [(int(first), int(last or first))
                for first, _, last in (part.partition("-") for part in slots)]
