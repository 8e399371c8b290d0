"""Judging by a language model: asked through any server or here, paid for once, kept in a ledger."""
