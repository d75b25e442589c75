@dataclass(frozen=True, slots=True)
class Encoder:
    """A vector for each word; a text is the sum of its words, at a length of 1."""

    words: list[str]
    # The first row is of what fills up a text, the second of every unknown word.
    table: Array

    @classmethod
    def of(cls, words: list[str], vectors: Array) -> Self:
        """The encoder that knows these words."""
        filling = np.zeros_like(vectors[:1])
        return cls(words, np.vstack([filling, vectors.mean(axis=0, keepdims=True), vectors]))

    def ids(self, batch: Batch) -> npt.NDArray[np.int64]:
        """The rows of the table."""
        places = {"": 0} | {word: place for place, word in enumerate(self.words, 2)}
        rows = batch.tensors[task.INPUT].tolist()
        return np.asarray([[places.get(word, 1) for word in row] for row in rows])

    def to_onnx(self) -> bytes:
        """The encoder in one file, its words included: they cannot come apart."""
        places, width = list(range(2, len(self.words) + 2)), self.table.shape[1]
        nodes = [
            helper.make_node(
                "LabelEncoder",
                [task.INPUT],
                ["ids"],
                domain="ai.onnx.ml",
                keys_strings=["", *self.words],
                values_int64s=[0, *places],
                default_int64=1,
            ),
            helper.make_node("Gather", ["table", "ids"], ["vectors"]),
            helper.make_node("ReduceSum", ["vectors", "axes"], ["sum"], keepdims=0),
            helper.make_node("LpNormalization", ["sum"], [OUTPUT], axis=1),
        ]
        graph = helper.make_graph(
            nodes,
            "model",
            [helper.make_tensor_value_info(task.INPUT, TensorProto.STRING, ["texts", "words"])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["texts", width])],
            [
                numpy_helper.from_array(self.table, "table"),
                numpy_helper.from_array(np.array([1], dtype=np.int64), "axes"),
            ],
        )
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def reference(encoder: Encoder, rows: list[str]) -> Array:
    """What training says about these rows, for comparison with ONNX."""
    sums = np.stack([encoder.table[ids].sum(axis=0) for ids in encoder.ids(task.encode(rows))])
    outputs: Array = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return outputs
