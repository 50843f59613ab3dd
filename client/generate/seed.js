/** The seed: a readable name for a run. It makes the users, and marks every row of them. */

/** As the server has it. */
export const MAX_SEED_LENGTH = 100;

const QUALITIES = "amber brisk calm clear coral eager early fair fleet gentle golden keen light lucky mellow merry nimble proud quiet rapid ruby silver steady vivid".split(" ");
const ANIMALS = "badger bison crane dolphin falcon finch fox gecko hare heron ibex koala lemur lynx marten mole otter owl panda raven seal stork swift wren".split(" ");

/** @returns {string} Such as `amber-otter-417`. */
export function freshSeed() {
  return `${pick(QUALITIES)}-${pick(ANIMALS)}-${100 + randomBelow(900)}`;
}

/** @param {string[]} words */
function pick(words) {
  return words[randomBelow(words.length)];
}

/** @param {number} limit */
function randomBelow(limit) {
  return crypto.getRandomValues(new Uint32Array(1))[0] % limit;
}
