"""One measured failover: a new cluster, clients that write, kill -9, the first write after it."""

import dataclasses
import logging
import multiprocessing
import os
import random
import signal
import time

from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisClusterException, RedisError

from bench_support.local_cluster import HOST, LocalCluster
from harness.resp import Connection, ConnectionClosed
from harness.server import ServerFailure, wait_until

PRIMARIES = 3
PROBE_INTERVAL_S = 0.002
WARM_UP_S = 2.0          # of load, before the random delay
SLOWEST_S = 90
KEYS = 20_000
VALUE = b"x" * 100
IN_FLIGHT_S = 0.1        # no failover is this fast: a shorter write was answered by the old primary


@dataclasses.dataclass
class Plan:
    """What the measurements of one round have in common."""
    node_timeout_ms: int
    clients: int
    by: str         # kill: kill -9; stop: SIGSTOP
    victim: int     # which of the primaries dies
    delay_s: float  # after the warm-up


def write_until(stop, ports, slots, latest, pipe):
    """A client's process. Sends [(begin, end)] of the writes that succeeded; `slots`: only there.
    `latest`: where it tells when its latest one began."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends this
    logging.disable(logging.CRITICAL)  # the client's, which has tracebacks for each redirection
    # Left to itself, redis-py 4.3 asks the owner of slot 0 first where the slots are, and when that
    # node is dead it never gets further (it can't copy its own options): so it asks `ports`.
    client = RedisCluster(startup_nodes=[ClusterNode(HOST, port) for port in ports],
                          dynamic_startup_nodes=False)
    keys = [key for key in (f"key:{number}" for number in range(KEYS))
            if slots is None or any(a <= key_slot(key.encode()) <= b for a, b in slots)]
    done = []
    while not stop.is_set():
        begin = time.monotonic()
        try:
            client.set(random.choice(keys), VALUE)
            done.append((begin, time.monotonic()))
            latest.value = begin
        except (RedisError, RedisClusterException, OSError):
            time.sleep(0.001)
    pipe.send(done)
    pipe.close()


class Load:
    """Processes that write, ended with the context; the first writes to the victim's slots alone."""

    def __init__(self, clients, ports, slots):
        self.stop_event = multiprocessing.Event()
        self.latest = [multiprocessing.Value("d", 0.0, lock=False) for _ in range(clients)]
        self.pipes, self.processes = [], []
        for index in range(clients):
            reader, writer = multiprocessing.Pipe(duplex=False)
            process = multiprocessing.Process(
                target=write_until, daemon=True,
                args=(self.stop_event, ports, slots if index == 0 else None, self.latest[index],
                      writer))
            process.start()
            writer.close()
            self.pipes.append(reader)
            self.processes.append(process)

    def wait_writing(self, since):
        """Until every client has written something that it began after `since`."""
        wait_until(lambda: all(latest.value > since for latest in self.latest), SLOWEST_S,
                   "all clients write")

    def stop(self):
        """[(begin, end)] of each client."""
        self.stop_event.set()
        results = []
        for pipe, process in zip(self.pipes, self.processes):
            if not pipe.poll(SLOWEST_S):
                raise ServerFailure("a client doesn't end")
            results.append(pipe.recv())
            process.join()
        return results

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.join()


def first_write(port, key, deadline):
    """Tries to write until it succeeds; the moment."""
    connection = None
    while time.monotonic() < deadline:
        try:
            connection = connection or Connection(port)
            if connection.call("SET", key, VALUE)[0] == "+":
                return time.monotonic()
        except (OSError, ConnectionClosed):
            connection = None
        time.sleep(PROBE_INTERVAL_S)
    raise ServerFailure(f"port {port} takes no writes after {SLOWEST_S} s")


def key_in(slots):
    return next(key for key in (f"probe:{number}" for number in range(10**6))
                if any(a <= key_slot(key.encode()) <= b for a, b in slots))


def measure(name, binary, plan, keep_logs=None):
    """Seconds from the death to the first write, by both clocks: {"server", "client", ...}. There is
    no "client" where the primary was only stopped."""
    logs = keep_logs and os.path.join(
        keep_logs, f"{name}-{plan.node_timeout_ms}-{plan.victim}-{plan.delay_s:.3f}")
    with LocalCluster(binary, 2 * PRIMARIES, plan.node_timeout_ms, keep_logs=logs) as cluster:
        cluster.create_by_redis_cli(replicas=1)
        victim = [node for node in cluster.nodes if node.is_primary()][plan.victim]
        replica = cluster.replica_of(victim)[0]
        slots = cluster.slots_of(victim)
        with Load(plan.clients, [node.port for node in cluster.nodes if node is not victim],
                  slots) as load:
            load.wait_writing(0)
            time.sleep(WARM_UP_S + plan.delay_s)
            died = time.monotonic()
            if plan.by == "stop":
                victim.disconnect()
                os.kill(victim.server.pid(), signal.SIGSTOP)
            else:
                victim.kill()
            gone = time.monotonic()
            served = first_write(replica.port, key_in(slots), gone + SLOWEST_S)
            run = {"node_timeout_ms": plan.node_timeout_ms, "server": served - died}
            if plan.by == "kill":
                load.wait_writing(served)
                writes = load.stop()
                run["client"] = first_after(writes[0], gone) - died
                run["writes_per_s"] = sum(died - 1 < end < died for each in writes for _, end in each)
            return run


def first_after(writes, gone):
    """When the first write succeeded that the dead primary can't have answered."""
    return next(end for begin, end in writes
                if end > gone and (begin > gone or end - begin > IN_FLIGHT_S))
