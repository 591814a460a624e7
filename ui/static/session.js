/*
 * The access token of this page: kept in memory only, fetched from the UI with the HttpOnly cookie.
 *
 * Only one request runs at a time; whoever asks meanwhile shares its answer.
 */

import { forgetStates } from "./saved.js";

const SPARE_MILLISECONDS = 30000;
const HEADERS = { "X-Hotpass-Request": "session" }; // a header that another site's form cannot send

let held = null;
let asking = null;

/** An access token that lives for at least another 30 s. Rejects with `isSignedOut` when nobody is signed in. */
export async function accessToken({ isFresh = false } = {}) {
  if (!isFresh && held !== null && held.endsAt - performance.now() > SPARE_MILLISECONDS) return held.token;
  asking ??= ask().finally(() => (asking = null));
  return asking;
}

/** The connect payload of `Live` for a signed-in person. */
export async function socketCredentials({ isFresh }) {
  return { token: await accessToken({ isFresh }) };
}

/** Sign out on this device and forget what it kept. */
export async function signOut() {
  held = null;
  await forgetStates();
  localStorage.clear();
  await fetch("/session/end", { method: "POST", headers: HEADERS }).catch(() => null);
  location.assign("/login");
}

/** GET from the hub as this person; resolves to the parsed JSON, rejects with the status on a refusal. */
export async function read(hubUrl, path) {
  const answer = await fetch(hubUrl + path, { headers: { Authorization: `Bearer ${await accessToken()}` } });
  if (!answer.ok) throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status });
  return answer.json();
}

async function ask() {
  const answer = await fetch("/session/token", { method: "POST", headers: HEADERS, cache: "no-store" });
  if (answer.status === 401) throw Object.assign(new Error("signed out"), { isSignedOut: true });
  if (!answer.ok) throw new Error(`no token: ${answer.status}`);
  const { access_token, expires_in_seconds } = await answer.json();
  held = { token: access_token, endsAt: performance.now() + expires_in_seconds * 1000 };
  return access_token;
}
