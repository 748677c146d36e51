"""Clients of python3-redis, as reshard_client.js has them of ioredis: the same arguments and lines."""

import logging
import math
import sys
import threading
import time

import redis
from redis.cluster import RedisCluster

KEYS = 200  # of each client


def run(name, cluster, rate, stopping, say):
    written = {}
    number = 0
    while not stopping.is_set():
        key = f"py:{name}:{number % KEYS}"
        began = time.time()
        start = time.perf_counter()
        try:
            if number % 4 == 3:
                value = cluster.get(key)
                if value != written.get(key):
                    say(f"! {key} is {value} instead of {written.get(key)}")
            else:
                cluster.set(key, str(number))
                written[key] = str(number)
            say(f"{int(began * 1000)} {(time.perf_counter() - start) * 1000:.3f}")
        except redis.RedisError as error:
            say(f"! {type(error).__name__} {error}")
        number += 1
        time.sleep(max(0.0, 1 / rate - (time.time() - began)))
    for key, value in written.items():
        say(f"= {key} {value}")


def main():
    # It would print a traceback for each MOVED that it follows.
    logging.getLogger("redis").setLevel(logging.CRITICAL + 1)
    port, clients, rate, share = (kind(text) for kind, text in
                                  zip((int, int, float, int), sys.argv[1:]))
    objects = [RedisCluster(host="127.0.0.1", port=port, decode_responses=True)
               for _ in range(math.ceil(clients / share))]
    stopping = threading.Event()
    lock = threading.Lock()

    def say(line):
        with lock:
            sys.stdout.write(line + "\n")

    threads = [threading.Thread(target=run, args=(name, objects[name % len(objects)], rate,
                                                  stopping, say))
               for name in range(clients)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join()
    for cluster in objects:
        cluster.close()


if __name__ == "__main__":
    main()
