"""From samples to batches: builders, torch data sets, their order, ready-made images."""
