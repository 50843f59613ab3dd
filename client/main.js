/** Wires the form to runs, and runs to what is shown of them. */

import { forgetComplaint, readOrder, setSeed, setSource } from "/client/form.js";
import { Run } from "/client/run.js";
import { freshSeed, putSeedInAddress, seedInAddress } from "/client/seed.js";
import { hideSourceNotice, revealRun, showRun, showSourceNotice } from "/client/view.js";

/** @typedef {import("/client/run.js").Order} Order */

/** Ten times a second: digits that change faster can't be read. */
const FRAME_MS = 100;

/** @type {Run | null} */
let run = null;

const form = /** @type {HTMLFormElement} */ (document.getElementById("order"));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (run && !run.isOver) return;
  const order = readOrder(form);
  if (order) begin(order);
});
form.addEventListener("input", (event) => forgetComplaint(/** @type {HTMLInputElement} */ (event.target)));
form.addEventListener("change", () => putSeedInAddress(form.seed.value.trim()));
on("fresh-seed", () => useSeed(freshSeed()));
on("cancel", () => run?.cancel());
on("use-other-source", () => {
  setSource(form, "built-in");
  document.getElementById("generate")?.focus(); // the button that was pressed is about to go
  form.requestSubmit();
});

useSeed(seedInAddress() || freshSeed());

/** @param {Order} order */
async function begin(order) {
  hideSourceNotice();
  revealRun();
  putSeedInAddress(order.seed);
  run = new Run(order);
  keepShowing(run);
  await run.start();
  showRun(run);
  if (run.sourceError) announceSource(run);
}

/** Between two looks the browser draws nothing for us: its time belongs to the requests. @param {Run} shown */
function keepShowing(shown) {
  if (shown.isOver) return;
  showRun(shown);
  setTimeout(() => requestAnimationFrame(() => keepShowing(shown)), FRAME_MS);
}

/** @param {Run} failed */
function announceSource({ order, sourceError }) {
  const builtIn = order.source === "built-in";
  const name = builtIn ? "The built-in generator" : "randomuser.me";
  const what = sourceError?.status === null ? "cannot be reached" : "gave no users";
  showSourceNotice(`${name} ${what}. ${sourceError?.message}.`, builtIn ? null : "built-in");
}

/** @param {string} seed */
function useSeed(seed) {
  setSeed(form, seed);
  putSeedInAddress(seed);
}

/** @param {string} id @param {() => void} listener */
function on(id, listener) {
  document.getElementById(id)?.addEventListener("click", listener);
}
