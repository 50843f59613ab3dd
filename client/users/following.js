/** Waiting until MongoDB has what PostgreSQL has just committed. */

import { RequestError, ask } from "/client/page/http.js";
import { sleep } from "/client/page/sleep.js";
import { ASKING, acknowledgementOf, documentUrl, fetchSide, foundSide, rowsUrl } from "/client/users/side.js";

/** @typedef {import("/client/users/side.js").Side} Side */

/** The server waits and answers at once when it has the version. A load balancer gives each read 1.5 s. */
const WAIT_SECONDS = 1;
/** Most versions come within 100 ms, and one that is later than this may come much later. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 500;
const TIMEOUT_MS = 15_000;
/** The write-back comes a moment after the document. */
const LOOKS = 6;
const FIRST_PAUSE_MS = 50;

/**
 * @param {string} id
 * @param {number} version
 * @param {AbortSignal} signal
 * @returns {Promise<Side | null>} The document of this version or a later one, or `absent` for a deleted user; null: not in time.
 * @throws {DOMException} `signal` was aborted.
 */
export async function documentWith(id, version, signal) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const side = await askOnce(id, version, signal);
    if (side) return side;
    await sleep(PAUSE_MS, signal);
  }
  return null;
}

/** PostgreSQL answers for MongoDB where that has not caught up. @param {string} id @param {number} version @param {AbortSignal} signal */
async function askOnce(id, version, signal) {
  try {
    const { status, headers, body } = await ask(`${documentUrl(id)}?version=${version}`, { waitSeconds: WAIT_SECONDS, signal, timeoutMs: TIMEOUT_MS });
    if (status === 200) return headers.get("Tandem-Source") === "MongoDB" ? foundSide(body) : null;
    if (status !== 404) return null;
    const side = await fetchSide(documentUrl(id), signal); // either side may have said so
    return side.state === "absent" ? side : null;
  } catch (error) {
    if (error instanceof RequestError) return null;
    throw error;
  }
}

/**
 * What PostgreSQL has, once it knows that MongoDB has the version; or what it has after a few looks.
 *
 * @param {string} id
 * @param {number} version
 * @param {AbortSignal} signal
 * @returns {Promise<Side>}
 * @throws {DOMException} `signal` was aborted.
 */
export async function rowsThatKnow(id, version, signal) {
  let rows = ASKING;
  for (let look = 1; look <= LOOKS; look += 1) {
    rows = await fetchSide(rowsUrl(id), signal);
    if (rows.version > version || acknowledgementOf(rows, version)) break;
    await sleep(FIRST_PAUSE_MS * 2 ** look, signal);
  }
  return rows;
}
