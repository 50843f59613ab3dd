/** Cells that did not answer, where there are several: what is shown leaves out what is theirs. */

/**
 * @param {number[] | undefined} cells
 * @returns {string} A sentence, or nothing.
 */
export function silenceOf(cells) {
  if (!cells?.length) return "";
  const those = cells.length === 1 ? "Cell" : "Cells";
  return `${those} ${cells.join(", ")} ${cells.length === 1 ? "does" : "do"} not answer: what is shown may leave out what is there.`;
}
