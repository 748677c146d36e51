"""One measurement: redis-benchmark against a server, or the raw RocksDB figures."""

import json
import re
import subprocess

from bench_support.servers import BenchError

CLIENTS = 50
RATE = re.compile(r"throughput summary: ([\d.]+) requests per second")
SUMMARY = re.compile(r"avg\s+min\s+p50\s+p95\s+p99\s+max\s+([\d. ]+)")
PERCENTILE = re.compile(r"^([\d.]+)% <= ([\d.]+) milliseconds", re.MULTILINE)


def run_benchmark(server, test, pipeline, value_bytes, requests, keys):
    """{"rps", "p50", "p99", "p99.9"}; latencies in milliseconds."""
    finished = subprocess.run(
        ["redis-benchmark", "-p", str(server.port), "-t", test, "-n", str(requests),
         "-c", str(CLIENTS), "-P", str(pipeline), "-d", str(value_bytes), "-r", str(keys)],
        capture_output=True, text=True, check=False)
    if finished.returncode != 0 or "throughput summary" not in finished.stdout:
        raise BenchError(f"redis-benchmark against {server.name}: "
                         f"{finished.stdout[-500:]}{finished.stderr[-500:]}")
    return parse(finished.stdout)


def parse(output):
    summary = [float(number) for number in SUMMARY.search(output).group(1).split()]
    # The first list is by percentile; the first entry that reaches 99.9 holds the latency.
    p999 = next(float(latency) for percent, latency in PERCENTILE.findall(output)
                if float(percent) >= 99.9)
    return {"rps": float(RATE.search(output).group(1)), "p50": summary[2], "p99": summary[4],
            "p99.9": p999}


def run_raw(binary, directory, policy, value_bytes, keys, batches, repeats, seconds):
    """[{"what", "batch", "threads", "operations_per_second"}] of RocksDB alone."""
    finished = subprocess.run(
        [binary, "--dir", directory, "--policy", policy, "--value-bytes", str(value_bytes),
         "--keys", str(keys), "--batches", ",".join(map(str, batches)), "--repeats", str(repeats),
         "--seconds", str(seconds)],
        capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise BenchError(f"{binary}: {finished.stderr}")
    return [json.loads(line) for line in finished.stdout.splitlines()]
