/** Whether both databases are equal, as the scrubbers of all instances last saw it; it stands over every view. */

import { silentOnes } from "/client/page/cells.js";
import { element, setText } from "/client/page/dom.js";
import * as format from "/client/page/format.js";
import { RequestError, getJson } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";
import { access } from "/client/page/token.js";

/** @typedef {{ missing: number, surplus: number, lost: number, stale: number, differing: number, setAside: number }} Found */
/** @typedef {{ isEqual: boolean, isWhole: boolean, ageSeconds: number, users: number, kinds: Found[], silentCells?: number[] }} Verification */

const POLL_MS = 5_000;

/** The kinds of difference, as people say them. @type {[keyof Found, string][]} */
const DIFFERENCES = [["missing", "missing"], ["surplus", "surplus"], ["lost", "lost in PostgreSQL"], ["stale", "stale"], ["differing", "differing"], ["setAside", "set aside"]];

/** Ask now and then for as long as the page is open, and while somebody looks at it. */
export async function watchEquality() {
  let isNew = new AbortController();
  for (const [where, name] of /** @type {[EventTarget, string][]} */ ([[document, "visibilitychange"], [access, "changed"]])) {
    where.addEventListener(name, () => isNew.abort());
  }
  for (;;) {
    const { signal } = (isNew = new AbortController());
    try {
      if (!document.hidden) show(await getJson("/api/v1/verification", signal));
    } catch (error) {
      if (!signal.aborted && !(error instanceof RequestError)) throw error;
      element("equality").hidden = true; // nobody knows
    }
    await sleep(POLL_MS, signal).catch(() => {});
  }
}

/** @param {Verification} found */
function show(found) {
  const { state, text, title } = equalityOf(found);
  const pill = element("equality");
  pill.hidden = false;
  pill.dataset.state = state;
  pill.title = title;
  setText(pill, text);
}

/** What is said of it. @param {Verification} found @returns {{ state: string, text: string, title: string }} */
export function equalityOf({ isEqual, isWhole, ageSeconds, users, kinds, silentCells }) {
  if (kinds.length === 0) return { state: "unknown", text: "not compared yet", title: "No instance has compared the two databases yet." };
  if (!isEqual) {
    const parts = DIFFERENCES.map(([key, name]) => ({ name, count: kinds.reduce((sum, kind) => sum + kind[key], 0) })).filter(({ count }) => count > 0);
    const text = `not equal: ${parts.map(({ name, count }) => `${format.count(count)} ${name}`).join(", ")}`;
    return { state: "differing", text, title: "`tandem verify` names what differs, and `tandem verify --repair` heals it." };
  }
  const text = `${isWhole ? "equal" : "equal so far"}, as of ${format.duration(ageSeconds)} ago, ${format.plural(users, "user", "users")}`;
  const title = "Instances compare the rows of PostgreSQL with the documents of MongoDB again and again. This is how long ago the oldest part was compared.";
  const those = silentOnes(silentCells);
  return those ? { state: "unknown", text: `${those}. Of the others: ${text}`, title } : { state: "equal", text, title };
}
