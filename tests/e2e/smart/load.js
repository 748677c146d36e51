// A client of a cluster that writes and reads until its standard input ends.
//
//   node load.js ioredis|iovalkey|node-redis <port of a node> <name>
//
// Prints one line of JSON: how many keys it wrote, which of them have another value in the end, and
// what failed after all that the client tries by itself, with the time (ms since 1970).
"use strict";

const [kind, port, name] = process.argv.slice(2);
const ROUND_MS = 10;
const PATIENCE_MS = 2000;
let stopping = false;
process.stdin.on("end", () => { stopping = true; });
process.stdin.resume();

const pause = (ms) => new Promise((next) => setTimeout(next, ms));

async function connect() {
  const at = { host: "127.0.0.1", port: Number(port) };
  if (kind === "node-redis") {
    const { createCluster } = require("redis");
    const within = async (promise) => {
      let timer;
      const late = new Promise((_, fail) => {
        timer = setTimeout(() => fail(new Error("no answer")), PATIENCE_MS);
      });
      try {
        return await Promise.race([promise, late]);
      } finally {
        clearTimeout(timer);
      }
    };
    const open = async () => {
      const rootNodes = [{ url: `redis://127.0.0.1:${port}` }];
      const cluster = createCluster({ rootNodes, minimizeConnections: true });
      cluster.on("error", () => {}); // what it means shows in the operations
      await within(cluster.connect());
      return cluster;
    };
    let cluster = await open();
    // It waits for a node that has died for ever: programs have to give up, and connect anew.
    const patiently = async (operation) => {
      try {
        return await within(operation(cluster));
      } catch (error) {
        cluster.disconnect().catch(() => {});
        cluster = await open();
        throw error;
      }
    };
    return {
      set: (key, value) => patiently((c) => c.set(key, value)),
      get: (key) => patiently((c) => c.get(key)),
      setBoth: (pairs) => patiently((c) => pairs
        .reduce((pipe, [key, value]) => pipe.set(key, value), c.multi()).execAsPipeline()),
      close: () => cluster.disconnect(),
    };
  }
  const { Cluster } = require(kind);
  const cluster = new Cluster([at]);
  cluster.on("error", () => {});
  return {
    set: (key, value) => cluster.set(key, value),
    get: (key) => cluster.get(key),
    setBoth: async (pairs) => {
      const replies = await cluster.pipeline(pairs.map(([key, value]) => ["set", key, value])).exec();
      for (const [error] of replies) if (error) throw error;
    },
    close: () => cluster.disconnect(),
  };
}

async function main() {
  const client = await connect();
  const written = new Map();
  const errors = [];
  const wrong = [];
  const check = (key, value) => { if (value !== written.get(key)) wrong.push(`${key}: ${value}`); };
  for (let i = 0; !stopping; ++i) {
    const key = `${name}:${i}`;
    const pair = [[`{${key}}a`, `a${i}`], [`{${key}}b`, `b${i}`]];
    try {
      await client.set(key, String(i));
      written.set(key, String(i));
      await client.setBoth(pair);
      for (const [both, value] of pair) written.set(both, value);
      const earlier = `${name}:${i >> 1}`;
      if (written.has(earlier)) check(earlier, await client.get(earlier));
    } catch (error) {
      errors.push([Date.now(), String(error.message)]);
    }
    await pause(ROUND_MS);
  }
  for (const key of written.keys()) {
    try {
      check(key, await client.get(key));
    } catch (error) {
      errors.push([Date.now(), `${key}: ${error.message}`]);
    }
  }
  process.stdout.write(`${JSON.stringify({ written: written.size, wrong, errors })}\n`);
  client.close();
  process.exit(0);
}

main();
