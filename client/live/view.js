/** The live view of one run. All that it shows comes from the server, so that each page shows the same. */

import { Chart } from "/client/live/chart.js";
import { Feed } from "/client/live/feed.js";
import { showFigures } from "/client/live/figures.js";
import { happenings } from "/client/live/happenings.js";
import { lastStretch, ratesOf } from "/client/live/history.js";
import { showInstances } from "/client/live/instances.js";
import { showStages } from "/client/live/stages.js";
import { addressOf } from "/client/page/address.js";
import { element, make, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */

const MAX_HAPPENINGS = 12;

export class LiveView {
  /** @type {Feed | null} */
  #feed = null;
  #rates = new Chart(
    element("rate-chart"),
    [{ key: "accepted", name: "accepted", className: "write" }, { key: "synchronized", name: "synchronized", className: "read" }],
    format.rate,
  );
  #lags = new Chart(element("lag-chart"), [{ key: "lagMs", name: "lag", className: "lag" }], format.milliseconds);

  /**
   * @param {(seed: string) => number} targetOf How many users a run is to have; 0 where this page does not know.
   * @param {(sample: Sample) => void} onSample
   */
  constructor(targetOf, onSample) {
    this.targetOf = targetOf;
    this.onSample = onSample;
  }

  get seed() {
    return this.#feed?.seed ?? "";
  }

  /** Follow this run, unless it is followed already. @param {string} seed */
  follow(seed) {
    if (this.seed === seed) return;
    this.stop();
    if (element("run-seed").textContent !== seed) announce(seed);
    this.#feed = new Feed(seed, (feed, previous) => this.#show(feed, previous));
    showConnection(this.#feed);
    this.#feed.start();
  }

  /** Close the stream: a browser has six connections to a host for all its tabs. */
  stop() {
    this.#feed?.stop();
    this.#feed = null;
  }

  /** @param {Feed} feed @param {Sample | null} previous */
  #show(feed, previous) {
    if (feed !== this.#feed) return;
    showConnection(feed);
    const { sample, history } = feed;
    if (!sample || sample === previous) return;
    showStages(sample, history);
    showFigures(sample, history, this.targetOf(sample.seed));
    showInstances(sample);
    const rates = ratesOf(lastStretch(history));
    this.#rates.show(rates);
    this.#lags.show(rates);
    happenings(previous, sample).forEach(addHappening);
    this.onSample(sample);
  }
}

/** Another run than the one before. @param {string} seed */
function announce(seed) {
  setText("run-seed", seed);
  element("run-users").href = addressOf("users", { seed });
  element("happenings").replaceChildren();
  element("happenings-title").hidden = true;
}

/** @param {Feed} feed */
function showConnection({ connection, sample }) {
  const { state, reason } = connection;
  const shown = element("connection");
  element("watch").dataset.connection = state;
  shown.dataset.state = state;
  shown.title = state === "live" ? `As of ${format.timeOfDay(sample?.at)}` : reason;
  if (state === "live") return setText(shown, `live, from ${sample?.appId}`);
  setText(shown, { connecting: "connecting", reconnecting: `reconnecting: ${reason}`, refused: reason }[state]);
}

/** @param {string} sentence */
function addHappening(sentence) {
  const list = element("happenings");
  const time = make("time", {}, new Date().toLocaleTimeString("en-GB"));
  list.append(make("li", {}, time, " ", sentence));
  while (list.children.length > MAX_HAPPENINGS) list.firstElementChild.remove();
  element("happenings-title").hidden = false;
}
