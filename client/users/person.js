/** Names of people, as far as they are known. */

/** @param {{ name?: { first?: string | null, last?: string | null } | null }} user A document of the read side. */
export function nameOf({ name }) {
  return [name?.first, name?.last].filter(Boolean).join(" ");
}
