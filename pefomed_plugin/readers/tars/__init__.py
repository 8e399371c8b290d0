"""Tar files: where their members lie."""
