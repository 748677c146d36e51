// ioredis as applications use it. Usage: node ioredis_client.js <port> <password>.
// The server behind <port> must be empty and require the password.
"use strict";
const assert = require("node:assert");
const Redis = require("ioredis");

const port = Number(process.argv[2]);
const password = process.argv[3];

async function strings(redis) {
  assert.strictEqual(await redis.set("name", "value"), "OK");
  assert.strictEqual(await redis.get("name"), "value");
  assert.strictEqual(await redis.get("missing"), null);
  assert.strictEqual(await redis.set("name", "x", "EX", 100, "NX"), null);
  assert.strictEqual(await redis.set("name", "x", "PX", 100000, "GET"), "value");
  assert.ok((await redis.pttl("name")) > 90000);
  assert.deepStrictEqual(await redis.mget("name", "missing"), ["x", null]);
  assert.strictEqual(await redis.mset({ m1: "1", m2: "2" }), "OK");
  assert.strictEqual(await redis.incrby("m1", 9), 10);
  assert.strictEqual(await redis.incrbyfloat("m1", 0.25), "10.25");
  assert.strictEqual(await redis.setbit("bits", 3, 1), 0);
  assert.strictEqual(await redis.bitcount("bits"), 1);
  assert.deepStrictEqual(await redis.bitfield("bits", "GET", "u8", 0), [16]);
  const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await redis.set(binary, binary);
  assert.ok((await redis.getBuffer(binary)).equals(binary));
  await assert.rejects(redis.incr("name"), /not an integer/);
  await assert.rejects(redis.call("NOSUCH", "x"), /unknown command/);
}

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 5000; i++) pipeline.set(`p:${i}`, i);
  for (let i = 0; i < 5000; i++) pipeline.get(`p:${i}`);
  const results = await pipeline.exec();
  assert.strictEqual(results.length, 10000);
  for (let i = 0; i < 5000; i++) assert.deepStrictEqual(results[5000 + i], [null, String(i)]);
  // Auto-pipelining: what is issued in one tick travels together.
  const values = await Promise.all(Array.from({ length: 1000 }, (_, i) => redis.get(`p:${i}`)));
  assert.deepStrictEqual(values, Array.from({ length: 1000 }, (_, i) => String(i)));
}

async function transactions(redis, other) {
  const results = await redis.multi().set("t", 1).incr("t").get("t").exec();
  assert.deepStrictEqual(results, [[null, "OK"], [null, 2], [null, "2"]]);
  await redis.watch("t");
  await other.set("t", "changed");
  assert.strictEqual(await redis.multi().set("t", "mine").exec(), null);
  assert.strictEqual(await redis.get("t"), "changed");
  await assert.rejects(redis.multi().set("t").exec(), /EXECABORT/);
}

async function iteration(redis) {
  await redis.select(2);
  const keys = Array.from({ length: 2000 }, (_, i) => `scan:${i}`);
  await redis.mset(...keys.flatMap((key) => [key, "1"]));
  const seen = new Set();
  for await (const batch of redis.scanStream({ match: "scan:*", count: 100 })) {
    batch.forEach((key) => seen.add(key));
  }
  assert.strictEqual(seen.size, keys.length);
  await redis.flushdb();
  await redis.select(0);
}

async function reconnection(redis, other) {
  const id = await redis.client("ID");
  const back = new Promise((resolve) => redis.once("ready", resolve));
  assert.strictEqual(await other.client("KILL", "ID", id), 1);
  await back;
  assert.notStrictEqual(await redis.client("ID"), id);
  assert.strictEqual(await redis.get("t"), "changed");
}

async function main() {
  const options = { port, host: "127.0.0.1", password, connectionName: "ioredis-e2e" };
  const redis = new Redis(options);
  const other = new Redis(options);
  assert.strictEqual(await redis.client("GETNAME"), "ioredis-e2e");
  await strings(redis);
  await pipelines(redis);
  await transactions(redis, other);
  await iteration(redis);
  await reconnection(redis, other);
  const stranger = new Redis({ port, host: "127.0.0.1", lazyConnect: true, retryStrategy: null,
                               enableReadyCheck: false });
  stranger.on("error", () => {});
  await assert.rejects(stranger.get("t"), /NOAUTH/);
  stranger.disconnect();
  assert.strictEqual(await other.quit(), "OK");
  redis.disconnect();
  console.log("ioredis: all replies as expected");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
