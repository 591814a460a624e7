/* The doors that stand open to the signed-in person: the topics the hub grants, as links. */

import { button, make } from "/static/dom.js";
import { keepPage } from "/static/shell.js";
import { Live } from "/static/live.js";
import { covers } from "/static/rights.js";
import { personId, signOut, socketCredentials } from "/static/session.js";

const AGAIN_MILLISECONDS = 2000;
const STAFF = new Set(["cook", "expediter", "manager", "dispatcher", "administrator"]);
const OVERSEERS = new Set(["manager", "dispatcher", "administrator"]);

export default {
  template: "<div></div>",
  props: { hubUrl: String },
  mounted() {
    keepPage();
    this.$el.classList.add("home");
    this.$el.append(make("p.empty", { role: "status" }, "Looking who you are…"));
    this.meet();
  },
  unmounted() {
    this.live?.close();
  },
  methods: {
    async meet() {
      const id = await personId().catch(() => null);
      if (id === null) return location.assign("/login");
      const kitchens = await this.kitchens();
      const topic = `user:${id}`;
      const draw = () => this.$el.replaceChildren(content(this.live.fold(topic), id, kitchens));
      this.live = new Live({ hubUrl: this.hubUrl, topics: [topic], auth: socketCredentials, onRows: draw });
    },
    async kitchens() {
      for (;;) {
        try {
          return (await (await fetch(`${this.hubUrl}/v1/kitchens`)).json()).kitchens;
        } catch {
          this.$el.replaceChildren(make("p.empty", { role: "status" }, "The hub is away. Trying again…"));
          await new Promise((resolve) => setTimeout(resolve, AGAIN_MILLISECONDS));
        }
      }
    },
  },
};

function content(fold, id, kitchens) {
  const grants = fold.rows("grant");
  const has = (roles, kitchen) => grants.some(({ role, scope }) => roles.has(role) && covers(scope, kitchen));
  const regions = new Set(kitchens.filter((kitchen) => has(OVERSEERS, kitchen)).map(({ region }) => region));
  const links = [...regions].map((region) => link(`/operations/${region}`, `Operations · ${region}`, "Every kitchen, order and rider"));
  if (grants.some(({ role }) => role === "rider")) links.push(link("/rider", "Rider", "Offers, deliveries, shift"));
  for (const kitchen of kitchens.filter((one) => has(STAFF, one))) {
    links.push(link(`/kitchen/${kitchen.id}`, `${kitchen.code} ${kitchen.name}`, "Kitchen board"));
    links.push(link(`/kitchen/${kitchen.id}?mode=expediter`, `${kitchen.code} at the pass`, "Everything that has not left"));
  }
  const none = fold.isKnown ? "No screen is open to you yet. Ask your manager for a role." : "Looking what is open to you…";
  const list = links.length > 0 ? make("ul.doors", {}, ...links) : make("p.empty", {}, none);
  const name = fold.row("user", id)?.name;
  return make("div.home-main", {}, make("h1", {}, name ? `Hello ${name}` : "Hello"), list, button("Sign out", () => signOut()));
}

function link(href, title, text) {
  return make("li", {}, make("a.door", { href }, make("strong", {}, title), make("span", {}, text)));
}
