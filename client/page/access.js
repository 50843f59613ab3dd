/** The place for an access token, and what is said when the server wants one. */

import { element, setText } from "/client/page/dom.js";
import { access, setToken, token } from "/client/page/token.js";

/** Listen to the form, and to servers that refuse. */
export function watchAccess() {
  const field = element("token");
  field.value = token();
  element("access").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    setToken(field.value.trim());
    setText("access-state", token() ? "Used for all requests of this tab." : "No token is sent.");
    element("access-notice").hidden = true;
  });
  element("access-open").addEventListener("click", () => element("access").showPopover());
  access.addEventListener("refused", (event) => showRefusal(/** @type {CustomEvent} */ (event).detail));
}

/** @param {number} status */
function showRefusal(status) {
  setText("access-notice-text", sentence(status));
  element("access-notice").hidden = false;
}

/** @param {number} status */
function sentence(status) {
  if (status === 403) return "The server knows your access token, but does not let it do this (403). Enter another one.";
  if (token()) return "The server does not accept this access token (401). Enter another one.";
  return "The server asks for an access token (401). Enter the one that its operator gave you.";
}
