"""Which files are read. A file of its own, since the server has to know it and needs no engine."""

FORMATS = ("csv", "parquet")
