/** Wires the views to the address bar, and what this page sends to what is shown live. */

import { Controls } from "/client/generate/controls.js";
import { freshSeed } from "/client/generate/seed.js";
import { LiveView } from "/client/live/view.js";
import { watchAccess } from "/client/page/access.js";
import { addressOf, followLinks, here, replaceAddress } from "/client/page/address.js";
import { element } from "/client/page/dom.js";
import { access } from "/client/page/token.js";
import { RunsView } from "/client/runs/view.js";
import { SearchView } from "/client/users/search.js";
import { UserView } from "/client/users/user.js";

const controls = new Controls(showSeed);
const live = new LiveView(
  (seed) => controls.expectationOf(seed),
  (sample) => controls.observe(sample),
);
const views = { users: new SearchView(), user: new UserView(), runs: new RunsView() };

let seed = here().view === "live" ? here().parameters.get("seed") || freshSeed() : freshSeed();

watchAccess();
access.addEventListener("changed", () => {
  live.stop();
  arrive();
});
followLinks(() => {
  arrive();
  element(`${shown()}-title`).focus();
  scrollTo(0, 0);
});
document.addEventListener("visibilitychange", watchOrRest);
arrive();

/** Show what the address says. */
function arrive() {
  const { view, parameters } = here();
  for (const id of ["live", "users", "user", "runs"]) element(id).hidden = id !== shown();
  for (const tab of ["live", "users", "runs"]) element(`tab-${tab}`).ariaCurrent = tab === view ? "page" : null;
  document.title = `${element(`${shown()}-title`).textContent} · Tandem`;
  if (view === "live") showSeed(parameters.get("seed") || seed);
  for (const [id, of] of Object.entries(views)) if (id === shown()) of.show(parameters);
    else of.leave();
  watchOrRest();
}

/** @returns {"live" | "users" | "user" | "runs"} The section that the address asks for. */
function shown() {
  const { view, parameters } = here();
  return view === "users" && parameters.has("id") ? "user" : view;
}

/** The run that is shown is the one that the form names and the address carries. @param {string} wanted */
function showSeed(wanted) {
  seed = wanted;
  controls.setSeed(seed);
  element("tab-live").href = addressOf("live", { seed });
  if (here().view === "live") replaceAddress(addressOf("live", { seed }));
  watchOrRest();
}

/** Watch while somebody looks, or while a run of this page wants to know how far it is. */
function watchOrRest() {
  const isRunning = controls.run !== null && !controls.run.isOver;
  const isSeen = here().view === "live" && !document.hidden;
  if (isSeen || isRunning) live.follow(isRunning ? controls.run?.order.seed ?? seed : seed);
  else live.stop();
}
