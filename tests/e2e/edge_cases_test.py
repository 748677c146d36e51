#!/usr/bin/env python3
"""Every line of edge_cases/*.txt gets the reply that Redis 7.0 gives.

By hand: edge_cases_test.py [--all] [file.txt ...]; --all goes on within a case after a mismatch.
"""

import argparse
import glob
import os
import sys

from differential.steps import Mismatch, Runner, show
from differential.table import read_cases
from differential_test import reference_server
from harness.case import SKIP_EXIT_CODE
from harness.server import Server, ServerFailure, server_under_test

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "edge_cases")


def run_case(runner, path, case, go_on):
    """The number of mismatches of the case; prints each."""
    title, steps, lines = case
    runner.reset()
    failures, position = 0, 0
    while position < len(steps):
        try:
            runner.run(steps[position:])
            break
        except Mismatch as mismatch:
            failures += 1
            position += mismatch.index
            print(f"{os.path.basename(path)}:{lines[position]} ({title}): {mismatch.why}\n"
                  f"    {show(steps[position])[:300]}\n"
                  f"    redis:   {mismatch.reference!r:.600}\n"
                  f"    subject: {mismatch.subject!r:.600}", flush=True)
        except (ServerFailure, OSError, AssertionError) as failure:
            print(f"{os.path.basename(path)} ({title}): {failure!r}", flush=True)
            return failures + 1
        if not go_on:
            break
        position += 1
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", default=sorted(glob.glob(os.path.join(FOLDER, "*.txt"))))
    parser.add_argument("--all", action="store_true", help="go on within a case after a mismatch")
    options = parser.parse_args()
    redis = reference_server()
    if redis is None:
        print("SKIPPED: needs redis-server 7.0 to compare with")
        return SKIP_EXIT_CODE
    failures = 0
    with Server(redis) as reference, Server(server_under_test()) as subject:
        runner = Runner(reference, subject)
        for path in options.files:
            for case in read_cases(path):
                failures += run_case(runner, path, case, options.all)
                if subject.process.poll() is not None:
                    print(f"the server has ended:\n{subject.log_tail()}")
                    return 1
        runner.close()
    print(f"{runner.executed} lines, {failures} replies differ")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
