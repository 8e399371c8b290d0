"""An OpenAI-compatible server: what it reads, what it answers, who may ask. Which model answers is ``Engine``'s."""
