/** Where random users come from: this server's generator, or randomuser.me. Both answer in the same format. */

import { RequestError, ask, refusal } from "/client/http.js";

/** @typedef {"built-in" | "randomuser.me"} SourceName */

/** Pages keep each decoding far below what a person would notice as a stutter: 1,000 users are about 1 MB. */
const MAX_PAGE = 1000;
const TIMEOUT_MS = 15_000;

/** @type {Record<SourceName, () => URL>} */
const ADDRESSES = {
  "built-in": () => new URL("/api/v1/random-users", location.href),
  "randomuser.me": () => new URL(/** @type {HTMLMetaElement} */ (document.querySelector('meta[name="randomuser-url"]')).content),
};

/**
 * Fetch `count` users, page by page; the same seed gives the same users.
 *
 * @param {{ source: SourceName, count: number, seed: string, signal: AbortSignal }} wish
 * @param {(fetched: number) => void} onProgress Called with the number of users so far.
 * @returns {Promise<object[]>} Exactly `count` users in the format of the randomuser.me API.
 * @throws {RequestError} The source can't be reached, refuses, or sends something else than users.
 */
export async function fetchUsers({ source, count, seed, signal }, onProgress) {
  const pages = Math.ceil(count / MAX_PAGE);
  const results = Math.ceil(count / pages);
  /** @type {object[]} */
  const users = [];
  for (let page = 1; page <= pages; page += 1) {
    users.push(...(await fetchPage(source, { results, seed, page }, signal)));
    onProgress(Math.min(users.length, count));
  }
  return users.slice(0, count);
}

/**
 * @param {SourceName} source
 * @param {{ results: number, seed: string, page: number }} parameters
 * @param {AbortSignal} signal
 * @returns {Promise<object[]>} `results` users.
 */
async function fetchPage(source, parameters, signal) {
  const url = ADDRESSES[source]();
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value));
  const answer = await ask(url, { signal, timeoutMs: TIMEOUT_MS });
  if (answer.status !== 200) throw refusal(answer);
  const users = answer.body?.results;
  if (!Array.isArray(users)) throw new RequestError("An answer that holds no users", { status: 200 });
  if (users.length < parameters.results) {
    throw new RequestError(`Only ${users.length} of ${parameters.results} users came`, { status: 200 });
  }
  return users.slice(0, parameters.results);
}
