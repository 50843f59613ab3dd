/** Commands that this tab has sent, for whoever looks at their steps. A reload forgets them. */

/**
 * @typedef {object} Sent
 * @property {"POST" | "PATCH" | "DELETE"} method
 * @property {string} url
 * @property {string} idempotencyKey
 * @property {unknown} [json]
 * @property {number} [expected] The version in `If-Match`.
 * @property {number} at By this browser's clock, in milliseconds since 1970.
 * @property {number} answeredMs How long the answer took.
 */

const MAX_KNOWN = 50;

/** @type {Map<string, Sent>} */
const known = new Map();

/** @param {string} id @param {number} version Which the command made. @param {Sent} sent */
export function remember(id, version, sent) {
  if (known.size === MAX_KNOWN) known.delete([...known.keys()][0]);
  known.set(`${id} ${version}`, sent);
}

/** @param {string} id @param {number} version @returns {Sent | undefined} */
export function sentOf(id, version) {
  return known.get(`${id} ${version}`);
}
