// Runs samples through a uint8 TFLite file under LiteRT.js in headless Chromium, and prints the releases:
// node answer.mjs MODEL INPUTS OUTPUTS
// Exit code 3 if the model cannot be run, 1 if the browser does not work.
import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";

import { reason, withPage } from "./chromium.mjs";

const [model, inputs, outputs] = argv.slice(2);
const blank = fileURLToPath(new URL("blank.html", import.meta.url));
const runtime = new URL("node_modules/@litertjs/core/package.json", import.meta.url);

async function answerAll(page, browser) {
  const { answers, failure } = await page.evaluate(async () => {
    const { answer, fetched, openModel } = await import("/dist/model.js");
    const inputs = new Uint8Array(await (await fetched("/inputs")).arrayBuffer());
    let answers;
    try {
      answers = await answer(await openModel("/model.tflite"), inputs);
    } catch (error) {
      return { failure: error.message };
    }
    // As a text: an array of numbers would travel as millions of JSON values.
    const reader = new FileReader();
    await new Promise((resolve) => {
      reader.onload = resolve;
      reader.readAsDataURL(new Blob([answers]));
    });
    return { answers: reader.result.slice(reader.result.indexOf(",") + 1) };
  });
  if (failure !== undefined) {
    console.error(failure);
    return 3;
  }
  writeFileSync(outputs, Buffer.from(answers, "base64"));
  const { version } = JSON.parse(readFileSync(runtime));
  console.log(JSON.stringify({ browser: `Chromium ${browser.version()}`, runtime: `LiteRT.js ${version}` }));
  return 0;
}

try {
  exit(await withPage({ "/": blank, "/model.tflite": model, "/inputs": inputs }, answerAll));
} catch (error) {
  console.error(reason(error));
  exit(1);
}
