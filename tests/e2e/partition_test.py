#!/usr/bin/env python3
"""Six nodes in network namespaces, three primaries with a replica each: what is cut off, stopped or
killed comes back, and no acknowledged write, deletion or increment is lost. Needs root.

As a test it does the short part against the server under test. With --table it does everything, also
against Redis, and prints a table:

    tests/e2e/partition_test.py --table [--server syntropy|redis|both] [--only WORDS]
"""

import argparse
import os
import sys
import unittest

from harness import netns, partitions
from harness.case import E2ETest, main
from harness.server import find_redis_server, server_under_test

WHY_NOT = netns.missing()
HEADINGS = ("scenario", "server", "acknowledged", "lost", "older value", "keys of the cut-off side", "lost",
            "deletes", "back", "increments", "lost", "unavailable s")


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Partition(E2ETest):
    def check(self, name):
        scenario = next(known for known in partitions.SCENARIOS if known.name == name)
        result = partitions.run(scenario, server_under_test(), rounds=1)
        print(result, flush=True)
        self.assertTrue(result.is_clean(), str(result))

    def test_a_primary_that_is_cut_off(self):
        self.check("full cut, mix")

    def test_a_primary_that_hears_nobody(self):
        self.check("one-way cut in")

    def test_a_primary_that_nobody_hears(self):
        self.check("one-way cut out")

    def test_a_primary_that_loses_power(self):
        self.check("power cut of one, restart before failover")

    def test_a_primary_that_is_stopped(self):
        self.check("SIGSTOP")


def row(result, server):
    verdict = result.verdict
    cut_off = (verdict.keys_of_far_side, verdict.lost_of_far_side)
    return (result.scenario.name, server, verdict.acknowledged, len(verdict.lost),
            len(verdict.older), *(cut_off if result.scenario.far_is_cut else "--"),
            verdict.deletes, len(verdict.back),
            verdict.increments, verdict.increments_lost, f"{result.unavailable_s:.1f}")


def line(cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(options):
    """The exit code: 1 when Syntropy lost anything or did not come to rest."""
    servers = {"syntropy": options.syntropy, "redis": find_redis_server()}
    wanted = list(servers) if options.server == "both" else [options.server]
    rows, broken = [], False
    for scenario in partitions.SCENARIOS:
        if options.only not in scenario.name:
            continue
        for server in wanted:
            if scenario.missing():
                rows.append((scenario.name, server, f"skipped: {scenario.missing()}")
                            + ("",) * (len(HEADINGS) - 3))
                continue
            try:
                logs = os.path.join(options.logs, server) if options.logs else None
                result = partitions.run(scenario, servers[server], logs=logs)
            except (AssertionError, OSError) as failure:
                rows.append((scenario.name, server, f"failed: {failure}".splitlines()[0])
                            + ("",) * (len(HEADINGS) - 3))
                broken |= server == "syntropy"
                print(f"{server}: {scenario.name}: {failure}", file=sys.stderr, flush=True)
                continue
            rows.append(row(result, server))
            broken |= server == "syntropy" and not result.is_clean()
            print(f"{server}: {result}", file=sys.stderr, flush=True)
    print("\n".join([line(HEADINGS), line(["---"] * len(HEADINGS))] + [line(cells) for cells in rows]))
    return int(broken)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--server", choices=("syntropy", "redis", "both"), default="both")
    parser.add_argument("--only", default="", help="what the scenario's name contains")
    parser.add_argument("--logs", help="a folder for the servers' logs")
    parser.add_argument("--syntropy", default=os.environ.get("SYNTROPY_E2E_SERVER"))
    return parser.parse_args()


if __name__ == "__main__":
    if "--table" in sys.argv:
        if WHY_NOT:
            sys.exit(f"partition_test: {WHY_NOT}")
        sys.exit(table(arguments()))
    main()
