"""Model cards and data cards, in the form that the Hugging Face hub reads."""
