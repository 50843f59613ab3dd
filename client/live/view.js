/** The live view of one run. All that it shows comes from the server, so that each page shows the same. */

import { Chart } from "/client/live/chart.js";
import { Feed } from "/client/live/feed.js";
import { showFigures } from "/client/live/figures.js";
import { showHappenings } from "/client/live/happenings.js";
import { lastStretch, ratesOf } from "/client/live/history.js";
import { showInstances } from "/client/live/instances.js";
import { progressOf } from "/client/live/progress.js";
import { showStages } from "/client/live/stages.js";
import { addressOf } from "/client/page/address.js";
import { silenceOf } from "/client/page/cells.js";
import { element, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";
import { aggregate } from "/client/page/kinds.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/generate/controls.js").Expectation} Expectation */

/** What this page expects of runs that it never sends. */
const NOBODY_KNOWS = { users: 0, isSending: false };

export class LiveView {
  /** @type {Feed | null} */
  #feed = null;
  /** The run that stands over the view. */
  #announced = "";
  #rates = new Chart(
    element("rate-chart"),
    [{ key: "accepted", name: "accepted", className: "sent" }, { key: "synchronized", name: "synchronized", className: "write" }],
    format.rate,
  );
  #lags = new Chart(
    element("lag-chart"),
    [{ key: "oldestMs", name: "oldest waiting", className: "lag" }, { key: "lagMs", name: "arrived", className: "arrived" }],
    format.milliseconds,
  );

  /**
   * @param {(seed: string) => Expectation} expectationOf What is to come of a run.
   * @param {(sample: Sample) => void} onSample
   */
  constructor(expectationOf, onSample) {
    this.expectationOf = expectationOf;
    this.onSample = onSample;
  }

  /** Follow this run, unless it is followed already. @param {string} seed @param {string} of Whose run it is; empty: users'. */
  follow(seed, of) {
    if (this.#feed?.seed !== seed || this.#feed.aggregate !== of) {
      this.stop();
      if (this.#announced !== `${seed} ${of}`) announce(seed);
      this.#announced = `${seed} ${of}`;
      this.#feed = new Feed(seed, of, (feed, previous) => this.#show(feed, previous));
      this.#feed.start();
    }
    if (this.#feed) this.#draw(this.#feed);
  }

  /** Close the stream: a browser has six connections to a host for all its tabs. */
  stop() {
    this.#feed?.stop();
    this.#feed = null;
  }

  /** @param {Feed} feed @param {Sample | null} previous */
  #show(feed, previous) {
    if (feed !== this.#feed) return;
    this.#draw(feed);
    const { sample, history } = feed;
    if (!sample || sample === previous) return;
    const rates = ratesOf(lastStretch(history));
    const faults = feed.happenings.filter(({ kind }) => kind === "fault").map(({ at, text }) => ({ at: Date.parse(at) / 1000, text }));
    this.#rates.show(rates, faults);
    this.#lags.show(rates, faults);
    showHappenings(feed.happenings);
    if (!feed.aggregate) this.onSample(sample);
  }

  /** What is known, and whether it still is: without a stream, or with PostgreSQL down, it is how things were. @param {Feed} feed */
  #draw(feed) {
    const { connection, sample, history } = feed;
    const expectation = feed.aggregate ? NOBODY_KNOWS : this.expectationOf(feed.seed);
    const isCurrent = connection.state === "live" && sample?.databases.postgresql === "up";
    showConnection(feed);
    element("watch").dataset.numbers = isCurrent ? "current" : "old";
    setText("progress", progressOf(connection, sample, history, expectation));
    const silence = silenceOf(sample?.silentCells);
    setText("live-silence", silence);
    element("live-silence").hidden = silence === "";
    if (!sample) return;
    const isMoving = isCurrent && !isOver(sample, expectation);
    showStages(sample, history, isMoving);
    showFigures(sample, history, expectation, isCurrent);
    showInstances(sample, isCurrent, isMoving);
  }
}

/** Whether all that was wanted has arrived: nothing moves any more, be the mean of three seconds what it may. @param {Sample} sample @param {Expectation} expectation */
function isOver({ stages, deadLetters }, { users, isSending }) {
  return users > 0 && !isSending && stages.synchronized + deadLetters >= Math.max(users, stages.accepted);
}

/** Another run than the one before. @param {string} seed */
function announce(seed) {
  setText("run-seed", seed);
  element("run-users").href = addressOf("users", { seed, aggregate: aggregate() });
  element("letters-link").href = addressOf("letters", { seed, aggregate: aggregate() });
  showHappenings([]);
}

/** @param {Feed} feed */
function showConnection({ connection, sample }) {
  const { state, reason } = connection;
  const shown = element("connection");
  element("watch").dataset.connection = state;
  shown.dataset.state = state;
  shown.title = state === "live" ? `As of ${format.timeOfDay(sample?.at)}` : reason;
  setText(shown, state === "live" ? `live, from ${sample?.appId}` : state);
}
