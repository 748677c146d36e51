#!/usr/bin/env python3
"""python3-redis does its daily work."""

import redis

from harness.case import E2ETest, main
from harness.daily_work import DailyWork


class PythonRedis(DailyWork, E2ETest):
    def setUp(self):
        self.server = self.start_server()
        self.client = self.new_client()

    def new_client(self, **options):
        client = redis.Redis(host="127.0.0.1", port=self.server.port, **options)
        self.addCleanup(client.close)
        return client

    @staticmethod
    def own_key(name):
        return name

    def test_databases_are_apart(self):
        other = self.new_client(db=5)
        self.client.set("k", "zero")
        other.set("k", "five")
        self.assertEqual((self.client.get("k"), other.get("k")), (b"zero", b"five"))
        self.client.swapdb(0, 5)
        self.assertEqual((self.client.get("k"), other.get("k")), (b"five", b"zero"))
        other.flushdb()
        self.assertEqual((self.client.dbsize(), other.dbsize()), (1, 0))
        self.client.set("moves", 1)
        self.assertTrue(self.client.move("moves", 1))
        self.assertEqual(self.new_client(db=1).get("moves"), b"1")


class Authentication(E2ETest):
    def test_password(self):
        server = self.start_server("--requirepass", "s3cret")
        stranger = redis.Redis(host="127.0.0.1", port=server.port)
        self.addCleanup(stranger.close)
        self.assertRaises(redis.AuthenticationError, stranger.get, "k")
        intruder = redis.Redis(host="127.0.0.1", port=server.port, password="wrong")
        self.addCleanup(intruder.close)
        self.assertRaisesRegex(redis.ResponseError, "WRONGPASS", intruder.ping)
        friend = redis.Redis(host="127.0.0.1", port=server.port, password="s3cret")
        self.addCleanup(friend.close)
        self.assertTrue(friend.set("k", "v"))
        named = redis.Redis(host="127.0.0.1", port=server.port, username="default",
                            password="s3cret")
        self.addCleanup(named.close)
        self.assertEqual(named.get("k"), b"v")

    def test_before_authentication_only_a_little_is_accepted(self):
        server = self.start_server("--requirepass", "s3cret")
        connection = self.connect(server)
        for command in (["GET", "k"], ["PING"], ["CLIENT", "ID"], ["CONFIG", "GET", "*"]):
            self.assert_error(connection, command, "NOAUTH")
        self.assert_error(connection, ["AUTH", "wrong"], "WRONGPASS")
        self.assert_error(connection, ["AUTH", "default", "wrong"], "WRONGPASS")
        self.assert_error(connection, ["HELLO", "3"], "NOAUTH")
        self.assert_error(connection, ["HELLO", "3", "AUTH", "default", "no"], "WRONGPASS")
        reply = connection.call("HELLO", "3", "AUTH", "default", "s3cret", "SETNAME", "me")
        self.assertEqual(reply[0], "%")
        self.assert_reply(connection, ["GET", "missing"], ("_", None))
        self.assert_reply(connection, ["CLIENT", "GETNAME"], ("$", b"me"))


if __name__ == "__main__":
    main()
