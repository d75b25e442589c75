"""What one would write without a template: `naive.py MODEL PORT`, the same model behind FastAPI alone.

Runs inside the generated project's own environment. MODEL is the folder of a version of its registry. As FastAPI's own
documentation has it, a function that blocks is a plain `def`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

folder, port = Path(sys.argv[1]), int(sys.argv[2])
card = json.loads((folder / "model.json").read_text("utf-8"))
session = ort.InferenceSession(folder / "model.onnx")
(INPUT,) = (one.name for one in session.get_inputs())
app = FastAPI()


class Asked(BaseModel):
    instances: list[list[float]]


class Prediction(BaseModel):
    label: str
    confidence: float
    probabilities: list[float]


class Answer(BaseModel):
    predictions: list[Prediction]


@app.get("/readyz")
def ready() -> None:
    """Tell that it listens."""


@app.post("/v1/predict")
def predict(asked: Asked) -> Answer:
    rows = np.asarray(asked.instances, dtype=np.float32)
    outputs: Any = session.run([card["output"]], {INPUT: rows})[0]
    return Answer(
        predictions=[
            Prediction(label=card["labels"][row.argmax()], confidence=row.max(), probabilities=row.tolist())
            for row in outputs
        ]
    )


uvicorn.run(app, port=port, log_level="error")
