/** The idempotency key of a user: made of its run and its number, so that it is created once, however often it is sent. */

/* FNV-1a of 128 bits. `crypto.subtle` is hidden from pages that come by plain http from another host. */
const OFFSET = 0x6c62272e07bb014262b821756295c58dn;
const PRIME = 0x0000000001000000000000000000013bn;
const ALL_BITS = (1n << 128n) - 1n;

/**
 * The seed may have characters that a header may not, and more of them: its hash stands for it.
 *
 * @param {string} seed
 * @param {number} number Which user of the run, from 1.
 */
export function keyOf(seed, number) {
  return `page-${hashOf(seed)}-${number}`;
}

/** @type {{ seed: string, hash: string } | null} A run has thousands of users, and one seed. */
let last = null;

/** @param {string} seed */
function hashOf(seed) {
  if (last?.seed !== seed) {
    const hash = new TextEncoder().encode(seed).reduce((before, byte) => ((before ^ BigInt(byte)) * PRIME) & ALL_BITS, OFFSET);
    last = { seed, hash: hash.toString(16).padStart(32, "0") };
  }
  return last.hash;
}
