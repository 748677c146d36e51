"""A cluster of which each node is in a network namespace of its own, and what is done to it.

`run(scenario, binary)` makes a cluster of three primaries with a replica each, lets clients of both
sides write, does to one primary after another what the scenario says, waits until the cluster has
come to rest and has the contents judged (workload.py). Power fails by a preloaded library
(power_cut.c), which takes what wasn't synced.
"""

import collections
import os
import re
import shutil
import signal
import sys
import threading
import time

from harness.cluster import NODE_TIMEOUT_MS, SETTLE_TIMEOUT_S, Cluster, Node
from harness.netns import Network
from harness.server import Server, ServerFailure, wait_until
from harness.workload import MIX, ONLY_SET, Verdict, Writer, longest_gap_s, tags_of

PRIMARIES = 3
NODES = 6
PORT = 7000
BUS_PORT = 17000
WRITES_A_SECOND = 600
WARM_UP_WRITES = 1200
FAULT_LASTS_S = 3.5 * NODE_TIMEOUT_MS / 1000
WRITES_AFTER_TAKEOVER = 300
WRITES_AFTER_HEALING_S = 1.5
TAKEOVER_TIMEOUT_S = 40
CLOCK_SHIFT_S = 3600
# Variables that name what is preloaded into servers.
SHIFT_LIBRARY = "SYNTROPY_E2E_SHIFTED_CLOCK"
POWER_LIBRARY = "SYNTROPY_E2E_POWER_CUT"


class PlacedServer(Server):
    """A server in a place of a network. Start it from the thread that ends last: it dies with it."""

    def __init__(self, binary, place, args, environment=()):
        super().__init__(binary, args)
        self.place = place
        self.host = place.address
        self.port = PORT
        self.environment = list(environment)

    def command_line(self):
        return ["setpriv", "--pdeathsig", "KILL", "env", *self.environment, *super().command_line()]

    def start(self, *args, **options):
        with self.place.inside():
            return super().start(*args, **options)

    def launch(self):
        with self.place.inside():
            super().launch()

    def begin_power_cut(self):
        """Of a server with POWER_LIBRARY preloaded."""
        os.kill(self.pid(), signal.SIGUSR2)

    def cut_power(self):
        self.begin_power_cut()
        self.wait_exit()

    def bytes_not_synced(self):
        """What the last power cut took."""
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return int(re.findall(r"power cut: (\d+) bytes", log.read())[-1])


class PlacedNode(Node):
    """Is always reached, from inside its place."""

    @property
    def place(self):
        return self.server.place

    def connect(self):
        with self.place.inside():
            return super().connect()


