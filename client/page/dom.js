/** What the page's parts do to the document. Texts go in as text, never as markup. */

/** @typedef {Node | string | null | undefined | false} Child */

/** @param {string} id @returns {any} The element, which is in `index.html`. */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no element "${id}"`);
  return found;
}

/**
 * Make an element.
 *
 * @param {string} name
 * @param {Record<string, string | number | null>} [attributes] Those that are null are left out.
 * @param {...Child} children What is empty is left out.
 * @returns {any}
 */
export function make(name, attributes = {}, ...children) {
  return fillElement(document.createElement(name), attributes, children);
}

/** @param {string} id @param {(event: MouseEvent) => void} act */
export function onClick(id, act) {
  element(id).addEventListener("click", act);
}

const SVG = "http://www.w3.org/2000/svg";

/** The same for a part of a drawing. @param {string} name @param {Record<string, string | number | null>} [attributes] @param {...Child} children @returns {any} */
export function draw(name, attributes = {}, ...children) {
  return fillElement(document.createElementNS(SVG, name), attributes, children);
}

/** Write only what has changed: an untouched text costs no layout. @param {string | Element} where @param {string} text */
export function setText(where, text) {
  const node = typeof where === "string" ? element(where) : where;
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Give a list one child for each item, and keep the child of an item that stays: the keyboard's focus stays with it.
 *
 * @template Item
 * @param {Element} list
 * @param {Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => any} makeChild
 * @param {(child: any, item: Item) => void} update
 */
export function keep(list, items, keyOf, makeChild, update) {
  const old = new Map([...list.children].map((child) => [/** @type {HTMLElement} */ (child).dataset.key, child]));
  const children = items.map((item) => {
    const key = keyOf(item);
    const child = old.get(key) ?? makeChild(item);
    child.dataset.key = key;
    update(child, item);
    return child;
  });
  const same = children.length === list.children.length && children.every((child, at) => child === list.children[at]);
  if (!same) list.replaceChildren(...children);
}

/** @param {Element} made @param {Record<string, string | number | null>} attributes @param {Child[]} children */
function fillElement(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, String(value));
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child || child === "")));
  return made;
}
