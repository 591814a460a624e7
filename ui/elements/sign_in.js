/* Sign in: a phone number and then a code; staff with a password; in a demo, the links of the terminal. */

import { button, make, setShown, setText } from "/static/dom.js";
import { keepPage } from "/static/shell.js";

export default {
  template: "<div></div>",
  props: { isLinkSpent: Boolean },
  mounted() {
    keepPage();
    this.form = new Form(this.$el, this.isLinkSpent);
  },
  unmounted() {
    this.form.close();
  },
};

class Form {
  constructor(root, isLinkSpent) {
    const input = (label, attributes) => make("input.button", { "aria-label": label, required: true, ...attributes });
    const parts = {
      told: make("p.told", { role: "alert" }, isLinkSpent ? "This link was used before or is too old. Take a fresh one from the terminal." : ""),
      phone: input("Phone", { type: "tel", autocomplete: "tel", placeholder: "+91 98765 43210" }),
      code: input("Code", { type: "text", autocomplete: "one-time-code", inputmode: "numeric", maxlength: 6, placeholder: "Code" }),
      login: input("Login", { type: "text", autocomplete: "username", placeholder: "Login" }),
      password: input("Password", { type: "password", autocomplete: "current-password", placeholder: "Password" }),
      resend: button("Send again", () => this.#askCode()),
      expiry: make("p.quiet", { role: "status" }),
    };
    this.parts = parts;
    this.phoneForm = form("Send me a code", () => this.#askCode(), make("p", {}, "Your phone number"), parts.phone);
    this.codeForm = form("Sign in", () => this.#verify(), make("p", {}, "The code we sent you"), parts.code, parts.expiry, parts.resend);
    this.staffForm = form("Sign in", () => this.#password(), parts.login, parts.password);
    const staff = make("details.staff", {}, make("summary", {}, "Staff: sign in with a password"), this.staffForm);
    const demo = make("p.quiet", {}, "In a demo, open one of the links that `hotpass demo` prints: each signs you in once.");
    root.classList.add("home");
    root.append(make("div.home-main", {}, make("h1", {}, "Sign in to Hotpass"), parts.told, this.phoneForm, this.codeForm, staff, demo));
    setShown(this.codeForm, false);
    this.ticking = setInterval(() => this.#tick(), 500);
  }

  close() {
    clearInterval(this.ticking);
  }

  async #askCode() {
    const answer = await this.#post("otp", { phone: this.#phone(), purpose: "sign-in" });
    if (answer === null) return;
    const now = performance.now();
    this.otpId = answer.otp_id;
    this.expiresAt = now + (answer.expires_in_seconds ?? 300) * 1000;
    this.resendAt = now + (answer.resend_after_seconds ?? 30) * 1000;
    setShown(this.phoneForm, false);
    setShown(this.codeForm, true);
    setText(this.parts.told, answer.phone ? `Sent to ${answer.phone}` : "");
    this.parts.code.focus();
    this.#tick();
  }

  async #verify() {
    const code = this.parts.code.value.replace(/\s/g, "");
    this.#enter(await this.#post("verify", { otp_id: this.otpId, code }));
  }

  async #password() {
    this.#enter(await this.#post("password", { login: this.parts.login.value.trim(), password: this.parts.password.value }));
  }

  #enter(answer) {
    if (answer === null) return;
    const next = new URLSearchParams(location.search).get("next") ?? "";
    location.assign(/^\/(?!\/|\\)/.test(next) ? next : answer.home);
  }

  async #post(step, body) {
    setText(this.parts.told, "");
    const headers = { "Content-Type": "application/json", "X-Hotpass-Request": "session" };
    const response = await fetch(`/session/${step}`, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null);
    const answer = await response?.json().catch(() => null);
    if (response?.ok) return answer ?? {};
    const left = Number.isInteger(answer?.tries_left) ? ` Tries left: ${answer.tries_left}.` : "";
    const wait = Number.isFinite(answer?.retry_after) ? ` Wait ${answer.retry_after} s.` : "";
    setText(this.parts.told, `${answer?.detail ?? "No network. Try again."}${left}${wait}`);
    return null;
  }

  #phone() {
    return this.parts.phone.value.replace(/[\s()-]/g, "");
  }

  #tick() {
    if (this.expiresAt === undefined) return;
    const now = performance.now();
    const left = Math.ceil((this.expiresAt - now) / 1000);
    const wait = Math.ceil((this.resendAt - now) / 1000);
    setText(this.parts.expiry, left > 0 ? `Valid for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "The code has expired.");
    this.parts.resend.disabled = wait > 0;
    setText(this.parts.resend, wait > 0 ? `Send again in ${wait} s` : "Send again");
  }
}

function form(label, act, ...content) {
  const submit = make("button.button.primary", { type: "submit" }, label);
  const node = make("form.sign-in", {}, ...content, submit);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    submit.disabled = true;
    Promise.resolve(act()).finally(() => (submit.disabled = false));
  });
  return node;
}
