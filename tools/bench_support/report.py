"""Medians, ratios and tables of what tools/bench has measured."""

import os
import platform
import statistics
import subprocess


def machine():
    """What the figures were measured on: [(name, text)]."""
    def first_line(*command):
        try:
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            return output.strip().splitlines()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            return "unknown"

    def field(path, name):
        try:
            with open(path, encoding="utf-8", errors="replace") as lines:
                return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(name))
        except (OSError, StopIteration):
            return "unknown"

    memory_kib = field("/proc/meminfo", "MemTotal").split()[0]
    return [
        ("processors", f"{os.cpu_count()} x {field('/proc/cpuinfo', 'model name')}"),
        ("memory", f"{int(memory_kib) / 1024 / 1024:.1f} GiB" if memory_kib.isdigit() else "unknown"),
        ("kernel", platform.release()),
        ("Redis", first_line("redis-server", "--version")),
        ("RocksDB", first_line("dpkg-query", "-W", "-f", "${Version}", "librocksdb-dev")),
        ("Syntropy", first_line("git", "-C", os.path.dirname(__file__), "describe", "--always",
                                "--dirty")),
    ]


def median(samples, name):
    return statistics.median(sample[name] for sample in samples)


def summarize(row):
    """The row with medians and ratios in place of its samples."""
    redis, syntropy = row["samples"]["redis"], row["samples"]["syntropy"]
    result = {name: row[name] for name in ("policy", "test", "pipeline", "value_bytes")}
    for server, samples in (("redis", redis), ("syntropy", syntropy)):
        result[server] = {name: median(samples, name) for name in ("rps", "p50", "p99", "p99.9")}
    result["ratio"] = result["syntropy"]["rps"] / result["redis"]["rps"]
    result["p99_ratio"] = result["syntropy"]["p99"] / max(result["redis"]["p99"], 0.001)
    return result


def raw_figure(raw, row, redis_rps, clients):
    """RocksDB's own rates for the row as a cell: batches of one pipeline, and of all clients'."""
    if row["test"] not in ("set", "get"):
        return ""
    figures = raw.get((row["policy"], row["value_bytes"]))
    if not figures:
        return ""

    def rate(**wanted):
        found = [figure["operations_per_second"] for figure in figures
                 if all(figure[name] == value for name, value in wanted.items())]
        return statistics.median(found) if found else None

    if row["test"] == "get":
        rates = [rate(what="get", threads=1), rate(what="get", threads=2)]
    else:
        rates = [rate(what="put", batch=row["pipeline"]),
                 rate(what="put", batch=row["pipeline"] * clients)]
    return ", ".join(f"{value:,.0f} ({value / redis_rps:.2f})" for value in rates
                     if value is not None)


def markdown(rows, raw, clients):
    """The table of all rows."""
    lines = [
        "| fsync | test | value | pipeline | Redis/s | Syntropy/s | ratio | raw RocksDB/s (ratio) "
        "| Redis p50, p99, p99.9 ms | Syntropy p50, p99, p99.9 ms | p99 ratio |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        redis, syntropy = row["redis"], row["syntropy"]

        def latencies(figures):
            return ", ".join(f"{figures[name]:.2f}" for name in ("p50", "p99", "p99.9"))

        p99_ratio = f"{row['p99_ratio']:.2f}" if row["pipeline"] == 1 else ""
        lines.append(
            f"| {row['policy']} | {row['test'].upper()} | {row['value_bytes']} B | {row['pipeline']} "
            f"| {redis['rps']:,.0f} | {syntropy['rps']:,.0f} | **{row['ratio']:.2f}** "
            f"| {raw_figure(raw, row, redis['rps'], clients)} | {latencies(redis)} "
            f"| {latencies(syntropy)} | {p99_ratio} |")
    return "\n".join(lines)
