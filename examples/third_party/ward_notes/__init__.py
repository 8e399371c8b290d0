"""Ward notes: a data set, a scorer and a task for pefomed_plugin."""
