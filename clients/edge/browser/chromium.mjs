// A page in headless Chromium, everything on it served from here.
import { Socket } from "node:net";
import { env, exit, getuid } from "node:process";
import { chromium } from "playwright-core";

import { serve } from "./serve.mjs";

export const PROGRAM = env.CHROMIUM ?? "/usr/bin/chromium";
const QUIET = ["--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update"];

// A pipe that ends with whoever started this program: the browser must not outlive it.
if (env.LIFELINE !== undefined) {
  new Socket({ fd: Number(env.LIFELINE), readable: true, writable: false }).on("close", () => exit(1)).resume().unref();
}

/** What an error says in one line: where the browser does not even start, its own last word. */
export function reason(error) {
  const lines = error.message.split("\n");
  return lines.find((line) => line.includes("FATAL")) ?? lines[0];
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
  try {
    // The sandbox of Chromium does not start for root.
    const browser = await chromium.launch({ executablePath: PROGRAM, args: QUIET, chromiumSandbox: getuid?.() !== 0 });
    try {
      const page = await browser.newPage();
      await page.goto(server.url);
      return await use(page, browser);
    } finally {
      await browser.close();
    }
  } finally {
    server.close();
  }
}
