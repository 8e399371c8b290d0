"""Training as curves: what ``log.jsonl`` and ``epochs.jsonl`` of runs say, drawn while they run and afterwards."""
