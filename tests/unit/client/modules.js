/** For Node.js: lets tests import the page's modules by the addresses that a browser uses, `/client/...`. */

import { registerHooks } from "node:module";

const client = new URL("../../../client/", import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    const inClient = specifier.startsWith("/client/");
    return next(inClient ? new URL(specifier.slice("/client/".length), client).href : specifier, context);
  },
});
