"""The training loop and what stands around it: arithmetic, checkpoints, resuming, ranks, tracking."""
