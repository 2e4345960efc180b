// Serves a page, the runtime and a model's files on loopback.
import { createReadStream, existsSync, lstatSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const WASM = join(HERE, "node_modules", "@litertjs", "core", "wasm");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };
const HEADERS = {
  "Cache-Control": "no-store",
  // Everything comes from here, and nothing else may be asked for anything.
  "Content-Security-Policy":
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'unsafe-inline'; img-src data:",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};
// One pair for processors with relaxed SIMD, one for the others: which, LiteRT.js finds out.
const RUNTIME = ["litert_wasm_internal", "litert_wasm_compat_internal"].flatMap((name) => [`${name}.js`, `${name}.wasm`]);

/** What is served beside a caller's files: nothing else can be asked for. */
const OWN = {
  "/dist/page.js": join(HERE, "dist", "page.js"),
  "/dist/model.js": join(HERE, "dist", "model.js"),
  ...Object.fromEntries(RUNTIME.map((name) => [`/wasm/${name}`, join(WASM, name)])),
};

/**
 * Serve on 127.0.0.1.
 * @param {Record<string, string>} files paths of further files by their place in URLs; "/" is the page.
 * @param {number} port 0 takes any free one.
 * @returns {Promise<{url: string, close: () => void}>}
 */
export async function serve(files, port = 0) {
  if (!Object.values(OWN).every((path) => existsSync(path))) {
    throw new Error("the page's packages are not installed: npm ci && npm run build");
  }
  const served = new Map(Object.entries({ ...OWN, ...files }));
  const hosts = new Set();
  const server = createServer((request, response) => {
    const path = served.get(request.url.split("?", 1)[0]);
    // Another name than this machine's own leads here from a page of somebody else's; a link, out of a kit.
    const known = hosts.has(request.headers.host) && request.method === "GET" && path !== undefined;
    if (!known || !lstatSync(path, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...HEADERS, "Content-Type": TYPES[extname(path)] ?? "application/octet-stream" });
    createReadStream(path).on("error", () => response.destroy()).pipe(response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  const taken = server.address().port;
  for (const name of ["127.0.0.1", "localhost"]) hosts.add(`${name}:${taken}`);
  return { url: `http://127.0.0.1:${taken}/`, close: () => (server.closeAllConnections(), server.close()) };
}
