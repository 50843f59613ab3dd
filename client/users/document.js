/** A document as JSON of which each field can be pointed at. */

import { make } from "/client/page/dom.js";

/**
 * @param {any} value
 * @param {string[]} [path]
 * @param {string} [indent]
 * @returns {(Node | string)[]} The text that `JSON.stringify(value, null, 2)` gives.
 */
export function fieldsOf(value, path = [], indent = "") {
  if (!isObject(value)) return [JSON.stringify(value, null, 2)];
  const inner = `${indent}  `;
  const lines = Object.entries(value).map(([name, each]) => {
    const here = [...path, name];
    const children = fieldsOf(each, here, inner);
    if (isObject(each)) return [inner, `${JSON.stringify(name)}: `, ...children];
    return [inner, make("span", { "data-field": here.join(".") }, make("button", { type: "button" }, JSON.stringify(name)), ": ", ...children)];
  });
  return ["{\n", ...lines.flatMap((line, at) => (at === 0 ? line : [",\n", ...line])), `\n${indent}}`];
}

/** @param {any} value An empty object is a value like any other. */
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.keys(value).length > 0;
}
