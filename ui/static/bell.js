/*
 * The bell of a screen: what rings is repeated until any touch or key of a person; its button says what rings, and mutes.
 *
 * The tap that silences a ring only does that: a cook who hits the button in a hurry must not mute the next ticket.
 */

import { button, setAttribute, setText } from "./dom.js";
import { Sounds } from "./sound.js";

const SIGNS_OF_LIFE = ["pointerdown", "keydown"];
const WORDS = { new: "NEW", changed: "CHANGED", cancelled: "CANCELLED", late: "LATE" };

export class Bell {
  constructor() {
    this.sounds = new Sounds();
    this.node = button("", () => this.tapped());
    this.node.classList.add("bell");
    this.before = "quiet"; // what the bell did when the last tap or key began: "ringing", "blocked" or "quiet"
    this.heard = () => this.#heard();
    for (const sign of SIGNS_OF_LIFE) addEventListener(sign, this.heard, true);
    this.draw();
  }

  close() {
    for (const sign of SIGNS_OF_LIFE) removeEventListener(sign, this.heard, true);
    this.sounds.acknowledge();
  }

  /** Ring "new", "changed", "cancelled" or "late" until somebody is there. */
  ring(name) {
    this.sounds.ring(name);
    this.draw();
  }

  /** What rang is over by itself. */
  silence(...names) {
    this.sounds.acknowledge(names);
    this.draw();
  }

  /** The button, or its key: hear it for the first time, else mute and unmute. */
  async tapped() {
    if (this.before === "ringing") return;
    if (this.before === "blocked") {
      await this.sounds.enable();
      this.sounds.play("new");
    } else this.sounds.toggleMute();
    this.draw();
  }

  /** Say how it stands. */
  draw() {
    const { sounds } = this;
    const ringing = sounds.gravest;
    setAttribute(this.node, "data-ringing", ringing !== undefined);
    if (ringing !== undefined) setText(this.node, `♪ ${WORDS[ringing]}!`);
    else setText(this.node, sounds.isMuted ? "♪ Muted" : sounds.isBlocked ? "♪ Tap to enable" : "♪ On");
  }

  #heard() {
    const { sounds } = this;
    this.before = sounds.gravest !== undefined ? "ringing" : sounds.isBlocked ? "blocked" : "quiet";
    sounds.acknowledge();
    if (sounds.isBlocked) sounds.enable().then(() => this.draw());
    this.draw();
  }
}
