// Runs infer.c, compiled to WebAssembly, on a file of inputs: node run_wasm.mjs MODEL.wasm INPUTS OUTPUTS
import { readFileSync, writeFileSync } from "node:fs";

const [program, from, to] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(program));
const { memory, model_sizes, model_answer, model_input, model_output } = instance.exports;
const [input, output] = [model_sizes(0), model_sizes(1)];
const inputs = readFileSync(from);
const answers = new Uint8Array((inputs.length / input) * output);
for (let place = 0; place < inputs.length / input; place += 1) {
  new Uint8Array(memory.buffer, model_input(), input).set(inputs.subarray(place * input, (place + 1) * input));
  model_answer();
  answers.set(new Uint8Array(memory.buffer, model_output(), output), place * output);
}
writeFileSync(to, answers);
