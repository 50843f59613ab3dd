/** Whoever waits is told so: "Searching…" alone says nothing once it has stood there for ten seconds. */

const SLOW_MS = 2_000;

/**
 * Wait for an answer, and say so if it does not come soon.
 *
 * @template Result
 * @param {Promise<Result>} answer
 * @param {() => void} say Called once, after two seconds without an answer.
 * @returns {Promise<Result>}
 */
export async function unlessSlow(answer, say) {
  const timer = setTimeout(say, SLOW_MS);
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}
