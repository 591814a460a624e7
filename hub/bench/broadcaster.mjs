// The contract of broadcasters.py by Node.js and its own socket.io: node broadcaster.mjs PORT NODE_MODULES ROOMS.
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const [port, modules, rooms] = process.argv.slice(2);
let joined = 0;
let told = 0;
const { Server } = createRequire(modules + "/")("socket.io");
const ROW = { id: "0198c0de-0000-7000-8000-000000000001", status: "ready", version: 7 };
const NOTE = "x".repeat(120);
const RESOLUTION_MS = 2;
const stall = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
const now = () => Number(process.hrtime.bigint());

const http = createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (url.pathname === "/blast") {
    const intervalNanoseconds = Number(url.searchParams.get("interval_ms")) * 1e6;
    let due = now();
    for (let round = Number(url.searchParams.get("rounds")); round > 0; round -= 1) {
      for (let turn = Number(url.searchParams.get("burst")); turn > 0; turn -= 1) {
        io.to("room " + (told++ % rooms)).emit("change", { row: { ...ROW, note: now() + " " + NOTE } });
      }
      due += intervalNanoseconds;
      await sleep(Math.max(0, (due - now()) / 1e6));
    }
  }
  if (url.pathname === "/stall") {
    const longest = Math.max(0, stall.max / 1e6 - RESOLUTION_MS);
    stall.reset();
    stall.enable();
    response.end(`${io.engine.clientsCount} ${longest.toFixed(1)}`);
    return;
  }
  response.end("done");
});
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
io.on("connection", (socket) => socket.join("room " + (joined++ % rooms)));
http.listen(Number(port), "127.0.0.1");
