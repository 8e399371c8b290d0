"""The Python files of an exported transformers folder, as they lie in it.

They stand alone: torch, numpy, Pillow and transformers, nothing of this package. ``transformers_folder`` copies them.
"""
