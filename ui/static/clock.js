/*
 * The product clock: the hub tells `{at, rate}`, the browser carries it on with performance.now().
 *
 * Business times (promises, deadlines, fire times, offers) are compared with this clock only, never with the wall clock
 * of the device.
 */

export class ProductClock {
  #toldAt = Date.now();
  #toldWhen = performance.now();
  isTold = false;
  rate = 1;

  /** Take the hub's word: it is `at` now, and `rate` product seconds pass in a real one. */
  tell(at, rate) {
    const told = Date.parse(at);
    if (Number.isNaN(told) || !(rate > 0)) return;
    this.#toldAt = told;
    this.#toldWhen = performance.now();
    this.rate = rate;
    this.isTold = true;
  }

  /** The product time, in milliseconds since 1970. */
  now() {
    return this.#toldAt + (performance.now() - this.#toldWhen) * this.rate;
  }

  /** Product seconds from now until the ISO time `at`; negative when it has passed. */
  secondsUntil(at) {
    return (Date.parse(at) - this.now()) / 1000;
  }

  /** Real seconds from now until the ISO time `at`. */
  realSecondsUntil(at) {
    return this.secondsUntil(at) / this.rate;
  }
}

/** `m:ss`, or `h:mm:ss` from an hour on; negative spans start with a minus sign. */
export function span(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const text = parts[0] > 0 ? `${parts[0]}:${pad(parts[1])}:${pad(parts[2])}` : `${parts[1]}:${pad(parts[2])}`;
  return seconds < 0 && whole > 0 ? `−${text}` : text;
}

/** Time of day `19:04`, in the given IANA zone (the device's own when it is unknown); `withSeconds` adds `:12`. */
export function timeOfDay(milliseconds, { zone, withSeconds = false } = {}) {
  const shape = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(withSeconds && { second: "2-digit" }) };
  try {
    return new Intl.DateTimeFormat(undefined, { ...shape, timeZone: zone || undefined }).format(milliseconds);
  } catch {
    return new Intl.DateTimeFormat(undefined, shape).format(milliseconds);
  }
}

function pad(number) {
  return String(number).padStart(2, "0");
}
