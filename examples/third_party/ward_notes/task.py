"""Questions of the ward: visual question answering with longer answers and one more scorer."""

from __future__ import annotations

from pefomed_plugin.adapters.tasks import MedicalVqaTask


class WardQuestionsTask(MedicalVqaTask):
    """Answers of up to 40 tokens, scored by exact match and by side."""

    max_new_tokens = 40
    scorers = ("exact_match/pefomed", "same_side")
