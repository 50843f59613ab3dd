/** Reads an event stream with `fetch`: unlike `EventSource` it can send an access token, and tells why it failed. */

import { RequestError, refusal, send } from "/client/page/http.js";

/** @typedef {{ data: string | null, retryMs: number | null }} StreamEvent `data` is null for a mere sign of life. */

/** There is an event a second. An instance that says nothing for so long is frozen, or cut off: another one will answer. */
const MAX_SILENCE_MS = 5_000;
/** One event has some ten kilobytes; beyond this it is no stream of ours. */
const MAX_WAITING = 1_000_000;

/**
 * @param {string} url
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<StreamEvent>} Ends when the server ends the stream.
 * @throws {RequestError} The server refuses, goes away, or falls silent.
 * @throws {DOMException} `signal` was aborted.
 */
export async function* readEvents(url, signal) {
  const silence = new AbortController();
  const either = AbortSignal.any([signal, silence.signal]);
  let timer = setTimeout(() => silence.abort(), MAX_SILENCE_MS);
  try {
    const response = await send(url, { signal: either });
    if (!response.ok || !response.body) throw await asRefusal(response);
    const reader = response.body.pipeThrough(new TextDecoderStream(), { signal: either }).getReader();
    const parser = new Parser();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), MAX_SILENCE_MS);
      yield* parser.take(chunk.value);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof RequestError) throw error;
    throw new RequestError(silence.signal.aborted ? `Silence for ${MAX_SILENCE_MS / 1000} s` : "No answer (network error)");
  } finally {
    clearTimeout(timer);
    silence.abort(); // whoever stops reading closes the connection
  }
}

/** @param {Response} response */
async function asRefusal(response) {
  const body = await response.json().catch(() => undefined);
  return refusal({ status: response.status, body, retryAfterMs: null });
}

/** Makes events of text that arrives in any pieces (the format is that of the HTML standard). */
class Parser {
  #waiting = "";

  /** @param {string} text @returns {StreamEvent[]} The events that are complete with it. */
  take(text) {
    const blocks = (this.#waiting + text).replaceAll("\r\n", "\n").split("\n\n");
    this.#waiting = blocks.pop() ?? "";
    if (this.#waiting.length > MAX_WAITING) throw new RequestError("A stream of something else than events");
    return blocks.map(asEvent);
  }
}

/** @param {string} block @returns {StreamEvent} */
function asEvent(block) {
  const lines = block.split("\n");
  const data = valuesOf(lines, "data");
  const retry = valuesOf(lines, "retry").at(-1);
  return { data: data.length ? data.join("\n") : null, retryMs: retry && /^\d+$/.test(retry) ? Number(retry) : null };
}

/** @param {string[]} lines @param {string} field */
function valuesOf(lines, field) {
  return lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).replace(/^ /, ""));
}
