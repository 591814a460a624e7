/*
 * Where this phone is, sent to the hub while the rider is on shift: the newest points in order, each with its number.
 *
 * Without a network the points wait here (the newest 500) and go out on return; a lost acknowledgement sends them again,
 * and the hub knows them by their number. When the phone gives no place, `state` says so.
 */

const SEND_MILLISECONDS = 2000;
const KEPT_POINTS = 500;
const SENT_AT_ONCE = 50;
const SILENT_MILLISECONDS = 30000;

export class Tracker {
  /** `live` carries the points; `onState(text, isWell)` tells how it stands. */
  constructor({ live, onState }) {
    this.live = live;
    this.onState = onState;
    this.points = [];
    this.here = null;
    this.isSending = false;
  }

  /** Start or stop following the phone. */
  follow(isOn) {
    if (isOn === (this.watching !== undefined)) return;
    if (!isOn) return this.stop();
    if (!navigator.geolocation) return this.onState("No location on this device", false);
    this.onState("Looking for your place…", false);
    const shape = { enableHighAccuracy: true, maximumAge: 2000 };
    this.watching = navigator.geolocation.watchPosition((at) => this.#take(at), (error) => this.#lose(error), shape);
    this.sending = setInterval(() => this.#send(), SEND_MILLISECONDS);
  }

  /** Stop following. */
  stop() {
    if (this.watching === undefined) return;
    navigator.geolocation.clearWatch(this.watching);
    clearInterval(this.sending);
    this.watching = undefined;
    this.onState("Location off", true);
  }

  #take({ coords, timestamp }) {
    // rises across reloads and devices alike: a number that fell would be refused as old
    this.seq = Math.max((this.seq ?? 0) + 1, Date.now());
    const { seq } = this;
    this.here = { lat: coords.latitude, lon: coords.longitude };
    this.heardAt = performance.now();
    const point = { seq, at: new Date(timestamp).toISOString(), ...this.here };
    if (Number.isFinite(coords.accuracy)) point.accuracy_metres = coords.accuracy;
    if (Number.isFinite(coords.heading)) point.heading = coords.heading;
    if (Number.isFinite(coords.speed)) point.speed = coords.speed;
    this.points.push(point);
    this.points.splice(0, this.points.length - KEPT_POINTS);
    this.onState("GPS ok", true);
  }

  #lose({ code }) {
    this.onState(code === 1 ? "Location refused: allow it in the browser" : "Location paused", false);
  }

  async #send() {
    if (this.heardAt && performance.now() - this.heardAt > SILENT_MILLISECONDS) this.onState("Location paused", false);
    if (this.isSending || this.points.length === 0) return;
    this.isSending = true;
    const batch = this.points.slice(0, SENT_AT_ONCE);
    try {
      await this.live.ask("position", { points: batch });
      this.points = this.points.filter((point) => point.seq > batch.at(-1).seq);
    } catch {
      // they stay and are sent again
    }
    this.isSending = false;
  }
}
