"""The rows of a security card, by the names that three public lists give to threats. `tests/pinned` holds the lists."""

from typing import NamedTuple


class CardRow(NamedTuple):
    """One row of the card.

    threat    what could happen
    measured  the part of `Audit` that tells of it; "" if none does
    without   what the card says if that part is missing
    atlas, nist, owasp  its ids and names in the three lists
    """

    threat: str
    measured: str
    without: str
    atlas: tuple[str, ...]
    nist: tuple[str, ...]
    owasp: tuple[str, ...]


ATLAS, NIST, OWASP = "MITRE ATLAS v5.6", "NIST AI 100-2 E2025", "OWASP ML Top Ten 2023"
ROWS = (
    CardRow(
        "inputs changed by somebody who has the weights",
        "worst",
        "",
        ("AML.T0015 Evade AI Model", "AML.T0043.000 White-Box Optimization"),
        ("NISTAML.022 Evasion",),
        ("ML01:2023 Input Manipulation Attack",),
    ),
    CardRow(
        "inputs changed by somebody who sees scores or labels only",
        "queries",
        "",
        ("AML.T0015 Evade AI Model", "AML.T0043.001 Black-Box Optimization"),
        ("NISTAML.025 Black-box Evasion",),
        ("ML01:2023 Input Manipulation Attack",),
    ),
    CardRow(
        "who was in the training data",
        "membership",
        "not measured: no training data were given",
        ("AML.T0024.000 Infer Training Data Membership",),
        ("NISTAML.033 Membership Inference",),
        ("ML04:2023 Membership Inference Attack",),
    ),
    CardRow(
        "a copy of the model from its answers",
        "copied",
        "not measured: no network was given to copy it with",
        ("AML.T0024.002 Extract AI Model",),
        ("NISTAML.031 Model Extraction",),
        ("ML05:2023 Model Theft",),
    ),
    CardRow(
        "what the classes look like",
        "",
        "not measured: judge by eye what lesson 08's portraits show of your classes",
        ("AML.T0024.001 Invert AI Model",),
        ("NISTAML.032 Reconstruction",),
        ("ML03:2023 Model Inversion Attack",),
    ),
    CardRow(
        "training data that somebody poisoned",
        "",
        "not measured: it needs the training set, and training again (lesson 10)",
        ("AML.T0020 Poison Training Data", "AML.T0043.004 Insert Backdoor Trigger"),
        ("NISTAML.013 Data Poisoning", "NISTAML.023 Backdoor Poisoning"),
        ("ML02:2023 Data Poisoning Attack",),
    ),
    CardRow(
        "a model file that was exchanged, or that runs code",
        "",
        "not measured: take weights as safetensors, read the code that builds the model, and compare the file with a "
        "published hash",
        ("AML.T0010.003 Model", "AML.T0018.000 Poison AI Model", "AML.T0011.000 Unsafe AI Artifacts"),
        ("NISTAML.051 Model Poisoning",),
        ("ML06:2023 AI Supply Chain Attacks", "ML10:2023 Model Poisoning"),
    ),
    CardRow(
        "a world that changes, or is made to",
        "monitor",
        "",
        ("AML.T0031 Erode AI Model Integrity",),
        ("NISTAML.02 Integrity Violations",),
        ("ML08:2023 Model Skewing",),
    ),
)
