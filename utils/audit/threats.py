"""The threats of a security card, by the names that three public lists give them. `tests/pinned` holds the lists."""

from typing import NamedTuple


class Threat(NamedTuple):
    """One row of the card: what could happen, and its ids. `measured` names what an audit finds out about it."""

    name: str
    measured: str
    atlas: tuple[str, ...]
    nist: tuple[str, ...]
    owasp: tuple[str, ...]


ATLAS, NIST, OWASP = "MITRE ATLAS v5.6", "NIST AI 100-2 E2025", "OWASP ML Top Ten 2023"
THREATS = (
    Threat(
        "inputs changed by somebody who has the weights",
        "worst case",
        ("AML.T0015 Evade AI Model", "AML.T0043.000 White-Box Optimization"),
        ("NISTAML.022 Evasion",),
        ("ML01:2023 Input Manipulation Attack",),
    ),
    Threat(
        "inputs changed by somebody who sees scores or labels only",
        "queries",
        ("AML.T0015 Evade AI Model", "AML.T0043.001 Black-Box Optimization"),
        ("NISTAML.025 Black-box Evasion",),
        ("ML01:2023 Input Manipulation Attack",),
    ),
    Threat(
        "who was in the training data",
        "membership",
        ("AML.T0024.000 Infer Training Data Membership",),
        ("NISTAML.033 Membership Inference",),
        ("ML04:2023 Membership Inference Attack",),
    ),
    Threat(
        "a copy of the model from its answers",
        "copy",
        ("AML.T0024.002 Extract AI Model",),
        ("NISTAML.031 Model Extraction",),
        ("ML05:2023 Model Theft",),
    ),
    Threat(
        "what the classes look like",
        "",
        ("AML.T0024.001 Invert AI Model",),
        ("NISTAML.032 Reconstruction",),
        ("ML03:2023 Model Inversion Attack",),
    ),
    Threat(
        "training data that somebody poisoned",
        "",
        ("AML.T0020 Poison Training Data", "AML.T0043.004 Insert Backdoor Trigger"),
        ("NISTAML.013 Data Poisoning", "NISTAML.023 Backdoor Poisoning"),
        ("ML02:2023 Data Poisoning Attack",),
    ),
    Threat(
        "a model file that was exchanged, or that runs code",
        "file",
        ("AML.T0010.003 Model", "AML.T0018.000 Poison AI Model", "AML.T0011.000 Unsafe AI Artifacts"),
        ("NISTAML.051 Model Poisoning",),
        ("ML06:2023 AI Supply Chain Attacks", "ML10:2023 Model Poisoning"),
    ),
    Threat(
        "a world that changes, or is made to",
        "monitor",
        ("AML.T0031 Erode AI Model Integrity",),
        ("NISTAML.02 Integrity Violations",),
        ("ML08:2023 Model Skewing",),
    ),
)
