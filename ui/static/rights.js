/* What the signed-in person may do, by the same table as the hub (`theme.js` carries it): only to offer the right buttons. */

import { PERMISSIONS } from "./theme.js";

const PLACE = "hotpass.grants";

/** The grants of the signed-in person as this device last heard them: for opening without the hub. */
export function rememberedGrants() {
  return JSON.parse(localStorage.getItem(PLACE) ?? "[]");
}

/** Keep the grants on this device. */
export function rememberGrants(grants) {
  localStorage.setItem(PLACE, JSON.stringify(grants));
}

/** A function that answers whether a permission holds in a kitchen, given the person's grants. */
export function rightsIn(grants, kitchen) {
  return (permission) =>
    grants.some(({ role, scope }) => (PERMISSIONS[role] ?? []).includes(permission) && covers(scope, kitchen()));
}

function covers(scope, kitchen) {
  if (scope === "*") return true;
  return kitchen !== null && (scope === `kitchen:${kitchen.id}` || scope === `region:${kitchen.region}`);
}
