"""Runs beside each other and beside the paper's figures."""
