import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const CLIENT = new URL("../../../client/", import.meta.url);
/** Without comments, which are a quarter of it. Nothing is compressed or packed: what is written is what is sent. */
const MAX_BYTES = 300_000;
const COMMENTS = /\/\*[^]*?\*\/|<!--[^]*?-->|^\s*\/\/.*$/gm;

test("all that a browser loads of the page stays small", () => {
  const files = readdirSync(CLIENT, { recursive: true, encoding: "utf8" }).filter((name) => /\.\w+$/.test(name));
  assert.ok(files.includes("index.html") && files.length > 40);
  const bytes = files.map((name) => Buffer.byteLength(readFileSync(new URL(name, CLIENT), "utf8").replace(COMMENTS, "").replace(/^\s*\n/gm, "")));
  const total = bytes.reduce((sum, each) => sum + each);
  assert.ok(total < MAX_BYTES, `${total} bytes`);
});
