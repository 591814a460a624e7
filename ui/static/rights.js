/*
 * What the signed-in person may do, by the same table as the hub (`theme.js` carries it): only to offer the right buttons.
 *
 * Grants come by the person's own topic, so a role that is given or taken shows at once.
 */

import { personId } from "./session.js";
import { PERMISSIONS } from "./theme.js";

export class Rights {
  #fold = null;

  /** True when some grant has the permission in a kitchen (its row, or null while it is unknown). */
  may(permission, kitchen) {
    return this.#grants().some(({ role, scope }) => (PERMISSIONS[role] ?? []).includes(permission) && covers(scope, kitchen));
  }

  /** Changes whenever the rights do. */
  get stamp() {
    return this.#grants().map(({ id, version }) => `${id}${version}`).join();
  }

  /** Keep the rights of the signed-in person up to date over a `Live`. */
  async follow(live) {
    const id = await personId().catch(() => null);
    if (id !== null && !live.isClosed) this.#fold = await live.subscribe(`user:${id}`);
  }

  #grants() {
    return this.#fold?.rows("grant") ?? [];
  }
}

/** True when a grant's scope includes a kitchen. */
export function covers(scope, kitchen) {
  if (scope === "*") return true;
  return kitchen !== null && (scope === `kitchen:${kitchen.id}` || scope === `region:${kitchen.region}`);
}
