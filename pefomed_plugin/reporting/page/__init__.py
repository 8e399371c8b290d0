"""The HTML page of a run: figures, breakdowns and every answer beside its image."""
