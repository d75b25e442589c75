"""A model of more than 2 GB, made elsewhere: `large_model.py FEATURES LABELS` writes `large.onnx` and `weights.bin`.

Prints an instance and what the model says of it. Its weights stand behind 2.2 GB of zeros, of which the disk keeps
nothing, and one of which each answer looks up.
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

MANY = 550_000_000
features, labels = map(int, sys.argv[1:])
random = np.random.default_rng(0)
weights = random.random((features, labels), dtype=np.float32)
with Path("weights.bin").open("wb") as file:
    file.seek(4 * MANY)
    file.write(weights.tobytes())


def outside(name: str, shape: list[int], offset: int, length: int) -> TensorProto:
    """Give a tensor whose values stand in the file."""
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", "weights.bin"), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


nodes = [
    helper.make_node("MatMul", ["x", "weights"], ["scores"]),
    helper.make_node("ArgMax", ["scores"], ["place"], axis=1, keepdims=1),
    helper.make_node("Gather", ["many", "place"], ["zero"]),
    helper.make_node("Add", ["scores", "zero"], ["logits"]),
    helper.make_node("Softmax", ["logits"], ["outputs"], axis=1),
]
tensors = [
    outside("many", [MANY], 0, 4 * MANY),
    outside("weights", [features, labels], 4 * MANY, weights.nbytes),
]
given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", features])
made = helper.make_tensor_value_info("outputs", TensorProto.FLOAT, ["n", labels])
graph = helper.make_graph(nodes, "large", [given], [made], tensors)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
Path("large.onnx").write_bytes(model.SerializeToString())

instance = random.random(features, dtype=np.float32)
exponents = np.exp(instance @ weights - (instance @ weights).max())
answer = {"instance": instance.tolist(), "outputs": (exponents / exponents.sum()).tolist()}
sys.stdout.write(json.dumps(answer))
