#!/usr/bin/env python3
"""Bad and greedy clients are answered, limited and dropped; others are served, memory stays bounded."""

import random
import resource
import socket

from harness.case import E2ETest, main, wait_until
from harness.resp import Connection, ConnectionClosed, encode

MIB = 1 << 20
CLOSED = (ConnectionClosed, ConnectionResetError, BrokenPipeError)


class Malformed(E2ETest):
    """Each attack gets its error and costs only its own connection."""

    @classmethod
    def attacks(cls):
        return {
            b"*99999999999999999999\r\n": b"invalid multibulk length",
            b"*2147483648\r\n": b"invalid multibulk length",
            b"*abc\r\n": b"invalid multibulk length",
            b"*1\r\n$-5\r\n": b"invalid bulk length",
            b"*1\r\n$536870913\r\n": b"invalid bulk length",
            b"*1\r\n$99999999999999999999\r\n": b"invalid bulk length",
            b"*1\r\n$4x\r\n": b"invalid bulk length",
            b"*1\r\n:4\r\n": b"expected '$', got ':'",
            b"*1\r\n*1\r\n$4\r\nPING\r\n": b"expected '$', got '*'",
            b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n+b\r\n": b"expected '$', got '+'",
            b"*" + b"1" * MIB: b"too big mbulk count string",
            b"*1\r\n$" + b"1" * MIB: b"too big bulk count string",
            b"x" * MIB: b"too big inline request",
            b"SET a \"x\r\n": b"unbalanced quotes in request",
        }

    def test_each_gets_its_error_and_is_closed(self):
        server = self.start_server()
        bystander = self.connect(server)
        for data, message in self.attacks().items():
            with self.subTest(attack=data[:40]), Connection(server.port) as connection:
                try:
                    connection.send_raw(data)
                except CLOSED:
                    pass  # closed while we were still sending; the error may be lost with it
                replies = connection.expect_close()
                if replies or len(data) < MIB:
                    self.assertEqual(replies, [("-", b"ERR Protocol error: " + message)])
                self.assert_reply(bystander, ["PING"], ("+", b"PONG"))

    def test_commands_before_the_damage_are_executed(self):
        server = self.start_server()
        with Connection(server.port) as connection:
            connection.send_raw(encode("SET", "before", "1") + b"*1\r\n$x\r\n" + encode("DEL", "before"))
            replies = connection.expect_close()
        self.assertEqual([reply[0] for reply in replies], ["+", "-"])
        self.assert_reply(self.connect(server), ["GET", "before"], ("$", b"1"))

    def test_missing_crlf_never_executes_what_was_not_sent(self):
        server = self.start_server()
        with Connection(server.port) as connection:
            connection.send_raw(b"*2\r\n$3\r\nDEL\r\n$4\r\nkept")
            bystander = self.connect(server)
            self.assert_reply(bystander, ["SET", "kept", "1"], ("+", b"OK"))
        self.assert_reply(bystander, ["EXISTS", "kept"], (":", b"1"))

    def test_random_bytes(self):
        """A thousand connections with noise of a fixed seed; the server goes on."""
        server = self.start_server()
        noise = random.Random(20240501)
        for _ in range(1000):
            with Connection(server.port) as connection:
                data = bytes(noise.choice(b"*$:+-\r\n\r\n0123456789PINGSET \x00\xff\"'")
                             for _ in range(noise.randrange(200)))
                connection.send_raw(data)
        self.assert_reply(self.connect(server), ["PING"], ("+", b"PONG"))

    def test_one_byte_at_a_time(self):
        server = self.start_server()
        connection = self.connect(server)
        for byte in encode("SET", "slow", "value") + b"GET slow\r\n":
            connection.send_raw(bytes([byte]))
        self.assertEqual([connection.read(), connection.read()], [("+", b"OK"), ("$", b"value")])


