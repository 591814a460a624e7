/*
 * Distinct sounds without files: new, changed, cancelled, late. One that rings is repeated until a person acknowledges it.
 *
 * A browser plays nothing before the first touch; `isBlocked` says so and the screen offers "tap to enable".
 */

const TUNES = {
  new: [[880, 0], [1175, 0.16]],
  changed: [[660, 0], [660, 0.16]],
  cancelled: [[440, 0], [294, 0.18]],
  late: [[980, 0], [980, 0.14], [980, 0.28]],
};
const NOTE_SECONDS = 0.14;
const LOUDNESS = 0.2;
const AGAIN_MILLISECONDS = 3000;
const GRAVEST_FIRST = ["cancelled", "changed", "new", "late"];

export class Sounds {
  #context = null;

  constructor() {
    this.isMuted = localStorage.getItem("hotpass.muted") === "yes";
    this.ringing = new Set();
  }

  /** Play a sound again and again until `acknowledge` is called; of several the gravest is heard. */
  ring(name) {
    this.ringing.add(name);
    this.play(name);
    this.again ??= setInterval(() => this.play(this.gravest), AGAIN_MILLISECONDS);
  }

  /** The gravest of what rings, or undefined. */
  get gravest() {
    return GRAVEST_FIRST.find((name) => this.ringing.has(name));
  }

  /** Somebody has heard it, or what it was about is over: silence. */
  acknowledge(names = GRAVEST_FIRST) {
    for (const name of names) this.ringing.delete(name);
    if (this.ringing.size > 0) return;
    clearInterval(this.again);
    this.again = undefined;
  }

  /** True while the browser would swallow a sound. */
  get isBlocked() {
    return !this.isMuted && this.#context?.state !== "running";
  }

  /** Call from a tap or a key: from then on sounds are heard. */
  async enable() {
    this.#context ??= new AudioContext();
    await this.#context.resume();
  }

  /** Mute or unmute, remembered on this device. */
  toggleMute() {
    this.isMuted = !this.isMuted;
    localStorage.setItem("hotpass.muted", this.isMuted ? "yes" : "no");
  }

  /** Play "new", "changed", "cancelled" or "late", if it can be heard. */
  play(name) {
    if (this.isMuted || this.isBlocked) return;
    for (const [hertz, after] of TUNES[name]) this.#note(hertz, this.#context.currentTime + after);
  }

  #note(hertz, at) {
    const tone = new OscillatorNode(this.#context, { frequency: hertz });
    const volume = new GainNode(this.#context, { gain: 0 });
    volume.gain.setValueAtTime(LOUDNESS, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + NOTE_SECONDS);
    tone.connect(volume).connect(this.#context.destination);
    tone.start(at);
    tone.stop(at + NOTE_SECONDS);
  }
}
