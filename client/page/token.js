/** The access token, for servers that ask for one. It is kept for this tab only, until it is closed. */

const KEY = "tandem-access-token";

/** Says `refused` when the server wanted a token, or a better one, and `changed` when there is another. */
export const access = new EventTarget();

/** What a worker was told: it has no storage. */
let told = "";

/** @returns {string} Empty when there is none. */
export function token() {
  return globalThis.sessionStorage ? (sessionStorage.getItem(KEY) ?? "") : told;
}

/** @param {string} value For a worker. */
export function tellToken(value) {
  told = value;
}

/** @param {string} value */
export function setToken(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
  access.dispatchEvent(new Event("changed"));
}

/** @param {string | URL} url @returns {Record<string, string>} For this server; nobody else is told. */
export function authorization(url) {
  const isOurs = new URL(url, location.href).origin === location.origin;
  return isOurs && token() ? { Authorization: `Bearer ${token()}` } : {};
}

/** @param {number} status */
export function noteStatus(status) {
  if (isRefusedAccess(status)) access.dispatchEvent(new CustomEvent("refused", { detail: status }));
}

/** @param {number | null} status */
export function isRefusedAccess(status) {
  return status === 401 || status === 403;
}
