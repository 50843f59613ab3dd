/** Sends in a thread of its own, so that drawing and sending do not wait for each other. */

import { Sending } from "/client/generate/sending.js";
import { access, tellToken } from "/client/page/token.js";

/** @typedef {{ order: import("/client/generate/run.js").Order, lastCreatedMs: number, randomuserUrl: string, token: string }} Begin */
/** @typedef {{ begin: Begin } | { token: string } | "pause" | "resume" | "stop" | "abandon"} Told */
/** @typedef {{ sent: import("/client/generate/sending.js").Sent, isOver: boolean } | { refusedAccess: number }} Tells */

/** Four times a second: who reads a number needs no more, and each message costs both threads. */
const TELL_MS = 250;

/** @type {Sending | null} */
let sending = null;

addEventListener("message", ({ data }) => hear(data));
access.addEventListener("refused", (event) => tell({ refusedAccess: /** @type {CustomEvent} */ (event).detail }));

/** @param {Told} told */
function hear(told) {
  if (typeof told === "object") tellToken("begin" in told ? told.begin.token : told.token);
  if (typeof told === "object" && "begin" in told) begin(told.begin);
  if (told === "pause") sending?.pace.pause();
  if (told === "resume") sending?.pace.resume();
  if (told === "stop") sending?.stop();
  if (told === "abandon") sending?.abandon();
}

/** @param {Begin} wanted */
async function begin({ order, lastCreatedMs, randomuserUrl }) {
  const begun = new Sending(order, lastCreatedMs, randomuserUrl);
  sending = begun;
  const timer = setInterval(() => tell({ sent: begun.sent, isOver: false }), TELL_MS);
  await begun.start();
  clearInterval(timer);
  tell({ sent: begun.sent, isOver: true });
}

/** @param {Tells} message */
function tell(message) {
  postMessage(message);
}
