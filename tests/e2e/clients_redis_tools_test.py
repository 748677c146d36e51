#!/usr/bin/env python3
"""redis-cli and redis-benchmark do their work: replies, --pipe, --scan, RESP3, load, latency."""

import csv
import io
import subprocess

from harness.case import E2ETest, main
from harness.resp import encode


class RedisTools(E2ETest):
    def setUp(self):
        self.server = self.start_server()

    def run_tool(self, *arguments, data=None, expect=0):
        finished = subprocess.run(
            [arguments[0], "-p", str(self.server.port), *arguments[1:]],
            input=data, capture_output=True, timeout=120, check=False)
        self.assertEqual(finished.returncode, expect, finished.stdout + finished.stderr)
        return finished.stdout.decode("utf-8", "replace")

    def cli(self, *arguments, **options):
        return self.run_tool("redis-cli", *arguments, **options)


class RedisCli(RedisTools):
    def test_replies_as_people_see_them(self):
        self.assertEqual(self.cli("SET", "a", "1"), "OK\n")
        self.assertEqual(self.cli("--no-raw", "GET", "a"), '"1"\n')
        self.assertEqual(self.cli("--no-raw", "GET", "missing"), "(nil)\n")
        self.assertEqual(self.cli("--no-raw", "INCR", "a"), "(integer) 2\n")
        self.assertEqual(self.cli("--no-raw", "MGET", "a", "b"), '1) "2"\n2) (nil)\n')
        self.assertIn("ERR unknown command", self.cli("NOSUCH"))
        self.cli("-e", "INCR", "a", "b", expect=1)

    def test_commands_from_standard_input(self):
        output = self.cli(data=b'SET "k e y" "v\\x00v"\nGET "k e y"\nMULTI\nINCR n\nINCR n\nEXEC\n')
        self.assertEqual(output, "OK\nv\x00v\nOK\nQUEUED\nQUEUED\n1\n2\n")

    def test_resp3(self):
        self.assertEqual(self.cli("-3", "--no-raw", "GET", "missing"), "(nil)\n")
        self.assertIn("1# ", self.cli("-3", "--no-raw", "CONFIG", "GET", "appendfsync"))

    def test_repetition_and_database(self):
        self.assertEqual(self.cli("-r", "5", "INCR", "n"), "1\n2\n3\n4\n5\n")
        self.assertEqual(self.cli("-n", "3", "SET", "here", "3"), "OK\n")
        self.assertEqual(self.cli("GET", "here"), "\n")
        self.assertEqual(self.cli("-n", "3", "DBSIZE"), "1\n")

    def test_value_from_standard_input(self):
        value = bytes(range(256)) * 100
        self.assertEqual(self.cli("-x", "SET", "binary", data=value), "OK\n")
        self.assertEqual(self.cli("STRLEN", "binary"), f"{len(value)}\n")

    def test_mass_insertion(self):
        count = 100_000
        data = b"".join(encode("SET", f"key:{i}", f"value {i}") for i in range(count))
        output = self.cli("--pipe", data=data)
        self.assertIn(f"errors: 0, replies: {count}", output)
        self.assertEqual(self.cli("DBSIZE"), f"{count}\n")
        self.assertEqual(self.cli("GET", "key:99999"), "value 99999\n")

    def test_mass_insertion_reports_errors(self):
        data = encode("SET", "a", "x") + encode("INCR", "a") + encode("SET", "b", "y")
        output = self.cli("--pipe", data=data, expect=1)
        self.assertIn("errors: 1, replies: 3", output)

    def test_scan(self):
        self.cli("--pipe", data=b"".join(encode("SET", f"s:{i}", i) for i in range(5000)))
        self.cli("SET", "other", "1")
        self.assertEqual(len(set(self.cli("--scan").split())), 5001)
        matched = set(self.cli("--scan", "--pattern", "s:12??").split())
        self.assertEqual(matched, {f"s:{i}" for i in range(1200, 1300)})

    def test_bigkeys_and_memkeys_walk_the_store(self):
        self.cli("--pipe", data=b"".join(encode("SET", f"s:{i}", "x" * i) for i in range(300)))
        self.assertIn("Biggest string found", self.cli("--bigkeys"))
        self.assertIn("300 strings", self.cli("--memkeys"))

    def test_latency_and_statistics(self):
        self.assertRegex(self.cli("--raw", "--latency", "-i", "1").strip(), r"^\d+ ")
        output = self.cli("-r", "1", "INFO")
        self.assertIn("redis_version:", output)
        for line in output.splitlines():
            if "db0:" in line:
                self.assertTrue(line.startswith("db0:keys="), line)

    def test_password(self):
        self.cli("CONFIG", "SET", "requirepass", "pw")
        self.assertIn("NOAUTH", self.cli("GET", "a"))
        self.assertEqual(self.cli("-a", "pw", "--no-auth-warning", "SET", "a", "1"), "OK\n")
        self.assertEqual(self.cli("--user", "default", "--pass", "pw", "--no-auth-warning",
                                  "GET", "a"), "1\n")


class RedisBenchmark(RedisTools):
    def run_benchmark(self, *arguments):
        output = self.run_tool("redis-benchmark", "--csv", *arguments)
        rows = list(csv.DictReader(io.StringIO(output[output.index('"test"'):])))
        for row in rows:
            self.assertGreater(float(row["rps"]), 0, row)
        return {row["test"]: row for row in rows}

    def test_string_tests(self):
        rows = self.run_benchmark("-t", "ping,set,get,incr,mset", "-n", "20000", "-c", "50",
                                  "-r", "10000", "-d", "100")
        self.assertEqual({"PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"},
                         set(rows))

    def test_pipelines_and_threads(self):
        self.run_benchmark("-t", "set,get", "-n", "100000", "-P", "64", "-r", "100000")
        self.run_benchmark("-t", "set,get", "-n", "50000", "-P", "16", "--threads", "2")

    def test_own_command_and_resp3(self):
        rows = self.run_benchmark("-3", "-n", "5000", "-r", "1000",
                                  "SETRANGE", "key:__rand_int__", "5", "value")
        self.assertEqual(len(rows), 1)


if __name__ == "__main__":
    main()
