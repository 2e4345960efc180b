// A page in headless Chromium, everything on it served from here.
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { env, exit, getuid } from "node:process";
import { chromium } from "playwright-core";

import { serve } from "./serve.mjs";

// The browser, too, asks nobody: no name leads anywhere.
const QUIET = [
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
const { config } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));

// A pipe that ends with whoever started this program: the browser must not outlive it.
if (env.LIFELINE !== undefined) {
  new Socket({ fd: Number(env.LIFELINE), readable: true, writable: false }).on("close", () => exit(1)).resume().unref();
}

/** What an error says in one line: where the browser does not even start, its own last word. */
export function reason(error) {
  const lines = error.message.split("\n");
  return lines.find((line) => line.includes("FATAL")) ?? lines[0];
}

/** The browser's program: CHROMIUM, or the first of the known ones that is installed. */
function program() {
  const folders = (env.PATH ?? "").split(delimiter);
  const known = config.browsers.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = env.CHROMIUM || known.find(runs);
  if (found === undefined) throw new Error(`none of ${config.browsers.join(", ")} is installed: make tools-edge`);
  return found;
}

function runs(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Open a page, use it, and end the browser.
 * @param {Record<string, string>} files what is served, by its place in URLs; "/" is the page.
 * @param {(page, browser) => Promise<T>} use of the page once it is loaded.
 * @returns {Promise<T>} what `use` returns.
 * @template T
 */
export async function withPage(files, use) {
  const server = await serve(files);
  const scratch = mkdtempSync(join(tmpdir(), "kp-"));
  env.TMPDIR = scratch; // a browser that does not start leaves its profile behind
  try {
    // The sandbox of Chromium does not start for root.
    const options = { executablePath: program(), args: QUIET, chromiumSandbox: getuid?.() !== 0 };
    const browser = await chromium.launch(options);
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      return await use(page, browser);
    } finally {
      await browser.close();
    }
  } finally {
    server.close();
    rmSync(scratch, { recursive: true, force: true });
  }
}
