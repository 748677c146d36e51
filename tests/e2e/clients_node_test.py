#!/usr/bin/env python3
"""ioredis and node-redis (npm) get every reply that their programs in node/ expect.

The packages are installed into SYNTROPY_E2E_NODE (below the build folder) by the first run.
"""

import os
import shutil
import subprocess

from harness.case import E2ETest, main
from harness.cluster import Cluster
from harness.node import SOURCE, install

PASSWORD = "e2e-password"


class Node(E2ETest):
    def setUp(self):
        if not shutil.which("node") or not shutil.which("npm"):
            self.skipTest("needs node and npm (Debian: nodejs, npm)")
        self.folder = os.environ["SYNTROPY_E2E_NODE"]
        install(self.folder)

    def run_program(self, name, *arguments):
        # Copied, so that require() finds the packages beside the program.
        program = shutil.copy(os.path.join(SOURCE, name), self.folder)
        finished = subprocess.run(["node", program, *map(str, arguments)],
                                  capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(finished.returncode, 0, finished.stdout + finished.stderr)
        self.assertIn("all replies as expected", finished.stdout)

    def run_with_server(self, name):
        server = self.start_server("--requirepass", PASSWORD)
        self.run_program(name, server.port, PASSWORD)

    def test_ioredis(self):
        self.run_with_server("ioredis_client.js")

    def test_node_redis(self):
        self.run_with_server("redis_client.js")

    def test_both_on_a_cluster(self):
        cluster = Cluster(self, 6).create(3)
        self.run_program("cluster_client.js", cluster[4].port)


if __name__ == "__main__":
    main()
