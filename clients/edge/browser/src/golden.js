// The golden vectors of a kit, as the uint8 file takes and returns them.
const SHIFT = 128; // between the numbers of the int8 file, which the vectors hold, and the uint8 file's

/** A number of the int8 file as one of the uint8 file. */
function shifted(text) {
  const number = Number(text) + SHIFT;
  if (!/^-?\d{1,3}$/.test(text ?? "") || number < 0 || number > 255) throw new Error("golden.csv is damaged");
  return number;
}

/**
 * Read golden.csv.
 * @param {string} text of the file.
 * @returns {{count: number, inputs: Uint8Array, outputs: Uint8Array, classes: boolean}} all inputs and outputs, one
 *   after the other, and whether the outputs score classes.
 */
export function readGolden(text) {
  const [head, ...rows] = text.trimEnd().split("\n").map((line) => line.split(","));
  const columns = (name) => head.flatMap((column, place) => (column.startsWith(`${name}_`) ? [place] : []));
  const numbers = (places) => Uint8Array.from(rows.flatMap((row) => places.map((place) => shifted(row[place]))));
  if (rows.length === 0) throw new Error("golden.csv holds no vector");
  return {
    count: rows.length,
    inputs: numbers(columns("input")),
    outputs: numbers(columns("output")),
    classes: head.includes("expected"),
  };
}

/**
 * Compare answers with golden ones.
 * @param {Uint8Array} found one after the other.
 * @param golden of readGolden.
 * @returns {{differing: number, step: number, same: boolean[]}} bytes that differ, by how much at most, and whether
 *   the highest output of each vector is the golden one; of models without classes nothing.
 */
export function compare(found, golden) {
  if (found.length !== golden.outputs.length) {
    throw new Error(`the model answers ${found.length} numbers, golden.csv has ${golden.outputs.length}`);
  }
  const width = golden.outputs.length / golden.count;
  const steps = [...golden.outputs.keys()].map((place) => Math.abs(found[place] - golden.outputs[place]));
  const highest = (numbers, vector) => {
    const row = numbers.subarray(vector * width, (vector + 1) * width);
    return row.indexOf(Math.max(...row));
  };
  return {
    differing: steps.filter((step) => step > 0).length,
    step: Math.max(...steps),
    same: golden.classes
      ? Array.from({ length: golden.count }, (_, vector) => highest(found, vector) === highest(golden.outputs, vector))
      : [],
  };
}
