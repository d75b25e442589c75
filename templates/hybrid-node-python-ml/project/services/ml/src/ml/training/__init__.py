"""Training: data, pipeline, evaluation and export; needs the dependency group `train`."""
