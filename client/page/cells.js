/** Cells that did not answer, where there are several: what is shown leaves out what is theirs. */

/**
 * @param {number[] | undefined} cells
 * @returns {string} Who does not answer, as the beginning of a sentence; nothing where all do.
 */
export function silentOnes(cells) {
  if (!cells?.length) return "";
  return cells.length === 1 ? `Cell ${cells[0]} does not answer` : `Cells ${cells.join(", ")} do not answer`;
}

/**
 * @param {number[] | undefined} cells
 * @returns {string} A sentence, or nothing.
 */
export function silenceOf(cells) {
  const those = silentOnes(cells);
  return those && `${those}: what is shown may leave out what is there.`;
}
