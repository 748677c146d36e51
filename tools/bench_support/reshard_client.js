// Clients of ioredis that write and read without a pause but for their rate.
//
//   node reshard_client.js <port of a node> <clients> <operations a second of each> <share>
//
// `share` of them use one Redis.Cluster.
//
// A line "<ms since 1970> <ms that it took>" for each operation that ended, "! <error>" for one that
// failed after all that the client tries by itself. Ends when the standard input does, with a line
// "= <key> <value>" for each key as it must be.
"use strict";
const Redis = require("ioredis");

const [port, clients, rate, share] = process.argv.slice(2).map(Number);
const KEYS = 200; // of each client
let stopping = false;
process.stdin.on("end", () => { stopping = true; });
process.stdin.resume();

const objects = Array.from({ length: Math.ceil(clients / share) }, () => {
  const cluster = new Redis.Cluster([{ host: "127.0.0.1", port }]);
  cluster.on("error", () => {}); // what it means shows in the operations
  return cluster;
});

async function client(name) {
  const cluster = objects[name % objects.length];
  const written = new Map();
  for (let i = 0; !stopping; ++i) {
    const key = `io:${name}:${i % KEYS}`;
    const began = Date.now();
    const from = process.hrtime.bigint();
    try {
      if (i % 4 === 3) {
        const value = await cluster.get(key);
        const known = written.get(key) ?? null;
        if (value !== known) process.stdout.write(`! ${key} is ${value} instead of ${known}\n`);
      } else {
        await cluster.set(key, String(i));
        written.set(key, String(i));
      }
      const took = Number(process.hrtime.bigint() - from) / 1e6;
      process.stdout.write(`${began} ${took.toFixed(3)}\n`);
    } catch (error) {
      process.stdout.write(`! ${error.message}\n`);
    }
    await new Promise((next) => setTimeout(next, Math.max(0, 1000 / rate - (Date.now() - began))));
  }
  for (const [key, value] of written) process.stdout.write(`= ${key} ${value}\n`);
}

Promise.all(Array.from({ length: clients }, (_, i) => client(i))).then(() => process.exit(0));
