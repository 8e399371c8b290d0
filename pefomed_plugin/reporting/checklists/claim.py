"""CLAIM, the checklist for artificial intelligence in medical imaging, in its update of 2024."""

from __future__ import annotations

from .item import Guideline, Item

CLAIM = Guideline(
    "claim",
    "CLAIM 2024",
    "Tejani et al., Radiology: Artificial Intelligence 2024;6(4):e240300",
    (
        Item("1", "title: that it is a study of AI, and of which technique", ("technique",), "the title"),
        Item("2", "abstract: design, methods, results, conclusions", ("performance",), "the abstract"),
        Item("3", "background, intended use and clinical role", (), "your clinical question"),
        Item("4", "aims and hypotheses"),
        Item("5", "prospective or retrospective", ("retrospective",)),
        Item("6", "goal of the study"),
        Item("7", "data sources", ("sources",), "how well they suit the intended use"),
        Item("8", "inclusion and exclusion criteria", ("reader_options",), "those of the releases' own papers"),
        Item("9", "preprocessing", ("preprocessing",)),
        Item("10", "selection of subsets", ("subsets",)),
        Item("11", "de-identification", (), "how the release was de-identified; pefomed privacy scan looks"),
        Item("12", "missing data", ("missing",)),
        Item("13", "image acquisition", (), "scanners and protocols, where the release says"),
        Item("14", "reference standard: how it was obtained", ("reference",), "how the release's authors obtained it"),
        Item("15", "why that reference standard"),
        Item("16", "who annotated the reference standard", ("citations",), "their qualifications, from these papers"),
        Item("17", "annotation of the test set", ("reference",), "steps, tools and instructions, from their papers"),
        Item("18", "agreement between and within annotators", ("agreement",), "of those who annotated the references"),
        Item("19", "how data were assigned to partitions", ("partitions",), "why so"),
        Item(
            "20", "level at which partitions are disjoint", ("leaks",), "what is not known of it (pefomed leaks looks)"
        ),
        Item(
            "21", "intended size of the test set", ("sizes",), "why so many (pefomed compare says what they can show)"
        ),
        Item("22", "the model in detail", ("model",)),
        Item("23", "software, with versions", ("software",)),
        Item("24", "how parameters were initialised", ("initialised",)),
        Item("25", "training in detail", ("training",)),
        Item("26", "how the final model was selected", ("selected",)),
        Item("27", "ensembling", ("ensemble",)),
        Item("28", "metrics of performance", ("metrics",)),
        Item("29", "significance and uncertainty", ("uncertainty",)),
        Item("30", "robustness or sensitivity", ("robustness",)),
        Item("31", "explainability", ("explained",), "how the method was validated"),
        Item("32", "evaluation on internal data", ("internal",)),
        Item("33", "testing on external data", ("external",)),
        Item("34", "registration of a clinical trial"),
        Item("35", "numbers included and excluded", ("flow",), "those excluded, with the reasons"),
        Item("36", "demographic and clinical characteristics of each partition"),
        Item("37", "performance with uncertainty", ("performance",)),
        Item("38", "diagnostic performance and its precision", ("groups",), "what it means for the diagnosis"),
        Item("39", "analysis of failures", ("failures",), "your reading of them"),
        Item("40", "limitations", ("caveats",), "those of your study"),
        Item("41", "implications for practice, intended use, clinical role"),
        Item("42", "full protocol or technical details", ("record",), "the protocol, and where both can be had"),
        Item("43", "availability of software, model and data", ("availability", "terms"), "where you put them"),
        Item("44", "funding and the role of funders"),
    ),
)
