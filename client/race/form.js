/** The form of a race. What is wrong with it the desk says, which names the field. */

import { freshSeed } from "/client/generate/seed.js";
import { element, make, setText } from "/client/page/dom.js";

const FIELDS = ["peer", "users", "rate"];

/** @param {string[]} peers */
export function showPeers(peers) {
  const select = element("race-peer");
  if (select.options.length === peers.length) return; // what was chosen stays
  select.replaceChildren(...peers.map((name) => make("option", { value: name }, name.replaceAll("_", " "))));
}

export function orderOf() {
  return {
    peer: element("race-peer").value,
    users: numberOf("race-users") ?? 0,
    rate: numberOf("race-rate") || null,
    fault: element("race-kill").checked ? "kill" : null,
    seed: `race-${freshSeed()}`,
  };
}

/**
 * Say beside its field what is wrong, and take back what was said before.
 *
 * @param {{ pointer?: string, detail: string } | null} fault
 * @returns {boolean} Whether it is about one of the fields.
 */
export function nameFault(fault) {
  const named = FIELDS.find((field) => fault?.pointer === `#/${field}`);
  for (const field of FIELDS) {
    const hint = element(`race-${field}-hint`);
    setText(hint, field === named ? `It ${fault?.detail}.` : hint.dataset.hint);
    hint.classList.toggle("wrong", field === named);
    element(`race-${field}`).setAttribute("aria-invalid", String(field === named));
  }
  if (named) element(`race-${named}`).focus();
  return named !== undefined;
}

/** @param {string} id @returns {number | null} */
function numberOf(id) {
  const { value } = element(id);
  return value === "" ? null : Number(value);
}
