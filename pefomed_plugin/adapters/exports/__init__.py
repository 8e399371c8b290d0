"""Checkpoints for the outside: what a file holds, other spellings, a merged LLaMA folder, a PEFT adapter folder.

Works on files alone, for either toolkit; never builds the model.
"""
