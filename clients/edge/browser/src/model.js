// A TFLite file of one input and one output, both uint8, under LiteRT.js on the processor.
import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

/**
 * Fetch what is served beside the page.
 * @param {string} path of it.
 * @returns {Promise<Response>}
 */
export async function fetched(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} is not served (${response.status})`);
  return response;
}

/**
 * Load a model; its runtime comes from where this page does.
 * @param {string} path of the file.
 */
export async function openModel(path) {
  const content = new Uint8Array(await (await fetched(path)).arrayBuffer());
  await loadLiteRt("/wasm/");
  return loadAndCompile(content, { accelerator: "wasm" });
}

/**
 * Run samples one by one, as the batch of the file is 1.
 * @param model of openModel.
 * @param {Uint8Array} inputs samples, one after the other.
 * @returns {Promise<Uint8Array>} their outputs, likewise.
 */
export async function answer(model, inputs) {
  const shape = [...model.getInputDetails()[0].shape];
  const size = shape.reduce((product, count) => product * count, 1);
  const outputs = [];
  for (let start = 0; start < inputs.length; start += size) {
    const input = new Tensor(inputs.slice(start, start + size), shape);
    const [output] = await model.run([input]);
    outputs.push(output.toTypedArray());
    input.delete();
    output.delete();
  }
  const joined = new Uint8Array(outputs.reduce((total, output) => total + output.length, 0));
  outputs.reduce((place, output) => (joined.set(output, place), place + output.length), 0);
  return joined;
}
