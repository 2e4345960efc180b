// The page: runs a kit's golden vectors through its uint8 model, and shows which answers are the same.
import { compare, readGolden } from "./golden.js";
import { answer, fetched, openModel } from "./model.js";

const ROUNDING = 16; // steps of an output without classes, more than other kernels' rounding adds up to
const status = document.getElementById("status");

/** Draw a sample of height x width pixels, grey or in colours. */
function drawing(pixels, [height, width, channels]) {
  const canvas = Object.assign(document.createElement("canvas"), { height, width });
  const colours = Uint8ClampedArray.from({ length: height * width * 4 }, (_, place) =>
    place % 4 === 3 ? 255 : pixels[Math.floor(place / 4) * channels + (channels === 3 ? place % 4 : 0)],
  );
  canvas.getContext("2d").putImageData(new ImageData(colours, width, height), 0, 0);
  return canvas;
}

function show(kit, golden, result) {
  const [, ...shape] = kit.input.shape;
  const size = golden.inputs.length / golden.count;
  if (shape.length !== 3 || ![1, 3].includes(shape[2])) return;
  for (let vector = 0; vector < golden.count; vector += 1) {
    const canvas = drawing(golden.inputs.subarray(vector * size, (vector + 1) * size), shape);
    const differs = result.same[vector] === false;
    canvas.classList.toggle("differs", differs);
    canvas.title = differs ? "another class" : "";
    document.getElementById("vectors").append(canvas);
  }
}

try {
  const kit = await (await fetched("/kit/kit.json")).json();
  document.getElementById("title").textContent = `${kit.model} version ${kit.version} in this browser`;
  const golden = readGolden(await (await fetched("/kit/golden/golden.csv")).text());
  const found = await answer(await openModel("/kit/model_uint8.tflite"), golden.inputs);
  const result = compare(found, golden);
  const others = result.same.filter((same) => !same).length;
  show(kit, golden, result);
  const classes = golden.classes ? `${others} of ${golden.count} classes differ; ` : "";
  status.textContent =
    `${classes}${result.differing} of ${golden.outputs.length} bytes differ, by at most ${result.step}`;
  const differs = golden.classes ? others > 0 : result.step > ROUNDING;
  document.documentElement.dataset.outcome = differs ? "differs" : "same";
} catch (error) {
  status.textContent = `failed: ${error.message}`;
  document.documentElement.dataset.outcome = "failed";
}
