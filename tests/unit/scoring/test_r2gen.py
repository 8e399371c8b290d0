from __future__ import annotations

from pefomed_plugin.scoring.tokens import clean_report, cut_report, training_vocabulary


def tokens(text: str) -> str:
    return " ".join(clean_report(text).split())


def test_sentences_end_in_a_token_of_their_own() -> None:
    assert tokens('The heart is normal. No (acute) effusion, X-ray "stable"..') == (
        "the heart is normal . no acute effusion x-ray stable ."
    )


def test_its_mistakes_are_kept() -> None:
    assert tokens("Spine at T8-T11. There is a 1.6 cm nodule; COPD/emphysema.") == (
        "spine at t8-t1there is a 16 cm nodule copdemphysema ."
    )
    assert tokens("1. Nodule. 2. Effusion.") == "nodule . effusion ."
    assert tokens("") == "."


def test_a_cut_report_has_59_words() -> None:
    assert cut_report("word " * 58).split() == ["word"] * 58 + ["."]
    assert cut_report("word " * 80).split() == ["word"] * 59


def test_words_outside_the_training_vocabulary() -> None:
    vocabulary = training_vocabulary(["Lungs clear.", "Lungs clear.", "Lungs are rare."])
    assert vocabulary == {"lungs", "."}
    assert cut_report("Lungs clear.", vocabulary) == "lungs <unk> ."
    assert cut_report("Lungs clear.") == "lungs clear ."
