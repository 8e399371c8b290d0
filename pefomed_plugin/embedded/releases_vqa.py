"""Miniature releases of the stage-2 data sets in their official layouts, with the quirks the real ones have.

VQA-RAD's re-release, SLAKE 1.0, PathVQA's pickles, R2Gen's IU-Xray. Every word and image is made here.
Images are named as in the real releases, with a number that none of those has: a drawing is never shown as a
patient's image, nor the other way round. Before the number stands a constant 9, so that names keep their order.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

from .drawing import save
from .questions import Question, paraphrase, questions
from .scenes import ABDOMEN, CHEST, HEAD_CT, HEAD_MRI, LATERAL, RADIOLOGY, TISSUE, Scene, draw_scenes
from .wording import MODALITY, report

ORGAN = {CHEST: "CHEST", LATERAL: "CHEST", ABDOMEN: "ABD", HEAD_CT: "HEAD", HEAD_MRI: "HEAD"}
LOCATION = {CHEST: "Lung", ABDOMEN: "Abdomen", HEAD_CT: "Brain", HEAD_MRI: "Brain_Tissue"}
SLAKE_TYPES = {
    "MODALITY": "Modality",
    "ORGAN": "Organ",
    "PLANE": "Plane",
    "POS": "Position",
    "SIZE": "Size",
    "COUNT": "Quantity",
    "COLOR": "Color",
    "ABN": "Abnormality",
    "PRES": "Abnormality",
}


SLAKE_PREFIX = "9000"
"""Before the number of an image; the real ones end at 641."""
LONG_ENDING = (
    " The film is upright and was taken from behind. Both shoulder blades are outside the lungs. The spine "
    "is straight. The diaphragm is smooth on either side. No tube, line or clip is seen. No air is seen "
    "below the diaphragm except in the stomach."
)


def write_vqa_rad(out: Path, rng: Random, train: int = 1000, test: int = 72) -> None:
    """``trainset.json``, ``testset.json``, ``images/``: four questions a train image, three a test image.

    Quirks: framed questions with a hint, a paraphrase, ``"CLOSED "``, an integer answer, a TAB in an answer, two types
    in one row, an image that no question uses. What only the official file has (frames of test questions) is not
    here: it would put test images into training.
    """
    qid = 0
    for name, count, asked in (("trainset.json", train, 4), ("testset.json", test, 3)):
        rows: list[dict[str, Any]] = []
        for scene in draw_scenes(RADIOLOGY, count, rng):
            number = 10000 + scene.seed % 80000 + 100000 * (name == "testset.json")
            while (out / "images" / _rad_image(number)).exists():
                number += 1
            image = _rad_image(number)
            save(scene, out / "images" / image)
            for question in _pick(questions(scene, rng), asked):
                qid += 1
                rows.append(_rad_row(qid, image, scene, question, rng.choice(("freeform", "freeform", "para"))))
        if name == "trainset.json":
            qid = _add_rad_quirks(rows, qid)
        (out / name).write_text(json.dumps(rows, indent=2), encoding="utf-8")
    save(draw_scenes(RADIOLOGY, 1, rng)[0], out / "images" / _rad_image(99999))


def _rad_image(number: int) -> str:
    return f"synpic9{number}.jpg"  # the largest number of the real release is 100228


def _pick(asked: Sequence[Question], count: int) -> list[Question]:
    """The first ``count`` questions, at most a third of them closed, as a guess at those is right half the time."""
    closed = [sample for sample in asked if sample.answer_type == "CLOSED"][: count // 3]
    chosen = [sample for sample in asked if sample.answer_type != "CLOSED" or sample in closed]
    return chosen[:count]


def _rad_row(qid: int, image: str, scene: Scene, question: Question, phrase: str) -> dict[str, Any]:
    return {
        "qid": qid,
        "image_name": image,
        "image_organ": ORGAN[scene.kind],
        "answer": question.answer,
        "answer_type": question.answer_type,
        "question_type": question.question_type,
        "question": question.text,
        "phrase_type": phrase,
    }


def _add_rad_quirks(rows: list[dict[str, Any]], qid: int) -> int:
    """Repetitions of the first rows, framed and paraphrased, spelt as the real release spells its own."""
    first = next(row for row in rows if row["question_type"] == "MODALITY")
    qid += 1
    rows.append({**first, "qid": qid, "phrase_type": "para", "question": paraphrase(first["question"])})
    closed = [row for row in rows if row["answer_type"] == "CLOSED"][:4]
    others = [row for row in rows if row["answer_type"] == "OPEN"][:4]
    for row, hint in zip(closed, ("? -yes/no", "? -yes/no", "?", "?")):
        qid += 1
        rows.append({**row, "qid": qid, "question": row["question"].rstrip("?") + hint, "phrase_type": "frame"})
    rows[-1]["answer_type"] = "CLOSED "
    rows[-2]["question_type"] = "PRSE, ATRIB"
    for number, row in enumerate(others):
        qid += 1
        rows.append({**row, "qid": qid, "phrase_type": "frame"})
        if row["answer"].isdigit():
            rows[-1]["answer"] = int(row["answer"])
        elif number == 0:
            rows[-1]["answer"] = row["answer"] + "\t"
        elif number == 1:
            rows[-1]["answer"], rows[-1]["question"] = 1, "How many patients are shown?"
    return qid


def write_slake(out: Path, rng: Random, counts: Sequence[int] = (60, 12, 12)) -> None:
    """``train.json``, ``validate.json``, ``test.json``, ``imgs/xmlabN/``, ``KG/``: English and Chinese in one file.

    Quirks: one empty answer, rows that need the knowledge graph, a list as an answer, a location with a blank, macOS's
    files. Masks and boxes are left out: their syntax is not known.
    """
    qid = number = 0
    for name, count in zip(("train.json", "validate.json", "test.json"), counts):
        rows: list[dict[str, Any]] = []
        for scene in draw_scenes(RADIOLOGY, count, rng):
            save(scene, out / "imgs" / f"xmlab{SLAKE_PREFIX}{number}" / "source.jpg")
            for question in questions(scene, rng)[:4]:
                row = _slake_row(qid, number, scene, question)
                chinese = {
                    **row,
                    "qid": qid + 1,
                    "q_lang": "zh",
                    "question": "\u56fe\u4e2d\u6709\u75c5\u53d8\u5417\uff1f",
                    "answer": "\u6709" if scene.finding else "\u6ca1\u6709",
                    "answer_type": "CLOSED",
                }
                rows += [row, chinese] if question.answer_type == "CLOSED" else [row]
                qid += len(rows[-2:]) if question.answer_type == "CLOSED" else 1
            number += 1
        if name == "train.json":
            rows.append({**rows[0], "qid": qid, "q_lang": "en", "answer": "", "answer_type": "OPEN"})
            rows.append(
                {
                    **rows[0],
                    "qid": qid + 1,
                    "q_lang": "en",
                    "question": "Which organs belong to the abdomen?",
                    "answer": "Liver, Spleen",
                    "answer_type": "OPEN",
                    "base_type": "kvqa",
                    "content_type": "KG",
                    "triple": ["Abdomen", "contain", "_"],
                }
            )
            rows.append(
                {
                    **rows[-1],
                    "qid": qid + 2,
                    "question": "Is the bladder in the pelvic cavity?",
                    "answer": "Yes",
                    "answer_type": "CLOSED",
                    "location": "Pelvic Cavity",
                    "triple": ["Bladder", "belong to", "Pelvic Cavity"],
                }
            )
            qid += 3
        (out / name).write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    (out / "KG").mkdir()
    (out / "KG" / "en_organ.csv").write_text(
        "organ#attribute#value\nLiver#belong to#Abdomen\nBladder#belong to#Pelvic Cavity\n", encoding="utf-8"
    )
    (out / "__MACOSX").mkdir()
    (out / "__MACOSX" / "._train.json").write_bytes(b"\0\5\x16\7")


def _slake_row(qid: int, number: int, scene: Scene, question: Question) -> dict[str, Any]:
    return {
        "img_id": number,
        "img_name": f"xmlab{SLAKE_PREFIX}{number}/source.jpg",
        "question": question.text,
        "answer": question.answer.capitalize(),
        "q_lang": "en",
        "location": LOCATION[scene.kind],
        "modality": {"x-ray": "X-Ray", "ct": "CT", "mri": "MRI"}[MODALITY[scene.kind]],
        "answer_type": question.answer_type,
        "base_type": "vqa",
        "content_type": SLAKE_TYPES[question.question_type],
        "triple": ["vhead", "_", "_"],
        "qid": qid,
    }


def write_path_vqa(out: Path, rng: Random, counts: Sequence[int] = (60, 12, 12)) -> None:
    """``images/<split>/<split>_NNNN.jpg`` and the pickles of ``qas/``; builtins only.

    Quirks: a CMYK JPEG, ``no fat`` as an open answer, double blanks in a question.
    """
    for digit, (split, count) in enumerate(zip(("train", "val", "test"), counts), 1):
        short: list[dict[str, Any]] = []
        full: list[dict[str, Any]] = []
        for number, scene in enumerate(draw_scenes((TISSUE,), count, rng)):
            name = f"{split}_9{number:04d}"  # the real numbers have four digits
            save(scene, out / "images" / split / (name + ".jpg"), mode="CMYK" if number == 1 else "")
            asked = [(question.text, question.answer) for question in questions(scene, rng)[:4]]
            if number == 0:
                asked.append(("what is  seen in the tissue?", "no fat" if scene.finding != "fat" else "fat"))
            for running, (text, answer) in enumerate(asked):
                short.append({"image": name, "question": text, "answer": answer})
                closed = answer in ("yes", "no")
                full.append(
                    {
                        "img_id": name,
                        "question_id": digit * 10**8 + number * 1000 + running,
                        "sent": text,
                        "label": {answer: 1},
                        "answer_type": "yes/no" if closed else "other",
                        "question_type": "yes/no" if closed else text.split()[0].lower(),
                    }
                )
        _pickle(short, out / "qas" / split / f"{split}_qa.pkl")
        _pickle(full, out / "qas" / f"{split}_vqa.pkl")


def _pickle(rows: list[dict[str, Any]], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(rows, protocol=4))


def write_iu_xray(out: Path, rng: Random, counts: Sequence[int] = (300, 24, 30)) -> None:
    """``annotation.json`` and ``images/<id>/{0,1}.png``: a frontal and a lateral film of each patient.

    Quirks: the three forms of study ids, ``XXXX`` in a report, a report of more than 50 words, an orphan image, the
    lateral film first, and the test key of four blanks with which the file circulates.
    """
    splits: dict[str, list[dict[str, Any]]] = {}
    number = 0
    for split, count in zip(("train", "val", "test"), counts):
        splits[split] = []
        for scene in draw_scenes((CHEST,), count, rng):
            number += 1
            study = _study_id(number)
            paths = [f"{study}/{view}.png" for view in (0, 1)]
            for path, kind in zip(paths, (CHEST, LATERAL) if number % 10 else (LATERAL, CHEST)):
                save(_as_view(scene, kind), out / "images" / path)
            text = report(scene, rng) + (" XXXX compared." if number % 20 == 7 else "")
            text += LONG_ENDING if number == 2 else ""
            splits[split].append({"id": study, "report": text, "image_path": paths, "split": split})
    save(draw_scenes((CHEST,), 1, rng)[0], out / "images" / _study_id(1) / "2.png")
    splits["    "] = splits.pop("test")
    (out / "annotation.json").write_text(json.dumps(splits), encoding="utf-8")


def _study_id(number: int) -> str:
    if number == 1:
        return "CXR90001_1_IM-0001"  # the real ones end at CXR3999
    return f"CXR9000{number}_IM-{number:04d}{'-1001' if number % 15 == 0 else ''}"


def _as_view(scene: Scene, kind: str) -> Scene:
    return replace(scene, kind=kind)
