/* One offer of a delivery: what it pays, where it goes, and the seconds that the hub leaves for an answer. */

import { timeOfDay } from "./clock.js";
import { button, isolate, make, setAttribute, setText } from "./dom.js";
import { distance, money } from "./money.js";

/** A card without content; `answer(offer, "accept" | "decline")` is asked once. */
export function createOffer(answer) {
  const parts = {
    seconds: make("strong.offer-seconds"),
    bar: make("progress.offer-bar", { max: 1, "aria-label": "Time left" }),
    fee: make("span.offer-fee"),
    way: make("p.offer-way"),
    ready: make("p.offer-ready"),
    decline: button("Decline", () => answer(card.offer, "decline")),
    accept: button("ACCEPT", () => answer(card.offer, "accept")),
  };
  parts.accept.classList.add("primary");
  const top = make("div.offer-top", {}, make("b", {}, "OFFER"), parts.bar, parts.seconds, parts.fee);
  const card = make("article.card.offer", { "aria-label": "Offer" }, top, parts.way, parts.ready, make("div.pair", {}, parts.decline, parts.accept));
  card.parts = parts;
  return card;
}

/** Make a card show its offer; `isBusy` while an answer is on its way. */
export function updateOffer(card, offer, { isBusy, zone }) {
  card.offer = offer;
  const approach = Number.isFinite(offer.approach_metres) ? ` ${distance(offer.approach_metres)}` : "";
  setAttribute(card, "data-offer", offer.id);
  setText(card.parts.fee, `${money(offer.fee_minor, offer.currency)} · ${distance(offer.distance_metres)}`);
  setText(card.parts.way, `pick ${isolate(offer.pickup_name)}${approach} → drop ${distance(offer.distance_metres)}`);
  setText(card.parts.ready, `#${offer.order_code} · ready ${timeOfDay(Date.parse(offer.ready_expected_at), { zone })}`);
  setAttribute(card.parts.accept, "disabled", isBusy);
  setAttribute(card.parts.decline, "disabled", isBusy);
}

/** The countdown, owned by the hub: `expires_at` against the product clock. */
export function tickOffer(card, clock) {
  const left = Math.max(0, clock.realSecondsUntil(card.offer.expires_at));
  const whole = (Date.parse(card.offer.expires_at) - Date.parse(card.offer.created_at)) / 1000 / clock.rate;
  card.parts.bar.value = whole > 0 ? left / whole : 0;
  setText(card.parts.seconds, `${Math.ceil(left)} s`);
}
