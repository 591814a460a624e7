/*
 * The page around a board: NiceGUI built it, and must not take it away.
 *
 * NiceGUI reloads a page when its server forgot it (a restart) and covers it while its server is away. A board has its own
 * socket to the hub and needs neither: once the shell's server is lost, the shell stays as it is and the board goes on.
 */

import { LinkBar } from "./linkbar.js";

const LOOK_MILLISECONDS = 100;

/** Keep the page when the UI server restarts or is away, and let it open again without a network. */
export function keepPage() {
  navigator.serviceWorker?.register("/worker.js").catch(() => null);
  const popup = document.getElementById("popup");
  if (popup !== null) popup.style.display = "none";
  // NiceGUI makes its socket only after its elements
  const looking = setInterval(() => {
    if (!window.socket) return;
    clearInterval(looking);
    window.socket.io.timeout(false);
    window.socket.on("disconnect", () => window.socket.disconnect());
  }, LOOK_MILLISECONDS);
}

/** Make `root` a board: its look, its link bar. Answers the bar. */
export function startBoard(root) {
  keepPage();
  return new LinkBar(root);
}

/** Where a person goes who is no longer signed in, when `state` says so. */
export function leaveWhenSignedOut(state) {
  if (state.kind !== "signed_out") return;
  location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}
