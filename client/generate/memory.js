/** The order of this tab's last run, which a reload would forget: how many users were wanted is nowhere else. */

/** @typedef {import("/client/generate/run.js").Order} Order */

const KEY = "tandem-order";

/** @param {Order} order */
export function keepOrder(order) {
  sessionStorage.setItem(KEY, JSON.stringify(order));
}

export function forgetOrder() {
  sessionStorage.removeItem(KEY);
}

/** @param {string} seed @returns {Order | null} What was wanted of this run, unless it ended as it should. */
export function keptOrder(seed) {
  const order = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  return order?.seed === seed ? order : null;
}
