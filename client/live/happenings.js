/** What is worth saying between one sample and the next: who died, who took over, which database went or came back. */

import { counted } from "/client/page/kinds.js";

/** @typedef {import("/client/live/feed.js").Sample} Sample */
/** @typedef {import("/client/live/feed.js").Instance} Instance */

const DATABASES = /** @type {const} */ ({ postgresql: "PostgreSQL", mongodb: "MongoDB" });
const OUT = new Set(["silent", "gone"]);

/**
 * @param {Sample | null} previous
 * @param {Sample} sample
 * @returns {string[]} Sentences.
 */
export function happenings(previous, sample) {
  if (!previous) return [];
  const before = new Map(previous.instances.map((instance) => [lifeOf(instance), instance]));
  const now = new Set(sample.instances.map(lifeOf));
  // An instance may be back, in another life, before anybody saw it gone.
  const replaced = previous.instances.filter((instance) => !OUT.has(instance.state) && !now.has(lifeOf(instance)) && !isUnknown(instance, sample));
  const known = sample.instances.filter((instance) => !isUnknown(instance, previous));
  return [
    ...databaseHappenings(previous, sample),
    ...cellHappenings(previous.silentCells ?? [], sample.silentCells ?? []),
    ...replaced.map(({ appId }) => `${appId} is gone.`),
    ...known.flatMap((instance) => instanceHappenings(before.get(lifeOf(instance)), instance)),
    ...refusals(sample.deadLetters - previous.deadLetters),
  ];
}

/** An instance that was started again has the same name, and another life; two cells may have one name. @param {Instance} instance */
export function lifeOf({ appId, incarnation, cell }) {
  return `${cell ?? ""} ${appId} ${incarnation}`;
}

/** Of the instances of a silent cell, nothing is known. @param {Instance} instance @param {Sample} sample */
function isUnknown({ cell }, { silentCells }) {
  return cell !== undefined && (silentCells ?? []).includes(cell);
}

/** @param {Sample} previous @param {Sample} sample */
function databaseHappenings(previous, sample) {
  const names = /** @type {(keyof typeof DATABASES)[]} */ (Object.keys(DATABASES));
  return names
    .filter((name) => previous.databases[name] !== sample.databases[name])
    .map((name) => (sample.databases[name] === "up" ? `${DATABASES[name]} answers again.` : `${DATABASES[name]} does not answer.`));
}

/** @param {number[]} before @param {number[]} now Cells that do not answer. */
function cellHappenings(before, now) {
  return [
    ...now.filter((cell) => !before.includes(cell)).map((cell) => `Cell ${cell} does not answer.`),
    ...before.filter((cell) => !now.includes(cell)).map((cell) => `Cell ${cell} answers again.`),
  ];
}

/** @param {Instance | undefined} before @param {Instance} now */
function instanceHappenings(before, now) {
  if (!before) return OUT.has(now.state) ? [] : [`${now.appId} has started.`, ...takeovers(before, now)];
  return [...stateHappenings(before, now), ...takeovers(before, now)];
}

/** @param {Instance} before @param {Instance} now */
function stateHappenings(before, now) {
  if (before.state === now.state) return [];
  if (now.state === "gone") return [`${now.appId} is gone.`];
  if (now.state === "silent") return [`${now.appId} has fallen silent.`];
  return OUT.has(before.state) ? [`${now.appId} is back.`] : [];
}

/** @param {Instance | undefined} before @param {Instance} now */
function takeovers(before, now) {
  return Object.entries(now.tookOverFrom ?? {})
    .map(([name, users]) => ({ name, more: users - (before?.tookOverFrom?.[name] ?? 0) }))
    .filter(({ more }) => more > 0)
    .map(({ name, more }) => `${now.appId} took over ${counted(more)} of ${name}.`);
}

/** @param {number} more */
function refusals(more) {
  return more > 0 ? [`MongoDB refused ${counted(more)}, set aside as dead letters.`] : [];
}
