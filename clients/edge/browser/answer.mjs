// Runs samples through a uint8 TFLite file under LiteRT.js in headless Chromium, and prints the releases:
// node answer.mjs MODEL INPUTS OUTPUTS
import { readFileSync, writeFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";

import { reason, withPage } from "./chromium.mjs";

const [model, inputs, outputs] = argv.slice(2);
const blank = fileURLToPath(new URL("blank.html", import.meta.url));
const runtime = new URL("node_modules/@litertjs/core/package.json", import.meta.url);

async function answerAll(page, browser) {
  const answers = await page.evaluate(async () => {
    const { answer, fetched, openModel } = await import("/dist/model.js");
    const inputs = new Uint8Array(await (await fetched("/inputs")).arrayBuffer());
    return [...(await answer(await openModel("/model.tflite"), inputs))];
  });
  writeFileSync(outputs, Uint8Array.from(answers));
  const { version } = JSON.parse(readFileSync(runtime));
  console.log(JSON.stringify({ browser: `Chromium ${browser.version()}`, runtime: `LiteRT.js ${version}` }));
}

try {
  await withPage({ "/": blank, "/model.tflite": model, "/inputs": inputs }, answerAll);
} catch (error) {
  console.error(reason(error));
  exit(1);
}
