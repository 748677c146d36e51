// ioredis and node-redis against a cluster: they find the nodes from one, and follow redirections.
//
//   node cluster_client.js <port of a node>
"use strict";
const assert = require("assert");
const Redis = require("ioredis");
const { createCluster } = require("redis");

const port = Number(process.argv[2]);
const COUNT = 300;

async function ioredis() {
  const cluster = new Redis.Cluster([{ host: "127.0.0.1", port }], { scaleReads: "slave" });
  for (let i = 0; i < COUNT; ++i) assert.strictEqual(await cluster.set(`io:${i}`, i), "OK");
  const masters = cluster.nodes("master");
  assert.strictEqual(masters.length, 3);
  assert.strictEqual(cluster.nodes("slave").length, 3);
  const sizes = await Promise.all(masters.map((node) => node.dbsize()));
  assert.ok(sizes.every((size) => size > 0), `keys by primary: ${sizes}`);
  assert.strictEqual(sizes.reduce((sum, size) => sum + size, 0), COUNT);
  assert.strictEqual(await masters[0].wait(1, 10000), 1);
  // Reads go to replicas, which have each row a moment after its primary.
  const reader = new Redis.Cluster([{ host: "127.0.0.1", port }]);
  for (let i = 0; i < COUNT; ++i) assert.strictEqual(await reader.get(`io:${i}`), String(i));
  const results = await reader.pipeline().incr("{io}n").incr("{io}n").get("{io}n").exec();
  assert.deepStrictEqual(results, [[null, 1], [null, 2], [null, "2"]]);
  await assert.rejects(reader.mget("io:1", "io:2"), /CROSSSLOT|same slot/);
  reader.disconnect();
  cluster.disconnect();
}

async function nodeRedis() {
  const cluster = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] });
  await cluster.connect();
  for (let i = 0; i < COUNT; ++i) assert.strictEqual(await cluster.set(`nr:${i}`, String(i)), "OK");
  for (let i = 0; i < COUNT; ++i) assert.strictEqual(await cluster.get(`nr:${i}`), String(i));
  const replies = await cluster.multi().set("{nr}a", "1").incr("{nr}a").exec();
  assert.deepStrictEqual(replies.map(String), ["OK", "2"]);
  await cluster.quit();
}

ioredis().then(nodeRedis).then(
  () => { console.log("all replies as expected"); process.exit(0); },
  (error) => { console.error(error); process.exit(1); });
