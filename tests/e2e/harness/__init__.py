"""What the end-to-end tests share: a server process, a raw RESP connection, a test case."""