class PlacedCluster(Cluster):
    """Six nodes, `near` and `far` for clients. Leave it by `with`: then all is gone.

    `environments`: for each node what is added to its environment ("NAME=value")."""

    def __init__(self, binary, options=(), environments=()):  # pylint: disable=super-init-not-called
        self.nodes = []
        self.network = Network()
        try:
            for index in range(NODES):
                place = self.network.add(f"n{index}")
                self.nodes.append(PlacedNode(PlacedServer(
                    binary, place, self._arguments(place) + list(options),
                    environments[index] if environments else ()), BUS_PORT))
            self.near, self.far = self.network.add("near"), self.network.add("far")
            for node in self.nodes:
                node.start()
            self.create(PRIMARIES)
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _arguments(place):
        return ["--bind", place.address, "--protected-mode", "no", "--cluster-enabled", "yes",
                "--cluster-port", BUS_PORT, "--cluster-node-timeout", NODE_TIMEOUT_MS]

    def close(self):
        for node in self.nodes:
            node.disconnect()
            node.server.close()
        self.network.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def addresses(self):
        return [(node.server.host, node.port) for node in self.nodes]

    def owner_of_shard(self, shard):
        """The node that says it has the shard's slots; of several the one with the highest epoch."""
        claims = []
        slot = shard * 16384 // PRIMARIES + 1
        for node in self.nodes:
            if node.server.process is None:
                continue
            view = node.nodes()
            for part in view[node.id()]["slots"]:
                first, _, last = part.partition("-")
                if first.isdigit() and int(first) <= slot <= int(last or first):
                    claims.append((view[node.id()]["epoch"], node))
        return max(claims, key=lambda claim: claim[0])[1]

    def replicas(self, primary):
        name = primary.id()
        return [node for node in self.nodes if node.nodes()[node.id()]["primary"] == name]

    def unrest(self):
        """Why the cluster isn't at rest; None when all agree, and each primary has its replica, which
        has as much as it."""
        try:
            for node in self.nodes:
                if not node.is_ok():
                    return f"{node.server.host}: {node.fields('CLUSTER', 'INFO')}"
            views = [sorted((peer, tuple(part for part in known["slots"] if part[0] != "["))
                            for peer, known in node.nodes().items()) for node in self.nodes]
            if any(view != views[0] for view in views):
                return f"views differ: {views}"
            primaries = [node for node in self.nodes if node.is_primary()]
            if len(primaries) != PRIMARIES:
                return f"{len(primaries)} primaries"
            return next(filter(None, map(self._not_followed, primaries)), None)
        except (OSError, KeyError, ServerFailure) as failure:
            return repr(failure)

    def _not_followed(self, primary):
        replicas = self.replicas(primary)
        if len(replicas) != NODES // PRIMARIES - 1:
            return f"{primary.server.host} has {len(replicas)} replicas"
        offset = primary.fields("INFO", "replication")["master_repl_offset"]
        for node in replicas:
            info = node.fields("INFO", "replication")
            if not node.is_linked() or info["slave_repl_offset"] != offset:
                return f"{node.server.host} does not follow to {offset}: {info}"
            if node.keys() != primary.keys():
                return f"{node.server.host} has {node.keys()} keys, its primary {primary.keys()}"
        return None

    def wait_at_rest(self):
        """How long it took."""
        begin = time.monotonic()
        reasons = []

        def is_at_rest():
            reasons[:] = [self.unrest()]
            return reasons == [None]
        try:
            wait_until(is_at_rest, SETTLE_TIMEOUT_S, "the cluster is at rest")
        except ServerFailure as failure:
            raise ServerFailure(f"{failure}: {reasons[0]}") from failure
        return time.monotonic() - begin

    def read_from_owners(self, commands):
        """The replies to commands with a key each."""
        replies = [None] * len(commands)
        by_shard = collections.defaultdict(list)
        tags = {tag: shard for shard in range(PRIMARIES) for tag in tags_of(shard, PRIMARIES)}
        for index, command in enumerate(commands):
            by_shard[tags[command[1].partition("}")[0][1:]]].append(index)
        for shard, indices in by_shard.items():
            owner = self.owner_of_shard(shard)
            with owner.connect() as connection:
                for begin in range(0, len(indices), 500):
                    part = indices[begin:begin + 500]
                    for index, reply in zip(part, connection.pipeline([commands[i] for i in part])):
                        replies[index] = reply
        return replies

    def copies_that_differ(self, keys):
        """How many of the keys have another content at a replica than at its primary."""
        wanted = self.read_from_owners([("GET", key) for key in keys])
        differ = 0
        for shard in range(PRIMARIES):
            tags = set(tags_of(shard, PRIMARIES))
            mine = [i for i, key in enumerate(keys) if key.partition("}")[0][1:] in tags]
            for replica in self.replicas(self.owner_of_shard(shard)):
                with replica.connect() as connection:
                    connection.call("READONLY")
                    for begin in range(0, len(mine), 500):
                        part = mine[begin:begin + 500]
                        got = connection.pipeline([("GET", keys[i]) for i in part])
                        differ += sum(reply != wanted[i] for i, reply in zip(part, got))
        return differ


