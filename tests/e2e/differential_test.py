#!/usr/bin/env python3
"""Random command sequences give the same replies and leave the same data as Redis 7.0.

Without arguments: a fixed list of seeds for ctest. By hand:
  differential_test.py --seed 7 --count 5000      one sequence
  differential_test.py --minutes 10 --keep-going  new seeds, all mismatches
SYNTROPY_E2E_SERVER names the server to compare with Redis.
"""

import argparse
import os
import random
import subprocess
import sys
import time

from differential.generator import Generator
from differential.shrink import shrink
from differential.steps import Mismatch, Runner, show
from harness.case import SKIP_EXIT_CODE
from harness.server import Server, find_redis_server, server_under_test

FIXED_SEEDS = range(1, 31)
STEPS_PER_SEED = 2500
PIPELINE = 40


def reference_server():
    """redis-server 7.0, or None: another version answers some commands otherwise."""
    path = find_redis_server()
    if path is None:
        return None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return path if "v=7.0." in version else None


def run_seed(runner, seed, count):
    """True when the sequence of `seed` shows no difference; otherwise prints how to see it."""
    steps = Generator(seed).steps(count)
    runner.reset()
    try:
        runner.run(steps, PIPELINE)
        return True
    except Mismatch as mismatch:
        print(f"MISMATCH seed {seed} count {count}\n{mismatch}")
        short, again = shrink(runner, steps[:mismatch.index + 1])
        if again is None:
            print("(not seen again in a replay without pipelining)")
        else:
            print("shortest sequence found:")
            for step in short:
                print("  " + show(step))
            print(again)
        print(f"replay: {os.path.basename(__file__)} --seed {seed} --count {count}", flush=True)
        return False


def seeds_of(options):
    if options.seed is not None:
        yield options.seed
    elif options.minutes:
        deadline = time.monotonic() + options.minutes * 60
        while time.monotonic() < deadline:
            yield random.randrange(1 << 32)
    else:
        yield from FIXED_SEEDS


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int)
    parser.add_argument("--count", type=int, default=STEPS_PER_SEED)
    parser.add_argument("--minutes", type=float, help="run new seeds for so long")
    parser.add_argument("--keep-going", action="store_true", help="go on after a mismatch")
    options = parser.parse_args()
    redis = reference_server()
    if redis is None:
        print("SKIPPED: needs redis-server 7.0 to compare with")
        return SKIP_EXIT_CODE
    begin, failed = time.monotonic(), 0
    with Server(redis) as reference, Server(server_under_test()) as subject:
        runner = Runner(reference, subject)
        for seed in seeds_of(options):
            if not run_seed(runner, seed, options.count):
                failed += 1
                if subject.process.poll() is not None:
                    print(f"the server has ended:\n{subject.log_tail()}")
                    break
                if not options.keep_going:
                    break
        runner.close()
    print(f"{runner.executed} steps in {time.monotonic() - begin:.1f} s, {failed} sequences differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
