"""As load.js, of python3-redis: load.py <port of a node> <name>"""

import json
import sys
import threading
import time

import redis
from redis.cluster import RedisCluster
from redis.exceptions import RedisClusterException

ROUND_S = 0.01
# What 4.3 ends with when it asks for the slots' owners while it knows a node that it has no
# connection to: it copies its settings, which hold itself and its locks. No server said this.
OWN_FAULT = "cannot pickle"


def main():
    port, name = int(sys.argv[1]), sys.argv[2]
    stopping = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), stopping.set()), daemon=True).start()
    def connect():
        return RedisCluster(host="127.0.0.1", port=port, decode_responses=True)

    cluster = connect()
    written, wrong, errors = {}, [], []

    def note(error, of=""):
        errors.append([int(time.time() * 1000), f"{of}{type(error).__name__} {error}"])

    def check(key):
        value = cluster.get(key)
        if value != written[key]:
            wrong.append(f"{key}: {value}")

    number = 0
    while not stopping.is_set():
        key = f"{name}:{number}"
        pair = {f"{{{key}}}a": f"a{number}", f"{{{key}}}b": f"b{number}"}
        try:
            cluster.set(key, str(number))
            written[key] = str(number)
            pipe = cluster.pipeline()
            for both, value in pair.items():
                pipe.set(both, value)
            pipe.execute()
            written.update(pair)
            if f"{name}:{number // 2}" in written:
                check(f"{name}:{number // 2}")
        except (redis.RedisError, RedisClusterException) as error:
            if OWN_FAULT not in str(error):
                note(error)
            if isinstance(error, RedisClusterException):  # 4.3 doesn't come out of that by itself
                try:
                    cluster = connect()
                except (redis.RedisError, RedisClusterException) as still:  # it asks the dead node
                    note(still)
        number += 1
        time.sleep(ROUND_S)
    cluster = connect()
    for key in written:
        try:
            check(key)
        except (redis.RedisError, RedisClusterException) as error:
            note(error, of=f"{key}: ")
    print(json.dumps({"written": len(written), "wrong": wrong, "errors": errors}))


if __name__ == "__main__":
    main()
