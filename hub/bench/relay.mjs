// The peers of the pipeline, as they are usually built: pg_notify ─► Node ─► Redis ─► socket.io ─► subscribers.
// node relay.mjs emit|serve|both: the task as one JSON line on standard input, `ready` on standard output; ends with its input.
// `emit` listens for rows and publishes each to two rooms; the line `anew` lets its offsets begin at 1 again.
// `serve` lets clients join the rooms that they subscribe to, behind the task's adapter: redis-adapter (publish and
// subscribe, with an emitter of its own) or redis-streams-adapter (whose emitter is a server without clients).
// `both` does it in one process: its own clients get the event at once, Redis gets it for other servers.
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const task = JSON.parse((await lines.next()).value);
const load = createRequire(task.modules + "/");
const redis = load("redis").createClient({ url: task.redis_url });
await redis.connect();
const offsets = new Map();

async function listen(publisher) {
  const database = new (load("pg").Client)(task.database_url);
  await database.connect();
  database.on("notification", ({ payload }) => {
    const row = JSON.parse(payload);
    tell(publisher, "kitchen", row.kitchen_id, row);
    tell(publisher, "order", row.id, row);
  });
  await database.query("LISTEN " + task.channel);
}

function tell(publisher, kind, id, whole) {
  const topic = `${kind}:${id}`;
  const offset = (offsets.get(topic) ?? 0) + 1;
  offsets.set(topic, offset);
  const row = {};
  for (const name of task.views[kind]) row[name] = whole[name];
  const at = new Date().toISOString();
  const { version } = whole;
  const change = { topic, epoch: 0, offset, entity: "order", id: whole.id, version, op: "put", row, event: "order.changed", at };
  publisher.to(topic).emit("change", change);
}

async function makeAdapter() {
  const { createAdapter } = load("@socket.io/" + task.adapter);
  if (task.adapter === "redis-streams-adapter") return createAdapter(redis);
  const hearing = redis.duplicate();
  await hearing.connect();
  return createAdapter(redis, hearing);
}

async function makeEmitter() {
  if (task.adapter === "redis-streams-adapter") return new (load("socket.io").Server)({ adapter: await makeAdapter() });
  return new (load("@socket.io/redis-emitter").Emitter)(redis);
}

async function serve() {
  const http = createServer();
  const options = { transports: ["websocket"], perMessageDeflate: false, adapter: await makeAdapter() };
  const io = new (load("socket.io").Server)(http, options);
  io.on("connection", (socket) =>
    socket.on("subscribe", ({ topic }, answer) => {
      socket.join(topic);
      answer({ ok: true, topic, epoch: 0, offset: 0, recovered: false, rows: [], gone: [] });
    }),
  );
  await new Promise((resolve) => http.listen(task.port, "127.0.0.1", resolve));
  return io;
}

const parts = {
  emit: async () => listen(await makeEmitter()),
  serve,
  both: async () => listen(await serve()),
};
await parts[process.argv[2]]();
console.log("ready");
for await (const _ of lines) {
  offsets.clear();
  console.log("ready");
}
process.exit(0);
