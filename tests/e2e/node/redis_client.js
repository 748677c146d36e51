// node-redis as applications use it. Usage: node redis_client.js <port> <password>.
// The server behind <port> must be empty and require the password.
"use strict";
const assert = require("node:assert");
const { createClient, commandOptions, WatchError } = require("redis");

const port = Number(process.argv[2]);
const password = process.argv[3];

async function connected(options) {
  const client = createClient({ socket: { port, host: "127.0.0.1" }, password, ...options });
  client.on("error", () => {});
  await client.connect();
  return client;
}

async function strings(client) {
  assert.strictEqual(await client.set("name", "value"), "OK");
  assert.strictEqual(await client.get("name"), "value");
  assert.strictEqual(await client.get("missing"), null);
  assert.strictEqual(await client.set("name", "x", { NX: true }), null);
  assert.strictEqual(await client.set("name", "x", { EX: 100, GET: true }), "value");
  assert.ok((await client.ttl("name")) > 90);
  assert.strictEqual(await client.getEx("name", { PERSIST: true }), "x");
  assert.deepStrictEqual(await client.mGet(["name", "missing"]), ["x", null]);
  await client.mSet({ m1: "1", m2: "2" });
  assert.strictEqual(await client.incrBy("m1", 9), 10);
  assert.strictEqual(await client.incrByFloat("m1", 0.25), "10.25");
  assert.strictEqual(await client.setBit("bits", 3, 1), 0);
  assert.strictEqual(await client.bitCount("bits"), 1);
  assert.strictEqual(await client.exists(["name", "missing"]), 1);
  assert.strictEqual(await client.type("name"), "string");
  assert.strictEqual(await client.copy("name", "name2"), true);
  assert.deepStrictEqual((await client.keys("name*")).sort(), ["name", "name2"]);
  const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await client.set("binary", binary);
  const read = await client.get(commandOptions({ returnBuffers: true }), "binary");
  assert.ok(read.equals(binary));
  await assert.rejects(client.incr("name"), /not an integer/);
  await assert.rejects(client.sendCommand(["NOSUCH"]), /unknown command/);
}

async function pipelines(client) {
  const writes = Array.from({ length: 5000 }, (_, i) => client.set(`p:${i}`, String(i)));
  assert.ok((await Promise.all(writes)).every((reply) => reply === "OK"));
  const reads = Array.from({ length: 5000 }, (_, i) => client.get(`p:${i}`));
  assert.deepStrictEqual(await Promise.all(reads), Array.from({ length: 5000 }, (_, i) => `${i}`));
}

async function transactions(client, other) {
  assert.deepStrictEqual(await client.multi().set("t", "1").incr("t").get("t").exec(),
                         ["OK", 2, "2"]);
  await client.executeIsolated(async (isolated) => {
    await isolated.watch("t");
    await other.set("t", "changed");
    await assert.rejects(isolated.multi().set("t", "mine").exec(), WatchError);
  });
  assert.strictEqual(await client.get("t"), "changed");
}

async function iteration(client) {
  await client.select(2);
  const keys = Array.from({ length: 2000 }, (_, i) => `scan:${i}`);
  await client.mSet(keys.map((key) => [key, "1"]));
  const seen = new Set();
  for await (const key of client.scanIterator({ MATCH: "scan:*", COUNT: 100 })) seen.add(key);
  assert.strictEqual(seen.size, keys.length);
  assert.strictEqual(await client.dbSize(), keys.length);
  await client.flushDb();
  await client.select(0);
}

async function reconnection(client, other) {
  const id = await client.sendCommand(["CLIENT", "ID"]);
  const back = new Promise((resolve) => client.once("ready", resolve));
  assert.strictEqual(await other.sendCommand(["CLIENT", "KILL", "ID", String(id)]), 1);
  await back;
  assert.strictEqual(await client.get("t"), "changed");
}

async function main() {
  const client = await connected({ name: "node-redis-e2e" });
  const other = await connected({});
  assert.strictEqual(await client.clientGetName(), "node-redis-e2e");
  await strings(client);
  await pipelines(client);
  await transactions(client, other);
  await iteration(client);
  await reconnection(client, other);
  await assert.rejects(connected({ password: "wrong", disableOfflineQueue: true,
                                   socket: { port, host: "127.0.0.1", reconnectStrategy: false } }),
                       /WRONGPASS/);
  await other.quit();
  await client.disconnect();
  console.log("node-redis: all replies as expected");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
