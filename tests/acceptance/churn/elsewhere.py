"""A model made elsewhere: `elsewhere.py CUSTOMERS.onnx`. It knows nothing of the service, nor of the names of its columns."""

import sys
from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

random = np.random.default_rng(0)
numbers = random.random((200, 9)).astype(object)
texts = random.choice(["basic", "card", "Bern"], (200, 3)).astype(object)
rows = np.hstack([numbers, texts])
columns = ColumnTransformer(
    [
        ("numbers", "passthrough", [3]),
        ("texts", OneHotEncoder(handle_unknown="ignore"), [9, 10, 11]),
    ]
)
pipeline = make_pipeline(columns, LogisticRegression()).fit(rows, rows[:, 3] > 0.5)
inputs = [("numbers", FloatTensorType([None, 9])), ("texts", StringTensorType([None, 3]))]
# Its probabilities are maps, as skl2onnx makes them where nothing else is said.
model = to_onnx(pipeline, initial_types=inputs, target_opset=21)
Path(sys.argv[1]).write_bytes(model.SerializeToString())