class Greedy(E2ETest):
    """What clients announce, hold or leave unread costs next to nothing, or ends at a limit."""

    def warmed_server(self, *arguments):
        server = self.start_server(*arguments)
        connection = self.connect(server)
        connection.call("SET", "value", b"v" * 100_000)
        connection.call("GET", "value")
        return server, connection, server.resident_bytes()

    def test_a_thousand_half_open_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        server, bystander, before = self.warmed_server()
        crowd = []
        for number in range(1000):
            half = socket.create_connection(("127.0.0.1", server.port))
            self.addCleanup(half.close)
            half.sendall((b"", b"*", b"*3\r\n$3\r\nSET\r\n", b"*2\r\n$3\r\nGET\r\n$1000\r\nabc")[number % 4])
            crowd.append(half)
        wait_until(lambda: bystander.text("INFO", "clients").count("connected_clients:1001"), 30,
                   "1000 half-open clients and this one connected")
        self.assert_reply(bystander, ["STRLEN", "value"], (":", b"100000"))
        self.assertLess(server.resident_bytes() - before, 64 * MIB)

    def test_ten_announced_bulks_of_500_mb(self):
        server, bystander, before = self.warmed_server()
        announcers = [self.connect(server) for _ in range(10)]
        for announcer in announcers:
            announcer.send_raw(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$500000000\r\n" + b"x" * 100_000)
        for _ in range(100):
            self.assert_reply(bystander, ["STRLEN", "value"], (":", b"100000"))
        self.assertLess(server.resident_bytes() - before, 64 * MIB)

    def test_announced_arrays_of_a_million_arguments(self):
        server, bystander, before = self.warmed_server()
        announcers = [self.connect(server) for _ in range(10)]
        for announcer in announcers:
            announcer.send_raw(b"*1000000\r\n$4\r\nMGET\r\n" + b"$1\r\na\r\n" * 10)
        for _ in range(100):
            self.assert_reply(bystander, ["STRLEN", "value"], (":", b"100000"))
        self.assertLess(server.resident_bytes() - before, 256 * MIB)

    def unread_until_dropped(self, server, bystander, before):
        """Asks for 20 GB of replies and reads none; ends when the server has cut the connection."""
        greedy = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(greedy.close)
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        greedy.settimeout(30)
        request = encode("GET", "value") * 100
        peak = 0
        with self.assertRaises(CLOSED):
            for _ in range(2000):
                greedy.sendall(request)
                peak = max(peak, server.resident_bytes())
                self.assert_reply(bystander, ["PING"], ("+", b"PONG"))
        self.assertLess(peak - before, 128 * MIB)

    def test_a_client_that_never_reads_is_dropped_at_the_hard_limit(self):
        server, bystander, before = self.warmed_server(
            "--client-output-buffer-limit", "normal", "8mb", "0", "0")
        self.unread_until_dropped(server, bystander, before)
        self.assertIn("connected_clients:1\r", bystander.text("INFO", "clients"))

    def test_a_client_that_never_reads_is_dropped_at_the_soft_limit(self):
        server, bystander, _ = self.warmed_server(
            "--client-output-buffer-limit", "normal", "0", "1mb", "1")
        greedy = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(greedy.close)
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        greedy.sendall(encode("GET", "value") * 200)
        wait_until(lambda: "connected_clients:1\r" in bystander.text("INFO", "clients"), 20,
                   "dropped after a second above the soft limit")

    def test_without_output_limit_a_slow_reader_gets_everything(self):
        server, _, _ = self.warmed_server()
        slow = self.connect(server)
        slow.send_raw(encode("GET", "value") * 300)
        for _ in range(300):
            self.assertEqual(slow.read(), ("$", b"v" * 100_000))

    def test_query_buffer_limit(self):
        server, bystander, before = self.warmed_server("--client-query-buffer-limit", "2mb")
        with Connection(server.port) as connection:
            with self.assertRaises(CLOSED):
                connection.send_raw(b"*2\r\n$4\r\nECHO\r\n$100000000\r\n" + b"x" * 50_000_000)
                connection.read()
        self.assert_reply(bystander, ["PING"], ("+", b"PONG"))
        self.assertLess(server.resident_bytes() - before, 128 * MIB)

    def test_query_buffer_limit_counts_what_a_transaction_queues(self):
        """As Redis does from 7.2 on: what MULTI holds is part of the client's query buffer."""
        server = self.start_server("--client-query-buffer-limit", "2mb")
        if server.is_redis:
            self.skipTest("Redis 7.0 has no bound here")
        with Connection(server.port) as connection:
            with self.assertRaises(CLOSED):
                connection.send_raw(encode("MULTI") + encode("SET", "queued", b"x" * MIB) * 20)
                while connection.read() in (("+", b"OK"), ("+", b"QUEUED")):
                    pass

    def test_bulk_length_limit(self):
        server, bystander, _ = self.warmed_server("--proto-max-bulk-len", "1mb")
        exact = b"x" * MIB
        self.assert_reply(bystander, ["SET", "exact", exact], ("+", b"OK"))
        with Connection(server.port) as connection:
            connection.send_raw(b"*2\r\n$4\r\nECHO\r\n$%d\r\n" % (MIB + 1))
            self.assertEqual(connection.expect_close(),
                             [("-", b"ERR Protocol error: invalid bulk length")])
        self.assert_error(bystander, ["APPEND", "exact", "y"], "ERR string exceeds maximum allowed")
        self.assert_error(bystander, ["SETRANGE", "exact", MIB, "y"],
                          "ERR string exceeds maximum allowed")
        self.assert_error(bystander, ["SETBIT", "exact", MIB * 8, "1"], "ERR bit offset")

    def test_maxclients(self):
        server = self.start_server("--maxclients", "10")
        crowd = []
        for _ in range(10):
            crowd.append(self.connect(server))
            # The start's own probe may still be counted for a moment.
            wait_until(lambda: self.is_served(server, crowd), 10, "a place for the next client")
        with Connection(server.port) as refused:
            self.assertEqual(refused.read(), ("-", b"ERR max number of clients reached"))
            self.assertEqual(refused.expect_close(), [])
        for connection in crowd:
            self.assert_reply(connection, ["PING"], ("+", b"PONG"))
        crowd.pop().close()
        wait_until(lambda: server.answers(), 10, "a place after one has left")

    def is_served(self, server, crowd):
        try:
            return crowd[-1].call("PING") == ("+", b"PONG")
        except CLOSED:
            crowd[-1] = self.connect(server)
            return False

    def test_idle_clients_are_closed_after_the_timeout(self):
        server = self.start_server("--timeout", "1")
        idle = self.connect(server)
        self.assertEqual(idle.expect_close(), [])
        self.assert_reply(self.connect(server), ["PING"], ("+", b"PONG"))

    def test_unauthenticated_clients_may_send_little(self):
        server = self.start_server("--requirepass", "pw")
        for data in (b"*11\r\n", b"*2\r\n$4\r\nAUTH\r\n$16385\r\n"):
            with self.subTest(data=data), Connection(server.port) as connection:
                connection.send_raw(data)
                replies = connection.expect_close()
                self.assertEqual(len(replies), 1)
                self.assertIn(b"unauthenticated", replies[0][1])


class ProtectedMode(E2ETest):
    def test_web_pages_cannot_send_commands(self):
        server = self.start_server()
        for first_line in (b"POST / HTTP/1.1\r\n", b"Host: localhost\r\n"):
            with Connection(server.port) as connection:
                connection.send_raw(first_line + b"\r\n" + encode("SET", "hacked", "1"))
                self.assertEqual(connection.expect_close(), [])
        self.assert_reply(self.connect(server), ["EXISTS", "hacked"], (":", b"0"))


if __name__ == "__main__":
    main()
