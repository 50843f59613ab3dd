/** Wires the views to the address bar, and what this page sends to what is shown live. */

import { Controls } from "/client/generate/controls.js";
import { freshSeed } from "/client/generate/seed.js";
import { FollowView } from "/client/follow/view.js";
import { watchDesk } from "/client/break/desk.js";
import { showPanel } from "/client/break/panel.js";
import { AggregatesView } from "/client/aggregates/view.js";
import { LiveView } from "/client/live/view.js";
import { watchAccess } from "/client/page/access.js";
import { addressOf, followLinks, go, here, replaceAddress } from "/client/page/address.js";
import { element } from "/client/page/dom.js";
import { watchEquality } from "/client/page/equality.js";
import { aggregate, offerKinds, showKind } from "/client/page/kinds.js";
import { access } from "/client/page/token.js";
import { LettersView } from "/client/letters/view.js";
import { RaceView, offerRace } from "/client/race/view.js";
import { RunView } from "/client/runs/run.js";
import { RunsView } from "/client/runs/view.js";
import { TourView } from "/client/tour/view.js";
import { SearchView } from "/client/users/search.js";
import { UserView } from "/client/users/user.js";
import { Versions } from "/client/users/versions.js";

const controls = new Controls(showSeed);
const live = new LiveView(
  (seed) => controls.expectationOf(seed),
  (sample) => controls.observe(sample),
);
const versions = new Versions();
const views = {
  users: new SearchView(),
  user: new UserView(versions),
  follow: new FollowView(),
  members: new AggregatesView(versions),
  runs: new RunsView(),
  verdict: new RunView(),
  letters: new LettersView(),
  race: new RaceView(),
  tour: new TourView(),
};

let seed = here().view === "live" ? here().parameters.get("seed") || freshSeed() : freshSeed();

watchAccess();
watchEquality();
watchDesk((lab) => {
  controls.hearDesk(lab);
  showPanel(lab, () => seed);
  offerRace(lab);
});
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
offerKinds((chosen) => go(addressOf(here().view, { aggregate: chosen }))).then(() => showKind(here().parameters.get("aggregate")));

/** Show what the address says. */
function arrive() {
  const { view, parameters } = here();
  showKind(parameters.get("aggregate"));
  for (const id of ["live", ...Object.keys(views)]) element(id).hidden = id !== shown();
  for (const tab of ["live", "users", "runs", "race", "tour"]) element(`tab-${tab}`).ariaCurrent = tab === (view === "follow" ? "users" : view) ? "page" : null;
  document.title = `${element(`${shown()}-title`).textContent} · Tandem`;
  for (const tab of /** @type {const} */ (["users", "runs"])) element(`tab-${tab}`).href = addressOf(tab, { aggregate: aggregate() });
  showSeed((view === "live" && parameters.get("seed")) || seed);
  for (const [id, of] of Object.entries(views)) if (id !== shown()) of.leave();
  for (const [id, of] of Object.entries(views)) if (id === shown()) of.show(parameters);
  watchOrRest();
}

/** @returns {"live" | keyof typeof views} The section that the address asks for. */
function shown() {
  const { view, parameters } = here();
  if (view === "users" && aggregate()) return "members";
  if (view === "runs" && parameters.has("seed")) return "verdict";
  return (view === "users" || view === "follow") && parameters.has("id") ? "user" : view;
}

/** The run that is shown is the one that the form names and the address carries. @param {string} wanted */
function showSeed(wanted) {
  seed = wanted;
  controls.setSeed(seed);
  element("tab-live").href = addressOf("live", { seed, aggregate: aggregate() });
  if (here().view === "live") replaceAddress(addressOf("live", { seed, aggregate: aggregate() }));
  watchOrRest();
}

/** Watch while somebody looks, or while a run of this page wants to know how far it is. */
function watchOrRest() {
  const isRunning = controls.run !== null && !controls.run.isOver;
  const isSeen = here().view === "live" && !document.hidden;
  if (isSeen && aggregate()) live.follow(seed, aggregate());
  else if (isSeen || isRunning) live.follow(isRunning ? controls.run?.order.seed ?? seed : seed, "");
  else live.stop();
}
