"""tools/bench --memory: resident memory and the time of a restart, beside Redis'."""

import os
import time

from bench_support.servers import PRELOAD_CHUNK, Server

VALUE_BYTES = 100
CACHE = "64mb"
SETTLE_INTERVAL_S = 1.5
RESTART_FACTOR = 5  # so many times the keys for the restart


def mib(count):
    return count / (1 << 20)


def read_all(server, keys):
    """Gets every key once, so that caches are as full as reading makes them."""
    server.pipe(
        b"".join(b"*2\r\n$3\r\nGET\r\n$16\r\nkey:%012d\r\n" % number
                 for number in range(begin, min(keys, begin + PRELOAD_CHUNK)))
        for begin in range(0, keys, PRELOAD_CHUNK))


def settled_bytes(server):
    """Resident bytes once they fall no more: what was freed goes back to the system within seconds."""
    before = server.resident_bytes()
    while True:
        time.sleep(SETTLE_INTERVAL_S)
        now = server.resident_bytes()
        if now > before * 0.99:
            return now
        before = now


def measure_memory(options, name, binary, folder, extra):
    """Resident bytes when empty, after the load, after every key was read."""
    server = Server(name, binary, folder, "everysec", extra)
    try:
        server.start()
        empty = server.resident_bytes()
        server.preload(options.keys, VALUE_BYTES)
        loaded = settled_bytes(server)
        read_all(server, options.keys)
        return {"empty": empty, "loaded": loaded, "read": settled_bytes(server)}
    finally:
        server.remove()


def measure_restart(options, name, binary, folder, extra):
    """Seconds until PING is answered after SIGTERM and after kill -9."""
    server = Server(name, binary, folder, "everysec", extra)
    try:
        server.start()
        server.preload(options.keys * RESTART_FACTOR, VALUE_BYTES)
        server.stop()
        after_stop = server.start()
        server.stop(kill=True)
        after_kill = server.start()
        return {"after_stop_s": after_stop, "after_kill_s": after_kill,
                "keys": int(server.call("DBSIZE"))}
    finally:
        server.remove()


def measure(options, folder):
    """Prints both tables; their figures."""
    extra = [word for option in options.server_option for word in option.split()]
    servers = [("redis", options.redis_server, ()),
               ("syntropy", os.path.join(options.binaries, "syntropyd"),
                ("--block-cache-size", CACHE, *extra))]
    result = {"memory": {}, "restart": {}}
    for name, binary, arguments in servers:
        result["memory"][name] = measure_memory(options, name, binary, folder, arguments)
        result["restart"][name] = measure_restart(options, name, binary, folder, arguments)
    redis, syntropy = result["memory"]["redis"], result["memory"]["syntropy"]
    print(f"\n{options.keys:,} keys of {VALUE_BYTES} B, block cache {CACHE}:\n")
    print("| resident memory | Redis MiB | Syntropy MiB | ratio |\n|---|---|---|---|")
    for moment in ("empty", "loaded", "read"):
        print(f"| {moment} | {mib(redis[moment]):.1f} | {mib(syntropy[moment]):.1f} "
              f"| {syntropy[moment] / redis[moment]:.2f} |")
    print(f"\n{options.keys * RESTART_FACTOR:,} keys:\n")
    print("| restart | Redis s | Syntropy s |\n|---|---|---|")
    for moment, text in (("after_stop_s", "after SIGTERM"), ("after_kill_s", "after kill -9")):
        print(f"| {text} | {result['restart']['redis'][moment]:.2f} "
              f"| {result['restart']['syntropy'][moment]:.2f} |")
    return result
