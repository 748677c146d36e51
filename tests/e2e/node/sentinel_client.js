// ioredis by its Sentinel support: says to which node it writes, and when that is another one.
//
//   node sentinel_client.js <name of the primary> <key> <port of a node>...
"use strict";
const Redis = require("ioredis");

const [name, key, ...ports] = process.argv.slice(2);
const client = new Redis({
  name,
  sentinels: ports.map((port) => ({ host: "127.0.0.1", port: Number(port) })),
  failoverDetector: true,
  maxRetriesPerRequest: null,
});
client.on("error", () => {});

let last;
let value = 0;
async function write() {
  try {
    await client.set(key, ++value);
    const port = client.stream.remotePort;
    if (port !== last) console.log(`writes to ${port}`);
    last = port;
  } catch (error) {
    // The old primary sends the client elsewhere until it has heard of the new one.
    if (!/MOVED|CLUSTERDOWN|READONLY/.test(error.message)) throw error;
  }
}

const timer = setInterval(() => write().catch((error) => {
  console.log(error.stack);
  process.exit(1);
}), 20);
process.stdin.on("end", () => {
  clearInterval(timer);
  client.disconnect();
});
process.stdin.resume();
