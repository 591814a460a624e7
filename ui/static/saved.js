/*
 * The last state of each topic on this device (IndexedDB), so that a screen opens without the hub.
 *
 * It is shown as stale until the hub answers. Signing out forgets it. A browser that refuses storage only loses this.
 */

const DATABASE = "hotpass";
const STORE = "topics";

/** The saved state of a topic, or null. */
export async function loadState(topic) {
  try {
    return (await request("readonly", (store) => store.get(topic))) ?? null;
  } catch {
    return null;
  }
}

/** Keep a state, as `Fold.saved()` gives it. */
export async function saveState(state) {
  try {
    await request("readwrite", (store) => store.put(state));
  } catch {
    return;
  }
}

/** Forget every saved state. */
export async function forgetStates() {
  try {
    await request("readwrite", (store) => store.clear());
  } catch {
    return;
  }
}

function request(mode, ask) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "topic" });
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const database = opening.result;
      const transaction = database.transaction(STORE, mode);
      const asking = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        database.close();
        resolve(asking.result);
      };
      transaction.onerror = transaction.onabort = () => {
        database.close();
        reject(transaction.error);
      };
    };
  });
}
