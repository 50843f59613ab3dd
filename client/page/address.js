/** The address bar says what the page shows, so that it can be reloaded, kept and sent to somebody else. */

/** @typedef {"live" | "users" | "follow" | "runs" | "letters" | "race" | "tour"} ViewName */
/** @typedef {{ view: ViewName, parameters: URLSearchParams }} Place */

const VIEWS = new Set(["live", "users", "follow", "runs", "letters", "race", "tour"]);

/** @returns {Place} Where the page is. */
export function here() {
  const parameters = new URL(location.href).searchParams;
  const view = parameters.get("view") ?? "live";
  return { view: /** @type {ViewName} */ (VIEWS.has(view) ? view : "live"), parameters };
}

/**
 * The address of a view.
 *
 * @param {ViewName} view
 * @param {Record<string, string>} [parameters] Those that are empty are left out.
 */
export function addressOf(view, parameters = {}) {
  const query = new URLSearchParams(view === "live" ? {} : { view });
  for (const [name, value] of Object.entries(parameters)) if (value) query.set(name, value);
  return query.size ? `/?${query}` : "/";
}

/** Change the address without leaving a step behind to go back to. @param {string} address */
export function replaceAddress(address) {
  history.replaceState(null, "", address);
}

/** @type {() => void} */
let arrive = () => {};

/** Go to another view. @param {string} address */
export function go(address) {
  history.pushState(null, "", address);
  arrive();
}

/**
 * Follow the page's own links without loading it again: a run in this page goes on meanwhile.
 *
 * @param {() => void} onArrival Called after each step, forward or back.
 */
export function followLinks(onArrival) {
  arrive = onArrival;
  addEventListener("popstate", arrive);
  document.addEventListener("click", (event) => {
    const link = /** @type {Element} */ (event.target).closest("a");
    if (!link || event.defaultPrevented || !isPlainClick(event) || link.origin !== location.origin || link.pathname !== "/" || link.hash) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

/** Whoever holds a key down wants another tab or window. @param {MouseEvent} event */
export function isPlainClick(event) {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}
