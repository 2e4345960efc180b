// Serves the page, the runtime and a model's files on loopback: node serve.mjs KIT [PORT]
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const WASM = join(HERE, "node_modules", "@litertjs", "core", "wasm");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };
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
 * @param {Record<string, string>} files paths of further files by their place in URLs.
 * @param {number} port 0 takes any free one.
 * @returns {Promise<{url: string, close: () => void}>}
 */
export async function serve(files, port = 0) {
  const served = new Map(Object.entries({ ...OWN, ...files }));
  const server = createServer((request, response) => {
    const path = served.get(new URL(request.url, "http://localhost").pathname);
    if (request.method !== "GET" || path === undefined || !existsSync(path)) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("Content-Type", TYPES[extname(path)] ?? "application/octet-stream");
    response.setHeader("Cache-Control", "no-store");
    createReadStream(path).on("error", () => response.destroy()).pipe(response);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.closeAllConnections() ?? server.close() };
}

/** The page, and the files of a kit that it reads. */
export function kitFiles(folder) {
  const names = ["kit.json", "golden/golden.csv", "model_uint8.tflite"];
  return { "/": join(HERE, "index.html"), ...Object.fromEntries(names.map((name) => [`/kit/${name}`, join(folder, name)])) };
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const [kit, port = "0"] = argv.slice(2);
  if (kit === undefined || !existsSync(join(kit, "kit.json"))) {
    console.error("usage: npm start -- KIT [PORT], where KIT is a folder that keraport edge has written");
    exit(2);
  }
  const { url } = await serve(kitFiles(kit), Number(port));
  console.log(`${url} shows the golden vectors of ${kit}; Ctrl-C ends it`);
}
