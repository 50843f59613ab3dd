/** Round numbers for the axes of a chart. */

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800];
const LEVELS = [1, 2, 4, 5, 10];

/** @param {number} highest More than 0. @returns {number} The next round number that is not below it. */
export function maximumTick(highest) {
  const power = 10 ** Math.floor(Math.log10(highest));
  return power * (LEVELS.find((level) => level * power >= highest) ?? 10);
}

/** @param {number} top @returns {number[]} From 0 to the top. */
export function ticks(top) {
  return [0, top / 2, top];
}

/** @param {number} seconds @param {number} room How many labels there is room for. @returns {number} Seconds from label to label. */
export function timeStep(seconds, room) {
  return TIME_STEPS.find((step) => seconds / step <= room) ?? Math.ceil(seconds / room);
}