class Run:
    """One scenario on one cluster. Faults get it as their argument."""

    def __init__(self, cluster, kinds):
        self.cluster = cluster
        self.kinds = kinds
        self.writers = []
        self.main_writer = None   # of the shard that is hit, on the majority's side
        self.shard = 0
        self.victim = None
        self.far_writer = None    # of the same shard, on the side that is cut off
        self.done = []            # (ledgers of a round)
        self.unavailable_s = 0.0
        self.rest_s = 0.0

    @property
    def network(self):
        return self.cluster.network

    def places(self, nodes):
        return [node.place for node in nodes]

    def others(self, *nodes):
        return [node for node in self.cluster.nodes if node not in nodes]

    def start_writers(self, shard):
        addresses = self.cluster.addresses()
        here = (self.victim.server.host, self.victim.port)
        round_number = len(self.done)
        rest = [tag for other in range(PRIMARIES) if other != shard
                for tag in tags_of(other, PRIMARIES)]
        hit = tags_of(shard, PRIMARIES)
        self.main_writer = Writer(f"near{round_number}", self.cluster.near, [here] + addresses, hit,
                                  self.kinds, WRITES_A_SECOND)
        self.far_writer = Writer(f"far{round_number}", self.cluster.far, [here] + addresses, hit,
                                 self.kinds, WRITES_A_SECOND)
        other = Writer(f"other{round_number}", self.cluster.near, addresses, rest, self.kinds,
                       WRITES_A_SECOND / 3)
        self.writers = [self.main_writer, self.far_writer, other]
        for writer in self.writers:
            writer.start()
        wait_until(lambda: all(writer.acknowledged() >= WARM_UP_WRITES
                               for writer in (self.main_writer, self.far_writer)),
                   SETTLE_TIMEOUT_S, "clients write")

    def one_round(self, shard, scenario):
        self.shard = shard
        self.victim = self.cluster.owner_of_shard(shard)
        self.start_writers(shard)
        try:
            begin = time.monotonic()
            for writer in self.writers:
                writer.begin_fault()
            mend = scenario.fault(self)
            if mend is not None:
                threading.Event().wait(max(0, begin + FAULT_LASTS_S - time.monotonic()))
                if scenario.replaced:
                    self._wait_taken_over(begin)
                mend(self)
            for writer in self.writers:
                writer.end_fault()
            self._wait_written(begin)
            threading.Event().wait(WRITES_AFTER_HEALING_S)
            end = time.monotonic()
        finally:
            for writer in self.writers:
                writer.stop()
        self.unavailable_s = max(self.unavailable_s,
                                 longest_gap_s(self.main_writer.ledger.times, begin, end))
        self.done += [writer.ledger for writer in self.writers]
        self.rest_s = max(self.rest_s, self.cluster.wait_at_rest())

    def _wait_taken_over(self, begin):
        def writes_go_on():
            recent = self.main_writer.ledger.times[-WRITES_AFTER_TAKEOVER:]
            return len(recent) == WRITES_AFTER_TAKEOVER and recent[0] > begin + FAULT_LASTS_S / 2
        wait_until(writes_go_on, TAKEOVER_TIMEOUT_S, "writes go on while the victim is away")

    def _wait_written(self, begin):
        wait_until(lambda: self.main_writer.ledger.times[-1] > begin, SETTLE_TIMEOUT_S,
                   "writes go on after the fault")


# --- what is done to self.victim; each returns what ends it, or None when it has ended


def _heal(run):
    run.network.heal()


def full_cut(run):
    """The victim, and a client with it, from all others."""
    run.network.part([run.victim.place, run.cluster.far],
                     run.places(run.others(run.victim)) + [run.cluster.near])
    return _heal


def cut_in(run):
    """Nothing that the other nodes send arrives at the victim. Clients reach it."""
    run.network.cut(run.places(run.others(run.victim)), [run.victim.place])
    return _heal


def cut_out(run):
    """Nothing that the victim sends arrives at the other nodes. Clients reach it."""
    run.network.cut([run.victim.place], run.places(run.others(run.victim)))
    return _heal


def _foreign_replica(run):
    other = next(node for node in run.cluster.nodes
                 if node is not run.victim and node.is_primary())
    return run.cluster.replicas(other)[0]


def minority_of_two(run):
    """The victim and a replica of another primary, and a client, from all others."""
    inside = [run.victim, _foreign_replica(run)]
    run.network.part(run.places(inside) + [run.cluster.far],
                     run.places(run.others(*inside)) + [run.cluster.near])
    return _heal


