/** Where random users come from: this server's generator, or randomuser.me. Both answer in the same format. */

import { isPassing } from "/client/generate/command_client.js";
import { RequestError, ask, refusal } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";

/** @typedef {"built-in" | "randomuser.me"} SourceName */
/** @typedef {{ number: number, user: object }} NumberedUser The number is its place in the run, from 1. */

/** Always the same, so that the same seed makes the same users however many are wanted. To decode 500 takes some 5 ms. */
const PAGE = 500;
const TIMEOUT_MS = 15_000;

/** @type {Record<SourceName, { maxUsers: number, attempts: number }>} */
const SOURCES = {
  "built-in": { maxUsers: 100_000, attempts: 5 },
  // One attempt: the other source is a click away.
  "randomuser.me": { maxUsers: 5_000, attempts: 1 },
};

/** @param {SourceName} source @returns {number} */
export function maxUsersOf(source) {
  return SOURCES[source].maxUsers;
}

/**
 * Users one by one. They are fetched by pages, the next while the last is used up: two are in memory at most.
 *
 * @param {{ source: SourceName, count: number, seed: string }} wish The same seed gives the same users.
 * @param {string} randomuserUrl
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<NumberedUser>} Exactly `count` users in the format of the randomuser.me API.
 * @throws {RequestError} The source can't be reached, refuses, or sends something else than users.
 */
export async function* usersOf({ source, count, seed }, randomuserUrl, signal) {
  const pages = Math.ceil(count / PAGE);
  const address = source === "built-in" ? "/api/v1/random-users" : randomuserUrl;
  const fetchNumber = (/** @type {number} */ page) => {
    const users = fetchPage(address, SOURCES[source].attempts, { results: Math.min(PAGE, count), seed, page }, signal);
    users.catch(() => {}); // whoever awaits it hears of it
    return users;
  };
  let coming = fetchNumber(1);
  for (let page = 1; page <= pages; page += 1) {
    const users = await coming;
    if (page < pages) coming = fetchNumber(page + 1);
    const before = (page - 1) * PAGE;
    yield* users.slice(0, count - before).map((user, at) => ({ number: before + at + 1, user }));
  }
}

/**
 * @param {string} address
 * @param {number} attempts
 * @param {{ results: number, seed: string, page: number }} parameters
 * @param {AbortSignal} signal
 * @returns {Promise<object[]>} `results` users.
 */
async function fetchPage(address, attempts, parameters, signal) {
  const url = new URL(address, location.href);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value));
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fetchUsers(url, parameters.results, signal);
    } catch (error) {
      if (!(error instanceof RequestError) || !isPassing(error) || attempt >= attempts) throw error;
      await sleep(500 * attempt, signal);
    }
  }
}

/** @param {URL} url @param {number} wanted @param {AbortSignal} signal @returns {Promise<object[]>} */
async function fetchUsers(url, wanted, signal) {
  const answer = await ask(url, { signal, timeoutMs: TIMEOUT_MS });
  if (answer.status !== 200) throw refusal(answer);
  const users = answer.body?.results;
  if (!Array.isArray(users)) throw new RequestError("An answer that holds no users", { status: 200 });
  if (users.length < wanted) throw new RequestError(`Only ${users.length} of ${wanted} users came`, { status: 200 });
  return users;
}
