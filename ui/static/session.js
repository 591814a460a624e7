/*
 * The access token of this page: kept in memory only, fetched from the UI with the HttpOnly cookie.
 *
 * Only one request runs at a time; whoever asks meanwhile shares its answer.
 */

import { forgetStates } from "./saved.js";

const SPARE_MILLISECONDS = 30000;
const AGAIN_MILLISECONDS = 2000;
const PERSON = "hotpass.person";
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

/** The id of the signed-in person; without a network, of whoever was here last. Rejects like `accessToken`. */
export async function personId() {
  for (;;) {
    try {
      await accessToken();
      return held.personId;
    } catch (error) {
      const known = localStorage.getItem(PERSON);
      if (error.isSignedOut) throw error;
      if (known !== null) return known;
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MILLISECONDS));
    }
  }
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
  const { access_token, expires_in_seconds, person_id } = await answer.json();
  await changePerson(person_id);
  held = { token: access_token, personId: person_id, endsAt: performance.now() + expires_in_seconds * 1000 };
  return access_token;
}

/** What the person before left on this device is not for the next one. */
async function changePerson(id) {
  const known = localStorage.getItem(PERSON);
  if (known === id) return;
  if (known !== null) {
    await forgetStates();
    localStorage.clear();
  }
  localStorage.setItem(PERSON, id);
}
