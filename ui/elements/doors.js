/* The doors that stand open to the signed-in person: the topics the hub grants, as links. */

import { button, make } from "/static/dom.js";
import { keepPage } from "/static/shell.js";
import { read, signOut } from "/static/session.js";

const AGAIN_MILLISECONDS = 2000;

export default {
  template: "<div></div>",
  props: { hubUrl: String },
  mounted() {
    keepPage();
    this.$el.classList.add("home");
    this.$el.append(make("p.empty", { role: "status" }, "Looking who you are…"));
    this.load();
  },
  methods: {
    async load() {
      try {
        const [{ person, grants, topics }, { kitchens }] = await Promise.all([read(this.hubUrl, "/v1/me"), read(this.hubUrl, "/v1/kitchens")]);
        this.$el.replaceChildren(...content(person, grants, topics, kitchens));
      } catch (error) {
        if (error.isSignedOut) return location.assign("/login");
        this.$el.replaceChildren(make("p.empty", { role: "status" }, "The hub is away. Trying again…"));
        setTimeout(() => this.load(), AGAIN_MILLISECONDS);
      }
    },
  },
};

function content(person, grants, topics, kitchens) {
  const roles = new Set(grants.map(({ role }) => role));
  const isCook = (kitchen) => grants.some(({ role, scope }) => role !== "rider" && role !== "customer" && covers(scope, kitchen));
  const links = [];
  for (const topic of topics) {
    const [kind, key] = topic.split(":");
    if (kind === "operations") links.push(link(`/operations/${key}`, `Operations · ${key}`, "Every kitchen, order and rider"));
  }
  if (roles.has("rider")) links.push(link("/rider", "Rider", "Offers, deliveries, shift"));
  for (const kitchen of kitchens.filter(isCook)) {
    links.push(link(`/kitchen/${kitchen.id}`, `${kitchen.code} ${kitchen.name}`, "Kitchen board"));
    if (grants.some(({ role }) => role !== "cook")) links.push(link(`/kitchen/${kitchen.id}?mode=expediter`, `${kitchen.code} at the pass`, "Everything that has not left"));
  }
  const list = links.length > 0 ? make("ul.doors", {}, ...links) : make("p.empty", {}, "No screen is open to you yet. Ask your manager for a role.");
  return [make("main.home-main", {}, make("h1", {}, `Hello ${person.name}`), list, button("Sign out", () => signOut()))];
}

function link(href, title, text) {
  return make("li", {}, make("a.door", { href }, make("strong", {}, title), make("span", {}, text)));
}

function covers(scope, kitchen) {
  return scope === "*" || scope === `kitchen:${kitchen.id}` || scope === `region:${kitchen.region}`;
}
