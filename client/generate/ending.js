/** How a run of this page ended, once it has: both databases compared by the server. */

import { addressOf } from "/client/page/address.js";
import { element, setText } from "/client/page/dom.js";
import { RequestError } from "/client/page/http.js";
import { judge, showVerdict } from "/client/runs/verdict.js";

/** A comparison of many users takes a while. */
const PATIENCE_MS = 120_000;

/**
 * Ask for the verdict, and show it.
 *
 * @param {import("/client/generate/run.js").Run | import("/client/generate/server_run.js").ServerRun} run
 * @param {() => boolean} isShown Whether it is still the run that people look at.
 */
export async function showEnding(run, isShown) {
  const { seed } = run.order;
  element("ending").hidden = !isShown();
  element("ending-kept").hidden = true;
  element("ending-verdict").replaceChildren();
  setText("ending-said", "Comparing both databases, user by user…");
  try {
    const verdict = await judge(seed, await run.acknowledged(), "status" in run ? "server" : "browser", AbortSignal.timeout(PATIENCE_MS));
    if (!isShown()) return;
    setText("ending-said", "");
    showVerdict(element("ending-verdict"), verdict);
    element("ending-link").href = addressOf("runs", { seed });
    element("ending-kept").hidden = false;
  } catch (error) {
    const reason = error instanceof RequestError ? error.sentence : "It took too long.";
    if (isShown()) setText("ending-said", `There is no verdict. ${reason}`);
  }
}

/** Another run is looked at. */
export function hideEnding() {
  element("ending").hidden = true;
}
