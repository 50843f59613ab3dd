/** One HTTP exchange with a time limit, and what went wrong with it in words for people. */

import { sentence } from "/client/page/format.js";
import { authorization, noteStatus } from "/client/page/token.js";

/** @typedef {{ status: number, headers: Headers, body: any, retryAfterMs: number | null }} Answer `body` is undefined unless JSON came. */
/**
 * @typedef {object} Command However often it is sent with its key, it takes effect once.
 * @property {"POST" | "PATCH" | "DELETE"} method
 * @property {string} idempotencyKey
 * @property {unknown} [json]
 * @property {number} [expected] The version that the user must have.
 */
/** @typedef {{ command?: Command, waitSeconds?: number, signal: AbortSignal }} Options `waitSeconds`: for what is not there yet. */

const MAX_KIND_LENGTH = 160;

/** A request that got no answer, or not the answer that was hoped for. The message names its kind. */
export class RequestError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number | null, retryAfterMs?: number | null, detail?: string }} [more] `status` is null when no
   *   answer came; `detail` is what the server says about it.
   */
  constructor(message, { status = null, retryAfterMs = null, detail = "" } = {}) {
    super(message);
    this.name = "RequestError";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.detail = detail;
  }

  /** What went wrong, as a sentence: the server's own where it has one. */
  get sentence() {
    return sentence(this.detail || this.message);
  }
}

/**
 * Send one request and read its answer to the end.
 *
 * @param {string | URL} url
 * @param {Options & { timeoutMs: number }} options
 * @returns {Promise<Answer>} Whatever the status.
 * @throws {RequestError} No answer came: network error or time limit.
 * @throws {DOMException} `signal` was aborted.
 */
export async function ask(url, { timeoutMs, ...options }) {
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const response = await send(url, { ...options, signal: AbortSignal.any([options.signal, limit]) });
    const { status, headers } = response;
    return { status, headers, body: parsed(await response.text()), retryAfterMs: retryAfterMs(response) };
  } catch {
    options.signal.throwIfAborted();
    throw new RequestError(limit.aborted ? `No answer within ${timeoutMs / 1000} s` : "No answer (network error)");
  }
}

/**
 * Get something that this server answers as JSON.
 *
 * @param {string} url
 * @param {AbortSignal} signal
 * @param {number} [timeoutMs]
 * @returns {Promise<any>} What came with a 200.
 * @throws {RequestError} No answer, or another one.
 * @throws {DOMException} `signal` was aborted.
 */
export async function getJson(url, signal, timeoutMs = 15_000) {
  const answer = await ask(url, { signal, timeoutMs });
  if (answer.status !== 200) throw refusal(answer);
  if (answer.body === undefined) throw new RequestError("An answer that is not JSON", { status: 200 });
  return answer.body;
}

/**
 * Send one request, with the access token if it is for this server.
 *
 * @param {string | URL} url
 * @param {Options} options
 * @returns {Promise<Response>} Whatever the status; its body has yet to come.
 */
export async function send(url, { command, waitSeconds, signal }) {
  const headers = { ...(command && headersOf(command)), ...(waitSeconds && { Prefer: `wait=${waitSeconds}` }), ...authorization(url) };
  const body = command && JSON.stringify(command.json);
  const response = await fetch(url, { method: command?.method ?? "GET", headers, body, credentials: "omit", signal });
  noteStatus(response.status);
  return response;
}

/**
 * Turn an unwelcome answer into an error whose message is its kind: the status, the problem's title, the place.
 *
 * @param {Omit<Answer, "headers">} answer
 * @returns {RequestError}
 */
export function refusal({ status, body, retryAfterMs }) {
  const place = body?.errors?.[0];
  const where = place?.pointer ?? place?.parameter;
  const parts = [`${status} ${body?.title ?? "without a reason"}`, where && `at ${where}`, place?.detail ?? body?.detail];
  const kind = parts.filter(Boolean).join(" ");
  return new RequestError(kind.slice(0, MAX_KIND_LENGTH), { status, retryAfterMs, detail: body?.detail });
}

const MEDIA_TYPES = { POST: "application/json", PATCH: "application/merge-patch+json", DELETE: "" };

/** @param {Command} command @returns {Record<string, string>} */
function headersOf({ method, idempotencyKey, expected }) {
  const type = MEDIA_TYPES[method];
  return { "Idempotency-Key": idempotencyKey, ...(type && { "Content-Type": type }), ...(expected && { "If-Match": `"${expected}"` }) };
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Only the form in seconds: the other one, a date, needs clocks that agree. @param {Response} response */
function retryAfterMs(response) {
  const header = response.headers.get("Retry-After");
  return header && /^\d+$/.test(header) ? Number(header) * 1000 : null;
}
