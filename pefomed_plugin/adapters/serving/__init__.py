"""Questions that come whenever they want, answered side by side by one model."""
