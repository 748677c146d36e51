#!/usr/bin/env python3
"""A C program over hiredis (hiredis_client.c) gets every reply that it expects."""

import os
import subprocess

from harness.case import E2ETest, main


class Hiredis(E2ETest):
    def test_program(self):
        program = os.path.join(os.environ["SYNTROPY_E2E_TOOLS"], "syntropy_hiredis_client")
        server = self.start_server()
        finished = subprocess.run([program, str(server.port)], capture_output=True, text=True,
                                  timeout=120, check=False)
        self.assertEqual(finished.returncode, 0, finished.stdout + finished.stderr)
        self.assertIn("all replies as expected", finished.stdout)


if __name__ == "__main__":
    main()
