// Runs infer.c, compiled to WebAssembly, on a file of inputs: node run_wasm.mjs MODEL.wasm INPUTS OUTPUTS
import { readFileSync, writeFileSync } from "node:fs";

const [program, from, to] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(program));
const { memory, size_of, answer, input_place, output_place } = instance.exports;
const [input, output] = [size_of(0), size_of(1)];
const inputs = readFileSync(from);
const answers = new Uint8Array((inputs.length / input) * output);
for (let place = 0; place < inputs.length / input; place += 1) {
  new Uint8Array(memory.buffer, input_place(), input).set(inputs.subarray(place * input, (place + 1) * input));
  answer();
  answers.set(new Uint8Array(memory.buffer, output_place(), output), place * output);
}
writeFileSync(to, answers);
