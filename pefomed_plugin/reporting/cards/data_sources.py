"""The releases behind the data sets: licence, terms, how to cite, what to know. A table; reads nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class DataSource:
    """One release."""

    title: str
    task: str
    """The Hugging Face hub's name of what one does with it."""
    url: str
    licence_id: str
    """The hub's identifier; ``other`` where it has none for it."""
    licence: str
    """In words."""
    citation: str
    quirks: tuple[str, ...]
    """What a user of the figures should know; more in docs/data/."""
    passing_on: str = ""
    """What may not be done with the data, or with a model trained on them; empty where the licence says it all."""


SOURCES: dict[str, DataSource] = {
    "roco": DataSource(
        "ROCO",
        "image-to-text",
        "https://github.com/razorx89/roco-dataset",
        "other",
        "each figure under its article's licence (CC BY, CC BY-NC, ... ; licences.txt of the release)",
        "Pelka et al., Radiology Objects in COntext (ROCO): A Multimodal Image Dataset, LABELS 2018, "
        "doi:10.1007/978-3-030-01364-6_20",
        (
            "Some figures can no longer be fetched; a missing image is skipped and counted.",
            "Figures of one article may be in several splits.",
            "ImageCLEF 2022 draws on an extended ROCO: the two share images.",
        ),
    ),
    "clef2022": DataSource(
        "ImageCLEFmedical Caption 2022",
        "image-to-text",
        "https://www.imageclef.org/2022/medical/caption",
        "other",
        "AIcrowd, after signing an agreement",
        "Rückert et al., Overview of ImageCLEFmedical 2022: Caption Prediction and Concept Detection, CLEF 2022 "
        "Working Notes",
        ("The test images have no captions.", "The images are a subset of an extended ROCO: the two share images."),
        "The agreement forbids passing the data on.",
    ),
    "medicat": DataSource(
        "MedICaT",
        "image-to-text",
        "https://github.com/allenai/medicat",
        "other",
        "non-commercial research; each figure under its article's licence",
        "Subramanian et al., MedICaT: A Dataset of Medical Images, Captions, and Textual References, Findings of "
        "EMNLP 2020",
        ("No split: all of it is train.", "Not all figures are radiology; captions keep `Figure 1.`"),
        "Non-commercial research only.",
    ),
    "mimic_cxr": DataSource(
        "MIMIC-CXR",
        "image-to-text",
        "https://physionet.org/content/mimic-cxr-jpg/2.0.0/",
        "other",
        "PhysioNet Credentialed Health Data License, with a data use agreement",
        "Johnson et al., MIMIC-CXR, a de-identified publicly available database of chest radiographs with free-text "
        "reports, Scientific Data 6:317, 2019, doi:10.1038/s41597-019-0322-0; MIMIC-CXR-JPG, arXiv:1901.07042",
        (
            "`___` stands for what was removed to protect patients.",
            "A study may hold the same image in two brightnesses.",
        ),
        "Credentialed access: neither the data nor text from them may be passed on. PhysioNet treats models trained on "
        "them as sensitive, too: share such a model through PhysioNet under the same agreement, not on a public hub.",
    ),
    "vqa_rad": DataSource(
        "VQA-RAD",
        "visual-question-answering",
        "https://osf.io/89kps",
        "cc0-1.0",
        "CC0 1.0",
        "Lau et al., A dataset of clinically generated visual questions and answers about radiology images, Scientific "
        "Data 5:180251, 2018, doi:10.1038/sdata.2018.251",
        (
            "All 203 test images are in train, and 284 of 451 test questions are there in their framed version with "
            "the "
            "answer.",
            "465 training samples repeat an earlier one.",
        ),
    ),
    "slake": DataSource(
        "SLAKE",
        "visual-question-answering",
        "https://huggingface.co/datasets/BoKelvin/SLAKE",
        "cc-by-4.0",
        "CC BY 4.0",
        "Liu et al., SLAKE: A Semantically-Labeled Knowledge-Enhanced Dataset for Medical Visual Question Answering, "
        "ISBI 2021, arXiv:2102.09542",
        (
            "English splits share no image, but 72 of the 96 English test images occur in Chinese training rows.",
            "About 400 answers are lists, whose order counts for exact match.",
        ),
    ),
    "path_vqa": DataSource(
        "PathVQA",
        "visual-question-answering",
        "https://github.com/UCSD-AI4H/PathVQA",
        "other",
        "questions MIT (the repository's licence); the images come from copyrighted textbooks and are not free",
        "He et al., PathVQA: 30000+ Questions for Medical Visual Question Answering, arXiv:2003.10286",
        (
            "Questions were made from captions by rules; 42 test rows repeat an earlier one.",
            "The copy on the Hugging Face hub is de-duplicated: its test split is not the paper's.",
        ),
        "The images may not be passed on.",
    ),
    "iu_xray": DataSource(
        "IU X-Ray (Open-i, Indiana University)",
        "image-to-text",
        "https://openi.nlm.nih.gov",
        "other",
        "openly distributed by the U.S. National Library of Medicine; the packagings carry no licence file",
        "Demner-Fushman et al., Preparing a collection of radiology examinations for distribution and retrieval, JAMIA "
        "23(2):304-310, 2016, doi:10.1093/jamia/ocv080",
        (
            "The images of a study share one reference report, so samples are not independent.",
            "`XXXX` stands for what was removed to protect patients.",
        ),
    ),
}

OWN_DATA = DataSource(
    "Own data",
    "image-to-text",
    "",
    "other",
    "to be stated by whoever collected them",
    "to be stated by whoever collected them",
    (),
    "Images and texts of patients: to be passed on only with the right to do so.",
)


def source_of(dataset: str) -> DataSource:
    """The release behind a registry name; own data, or data we know nothing of, where it is none of the eight."""
    return SOURCES.get(dataset) or (OWN_DATA if dataset == "medical_custom" else replace(OWN_DATA, title=dataset))
