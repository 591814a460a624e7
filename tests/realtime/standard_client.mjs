// The standard socket.io-client against a hub: node standard_client.mjs URL NODE_MODULES. Prints {scenario: result}.
import { createRequire } from "node:module";

const [url, modules] = process.argv.slice(2);
const { io } = createRequire(modules + "/")("socket.io-client");
const WAIT_MS = 5000;

function once(emitter, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${event}`)), WAIT_MS);
    emitter.once(event, (...values) => {
      clearTimeout(timer);
      resolve(values.length > 1 ? values : values[0]);
    });
  });
}

function open(options = {}, namespace = "") {
  const settings = { transports: ["websocket"], forceNew: true, reconnectionDelay: 20, ...options };
  return io(url + namespace, settings);
}

async function withSocket(options, act, namespace) {
  const socket = open(options, namespace);
  try {
    await once(socket, "connect");
    return await act(socket);
  } finally {
    socket.close();
  }
}

const scenarios = {
  async acknowledged() {
    return withSocket({}, (socket) => socket.timeout(WAIT_MS).emitWithAck("message-with-ack", { 3: [true] }));
  },
  async greeted() {
    const socket = open({ auth: { token: "abc" } });
    const greeting = await once(socket, "auth");
    socket.close();
    return greeting;
  },
  async refused() {
    const socket = open({ auth: { token: "refuse" } });
    const error = await once(socket, "connect_error");
    socket.close();
    return { message: error.message, data: error.data };
  },
  async unknownNamespace() {
    const socket = open({}, "/random");
    const error = await once(socket, "connect_error");
    socket.close();
    return error.message;
  },
  async namespace() {
    return withSocket({}, (socket) => socket.timeout(WAIT_MS).emitWithAck("message-with-ack", "here"), "/custom");
  },
  async upgraded() {
    const socket = open({ transports: ["polling", "websocket"] });
    await once(socket.io, "open");
    const engine = socket.io.engine;
    const first = engine.transport.name;
    await once(engine, "upgrade");
    const numbers = [...Array(20).keys()];
    const answers = await Promise.all(numbers.map((number) => socket.timeout(WAIT_MS).emitWithAck("work", number)));
    socket.close();
    return { first, then: engine.transport.name, inOrder: answers.join() === numbers.join() };
  },
  async pollingOnly() {
    return withSocket({ transports: ["polling"] }, (socket) => socket.timeout(WAIT_MS).emitWithAck("work", 7));
  },
  async kicked() {
    return withSocket({}, async (socket) => {
      socket.emit("kick");
      return [].concat(await once(socket, "disconnect"))[0];
    });
  },
  async reconnected() {
    return withSocket({}, async (socket) => {
      const before = socket.id;
      socket.emit("close", 4001, "come again");
      const [reason, details] = [].concat(await once(socket, "disconnect"));
      await once(socket, "connect");
      const answer = await socket.timeout(WAIT_MS).emitWithAck("work", 1);
      return { reason, code: details?.context?.code, isNew: socket.id !== before, answer };
    });
  },
  async binaryRefused() {
    return withSocket({}, async (socket) => {
      socket.emit("message", Buffer.from([1, 2, 3]));
      return [].concat(await once(socket, "disconnect"))[0];
    });
  },
};

const results = {};
for (const [name, run] of Object.entries(scenarios)) {
  results[name] = await run().catch((error) => ({ failed: String(error) }));
}
console.log(JSON.stringify(results));
process.exit(0);