def bridge(run):
    """As before, but one primary hears and is heard by both sides."""
    inside = [run.victim, _foreign_replica(run)]
    between = next(node for node in run.others(*inside) if node.is_primary())
    run.network.part(run.places(inside) + [run.cluster.far],
                     run.places(run.others(between, *inside)) + [run.cluster.near])
    return _heal


def packet_loss(run):
    run.network.lose(20)
    return _heal


def stop(run):
    """SIGSTOP for longer than the timeout."""
    os.kill(run.victim.server.pid(), signal.SIGSTOP)
    return lambda _: os.kill(run.victim.server.pid(), signal.SIGCONT)


def kill_and_restart(run):
    """kill -9, started again before anybody takes over."""
    run.victim.kill()
    run.victim.start()


def kill(run):
    """kill -9, started again after another took over."""
    run.victim.kill()
    return lambda _: run.victim.start()


def _pause_until_replicated(run):
    for writer in run.writers:
        writer.pause()
    with run.victim.connect() as connection:
        if connection.call("WAIT", 1, 10000) != (":", b"1"):
            raise ServerFailure("the replica doesn't get what was written")


def _cut_power_of_victim(run):
    """What only the victim had, and had not synced, would be lost by everybody's rules: writes pause
    until its replica has all, and the power goes within the second of its next sync."""
    _pause_until_replicated(run)
    run.victim.disconnect()
    run.victim.server.cut_power()
    if run.victim.server.bytes_not_synced() == 0:
        raise ServerFailure("the power cut lost nothing: it shows nothing")
    for writer in run.writers:
        writer.go_on()


def power_cut_and_restart(run):
    """Started again before anybody takes over: its log is shorter than its replica's."""
    _cut_power_of_victim(run)
    run.victim.start()


def power_cut(run):
    """Started again after another took over."""
    _cut_power_of_victim(run)
    return lambda _: run.victim.start()


def lose_disk(run):
    """Its data folder is gone, so it comes back as a new node. What only it had would be lost by
    everybody's rules: writes pause until its replica has all."""
    cluster = run.cluster
    _pause_until_replicated(run)
    old_id = run.victim.id()
    run.victim.kill()
    for writer in run.writers:
        writer.go_on()

    def give_back(_):
        owner = cluster.owner_of_shard(run.shard)
        for node in run.others(run.victim):
            node.call("CLUSTER", "FORGET", old_id)
        run.victim.server.renew()
        cluster.meet(owner, run.victim)
        cluster.wait_known(NODES)
        run.victim.text("CLUSTER", "REPLICATE", owner.id())
    return give_back


def kill_all(run):
    """kill -9 of all nodes, then all start again."""
    for node in run.cluster.nodes:
        node.kill()
    for node in run.cluster.nodes:
        node.start()


def power_cut_of_all(run):
    """At once; then all start again. Nothing is lost that was synced, and with appendfsync always all
    that was acknowledged was."""
    for node in run.cluster.nodes:
        node.disconnect()
        node.server.begin_power_cut()
    for node in run.cluster.nodes:
        node.server.wait_exit()
    for node in run.cluster.nodes:
        node.start()


# --- scenarios


class Scenario:
    """`rounds`: how many of the primaries are hit, one after another. `shifted`: clocks are off.
    `power`: the servers are started so that their power can be cut, with further `options`.
    `far_is_cut`: the far client is on the victim's side. `replaced`: another takes the victim's
    place, so the fault lasts until that has happened."""

    def __init__(self, name, fault, kinds=MIX, rounds=1, shifted=False, far_is_cut=False,
                 replaced=True, power=False, options=()):  # pylint: disable=too-many-arguments
        self.name, self.fault, self.kinds, self.rounds = name, fault, kinds, rounds
        self.shifted, self.far_is_cut, self.replaced = shifted, far_is_cut, replaced
        self.power, self.options = power, list(options)

    def missing(self):
        """Why it can't run here; None when it can."""
        for needed, variable in ((self.shifted, SHIFT_LIBRARY), (self.power, POWER_LIBRARY)):
            if needed and not os.path.exists(os.environ.get(variable, "")):
                return f"{variable} names no library"
        return None


