// One standard socket.io-client, driven over its input and output: node driven_client.mjs NODE_MODULES.
// Reads lines of {number, act, ...}, writes lines of {number, answer} and {event, payload}.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [modules] = process.argv.slice(2);
const { io } = createRequire(modules + "/")("socket.io-client");
const WAIT_MS = 20000;
let socket;

function say(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

const acts = {
  open({ url, auth, transports }) {
    socket = io(url, { auth, transports, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 200 });
    socket.onAny((event, payload) => say({ event, payload }));
    socket.on("connect", () => say({ event: "connect", payload: socket.io.engine.transport.name }));
    socket.on("disconnect", (reason) => say({ event: "disconnect", payload: reason }));
    socket.on("connect_error", ({ message, data }) => say({ event: "connect_error", payload: { message, data } }));
    socket.io.on("ping", () => say({ event: "ping" }));
    socket.io.on("open", () => socket.io.engine.once("upgrade", ({ name }) => say({ event: "upgrade", payload: name })));
  },
  ask({ event, payload }) {
    return socket.timeout(WAIT_MS).emitWithAck(event, payload);
  },
  close() {
    socket.close();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { number, act, ...rest } = JSON.parse(line);
  Promise.resolve(acts[act](rest)).then(
    (answer) => say({ number, answer: answer ?? null }),
    (error) => say({ number, answer: { failed: String(error) } }),
  );
}
process.exit(0);
