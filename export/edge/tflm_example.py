"""`tflm/main.cc`: the int8 file under TensorFlow Lite Micro, with the resolver that it needs and no more."""

from pathlib import Path

from export.edge.c_text import c_comment
from export.edge.subject import Subject

# Names that capitals alone do not give: BATCH_MATMUL is added by AddBatchMatMul.
IRREGULAR = {
    "BATCH_MATMUL": "BatchMatMul",
    "CUMSUM": "CumSum",
    "PADV2": "PadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "UnidirectionalSequenceLSTM",
}

EXAMPLE = """\
// {title} under TensorFlow Lite Micro: the golden vectors, and how many bytes differ.
// Build it with the runtime's own sources and {sources}.
#include <cstdint>
#include <cstring>

#include "../golden/golden.h"
#include "../model_data.h"
#include "../model_settings.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_log.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/micro/system_setup.h"
#include "tensorflow/lite/schema/schema_generated.h"

#if GOLDEN_HAS_PIXELS
#include "../preprocess.h"
#endif

namespace {{

alignas(16) uint8_t arena[MODEL_TFLM_ARENA_BYTES];

// Exactly the operators of the model: every further one costs flash.
using Resolver = tflite::MicroMutableOpResolver<{count}>;

TfLiteStatus RegisterOperators(Resolver& resolver) {{
{operators}
  return kTfLiteOk;
}}

int Differing(const int8_t* found, const int8_t* expected, int count) {{
  int total = 0;
  for (int place = 0; place < count; ++place) {{
    total += found[place] != expected[place];
  }}
  return total;
}}

}}  // namespace

int main() {{
  tflite::InitializeTarget();
  const tflite::Model* model = tflite::GetModel(model_data);
  if (model->version() != TFLITE_SCHEMA_VERSION) {{
    MicroPrintf("the model has schema version %d, this runtime reads %d", static_cast<int>(model->version()),
                TFLITE_SCHEMA_VERSION);
    return 1;
  }}
  static Resolver resolver;
  if (RegisterOperators(resolver) != kTfLiteOk) {{
    MicroPrintf("an operator could not be registered");
    return 1;
  }}
  static tflite::MicroInterpreter interpreter(model, resolver, arena, MODEL_TFLM_ARENA_BYTES);
  if (interpreter.AllocateTensors() != kTfLiteOk) {{
    MicroPrintf("an arena of %d bytes is too small, or this runtime lacks an operator or a version of one",
                MODEL_TFLM_ARENA_BYTES);
    return 1;
  }}
  MicroPrintf("%d of %d bytes of the arena are used", static_cast<int>(interpreter.arena_used_bytes()),
              MODEL_TFLM_ARENA_BYTES);
  int8_t* input = interpreter.input(0)->data.int8;
  const int8_t* output = interpreter.output(0)->data.int8;
  int inputs = 0, outputs = 0;
  for (int vector = 0; vector < GOLDEN_COUNT; ++vector) {{
#if GOLDEN_HAS_PIXELS
    model_input_from_pixels(golden_pixels[vector], input);
    inputs += Differing(input, golden_input[vector], MODEL_INPUT_BYTES);
#endif
    std::memcpy(input, golden_input[vector], MODEL_INPUT_BYTES);
    if (interpreter.Invoke() != kTfLiteOk) {{
      MicroPrintf("vector %d cannot be run", vector);
      return 1;
    }}
    outputs += Differing(output, golden_output[vector], MODEL_OUTPUT_BYTES);
  }}
  if (GOLDEN_HAS_PIXELS) {{
    MicroPrintf("%d of %d input bytes differ", inputs, GOLDEN_COUNT * MODEL_INPUT_BYTES);
  }}
  MicroPrintf("%d of %d output bytes differ", outputs, GOLDEN_COUNT * MODEL_OUTPUT_BYTES);
  return inputs + outputs != 0;
}}
"""


def write_tflm_example(subject: Subject, folder: Path) -> None:
    """Write the example."""
    names = [method_name(operator.name) for operator in subject.operators]
    calls = "\n".join(f"  TF_LITE_ENSURE_STATUS(resolver.Add{name}());" for name in names)
    sources = "model_data.c and preprocess.c" if subject.pixels else "model_data.c"
    text = EXAMPLE.format(title=c_comment(subject.title), sources=sources, count=len(names), operators=calls)
    (folder / "tflm").mkdir()
    (folder / "tflm" / "main.cc").write_text(text, encoding="ascii", errors="replace")


def method_name(operator: str) -> str:
    """What follows `Add` in the name of the resolver's method of a TFLite operator."""
    parts = [part if part[:1].isdigit() else part.capitalize() for part in operator.split("_")]
    return IRREGULAR.get(operator, "".join(parts))
