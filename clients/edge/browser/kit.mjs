// The kit that a program is given, and what of it the page reads.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { exit } from "node:process";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("index.html", import.meta.url));
const READ = ["kit.json", "golden/golden.csv", "model_uint8.tflite"];

/**
 * What is served of a kit: the page, and the files that it reads.
 * @param {string | undefined} folder of it; without one the program ends with exit code 2.
 * @param {string} usage of the program.
 * @returns {Record<string, string>} paths by their place in URLs.
 */
export function kitFiles(folder, usage) {
  if (folder === undefined || !existsSync(join(folder, "kit.json"))) {
    console.error(`usage: ${usage}, where KIT is a folder that keraport edge has written`);
    exit(2);
  }
  return { "/": PAGE, ...Object.fromEntries(READ.map((name) => [`/kit/${name}`, join(folder, name)])) };
}