SCENARIOS = [
    Scenario("full cut, SET of new keys", full_cut, ONLY_SET, PRIMARIES, far_is_cut=True),
    Scenario("full cut, mix", full_cut, rounds=PRIMARIES, far_is_cut=True),
    Scenario("one-way cut in", cut_in),
    Scenario("one-way cut out", cut_out),
    Scenario("minority of two", minority_of_two, far_is_cut=True),
    # A majority of the primaries hears the victim: it stays what it is, and one side can't reach it.
    Scenario("bridge", bridge, far_is_cut=True, replaced=False),
    Scenario("20 % packet loss", packet_loss, replaced=False),
    Scenario("SIGSTOP", stop),
    Scenario("kill -9, restart before failover", kill_and_restart),
    Scenario("kill -9, restart after failover", kill),
    Scenario("kill -9 of all", kill_all),
    Scenario("disk lost, new node", lose_disk),
    Scenario("power cut of one, restart before failover", power_cut_and_restart, power=True),
    Scenario("power cut of one, restart after failover", power_cut, power=True),
    Scenario("power cut of all, fsync always", power_cut_of_all, power=True,
             options=["--appendfsync", "always"]),
    Scenario("clocks 1 h ahead/behind, full cut", full_cut, rounds=2, shifted=True, far_is_cut=True),
]


class Result:
    def __init__(self, scenario, run, verdict, copies_differ):
        self.scenario, self.verdict, self.copies_differ = scenario, verdict, copies_differ
        self.unavailable_s, self.rest_s = run.unavailable_s, run.rest_s
        self.errors = sum((ledger.errors for ledger in run.done), collections.Counter())

    def is_clean(self):
        return self.verdict.is_clean() and self.copies_differ == 0

    def __str__(self):
        return (f"{self.scenario.name}: {self.verdict}, {self.copies_differ} copies differ; "
                f"unavailable {self.unavailable_s:.1f} s, at rest after {self.rest_s:.1f} s; "
                f"clients saw {dict(self.errors)}")


def _environments(scenario):
    """Of the first primary and its replica the clock is ahead, of the second's behind."""
    if scenario.missing():
        raise ServerFailure(scenario.missing())
    if scenario.power:
        return [[f"LD_PRELOAD={os.environ[POWER_LIBRARY]}"]] * NODES
    if not scenario.shifted:
        return ()
    library = f"LD_PRELOAD={os.environ[SHIFT_LIBRARY]}"
    shifts = [CLOCK_SHIFT_S, -CLOCK_SHIFT_S, 0, 0, 0, 0]
    return [[library, f"SYNTROPY_CLOCK_SHIFT_S={shift}"] if shift else [] for shift in shifts]


def run(scenario, binary, rounds=None, logs=None):
    """The Result. `logs`: a folder that gets the servers' logs; without it the ends of the logs are
    printed when something is wrong."""
    with PlacedCluster(binary, scenario.options, _environments(scenario)) as cluster:
        this = Run(cluster, scenario.kinds)
        result = None
        try:
            for number in range(rounds or scenario.rounds):
                this.one_round(number % PRIMARIES, scenario)
            verdict = Verdict(this.done, cluster.read_from_owners)
            keys = [key for ledger in this.done
                    for known in (ledger.present, ledger.registers, ledger.deleted, ledger.attempts)
                    for key in known]
            result = Result(scenario, this, verdict, cluster.copies_that_differ(keys))
            return result
        finally:
            if logs:
                _keep_logs(cluster, os.path.join(logs, re.sub(r"\W+", "_", scenario.name)))
            elif result is None or not result.is_clean():
                for node in cluster.nodes:
                    print(f"--- log of {node.server.host}\n{node.server.log_tail()}---", file=sys.stderr)


def _keep_logs(cluster, folder):
    os.makedirs(folder, exist_ok=True)
    for index, node in enumerate(cluster.nodes):
        shutil.copy(node.server.log_path, os.path.join(folder, f"{index}.log"))
