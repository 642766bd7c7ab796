"""The rows of a security card, by the names that four public lists give to threats. `tests/pinned` holds the lists."""

from typing import NamedTuple


class CardRow(NamedTuple):
    """One row of the card.

    threat    what could happen
    measured  the part of `Audit` that tells of it; "" if none does
    without   what the card says if that part is missing
    atlas, nist, owasp, aisvs  its ids and names in the lists: threats in the first three, in the last what is asked for
    """

    threat: str
    measured: str
    without: str
    atlas: tuple[str, ...]
    nist: tuple[str, ...]
    owasp: tuple[str, ...]
    aisvs: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """Its ids in all lists."""
        return (*self.atlas, *self.nist, *self.owasp, *self.aisvs)


LISTS = {
    "atlas": "MITRE ATLAS 2026.09",
    "nist": "NIST AI 100-2 E2025",
    "owasp": "OWASP ML Top Ten 2023",
    "aisvs": "OWASP AISVS 1.0",
}
TESTED = "C11.1 Model Alignment, Safety, and Robustness Testing and Training"
INFERENCE = "C11.2 Membership-Inference and Model-Inversion Mitigation"
ROWS = (
    CardRow(
        "inputs changed by somebody who has the weights",
        "worst",
        "",
        ("AML.T0015 Evade AI Model", "AML.T0043.000 White-Box Optimization"),
        ("NISTAML.022 Evasion",),
        ("ML01:2023 Input Manipulation Attack",),
        (TESTED,),
    ),
    CardRow(
        "inputs changed by somebody who sees scores or labels only",
        "queries",
        "",
        ("AML.T0015 Evade AI Model", "AML.T0043.001 Black-Box Optimization"),
        ("NISTAML.025 Black-box Evasion",),
        ("ML01:2023 Input Manipulation Attack",),
        (TESTED,),
    ),
    CardRow(
        "inputs changed on another model, and tried once",
        "",
        "not measured: it does no more than somebody who has the weights, and needs no question to this model",
        ("AML.T0005 Create Proxy AI Model", "AML.T0043.002 Black-Box Transfer"),
        ("NISTAML.025 Black-box Evasion",),
        ("ML01:2023 Input Manipulation Attack",),
        (TESTED,),
    ),
    CardRow(
        "who was in the training data",
        "membership",
        "not measured: no training data were given",
        ("AML.T0024.000 Infer Training Data Membership",),
        ("NISTAML.033 Membership Inference",),
        ("ML04:2023 Membership Inference Attack",),
        (INFERENCE,),
    ),
    CardRow(
        "what the training data have in common, such as the share of a group",
        "",
        "not measured: it needs models that were trained on other shares",
        ("AML.T0024.000 Infer Training Data Membership",),
        ("NISTAML.034 Property Inference",),
        (),
        (INFERENCE,),
    ),
    CardRow(
        "what the classes look like",
        "",
        "not measured: judge by eye what lesson 08's portraits show of your classes",
        ("AML.T0024.001 Invert AI Model",),
        ("NISTAML.032 Reconstruction",),
        ("ML03:2023 Model Inversion Attack",),
        (INFERENCE,),
    ),
    CardRow(
        "a copy of the model from its answers",
        "copied",
        "not measured: no network was given to copy it with",
        ("AML.T0024.002 Extract AI Model",),
        ("NISTAML.031 Model Extraction",),
        ("ML05:2023 Model Theft",),
        ("C11.3 Model-Extraction Defense",),
    ),
    CardRow(
        "training data that somebody poisoned",
        "",
        "not measured: it needs the training set, and training again (lesson 10)",
        ("AML.T0020 Training Data Poisoning", "AML.T0043.004 Insert Backdoor Trigger"),
        ("NISTAML.013 Data Poisoning", "NISTAML.023 Backdoor Poisoning"),
        ("ML02:2023 Data Poisoning Attack",),
        ("C1.3 Training Data Quality and Security Assurance", "C11.4 Model Runtime Anomaly Detection"),
    ),
    CardRow(
        "feedback that somebody sends so that the model learns it",
        "",
        "not measured: it needs the loop that trains again; take labels from people whom you know (lesson 13)",
        ("AML.T0020 Training Data Poisoning",),
        ("NISTAML.013 Data Poisoning",),
        ("ML08:2023 Model Skewing",),
        ("C1.3 Training Data Quality and Security Assurance",),
    ),
    CardRow(
        "a pretrained model below this one, with what somebody put into it",
        "",
        "not measured: name the model that it was trained from, and audit that one too",
        ("AML.T0010.003 Model", "AML.T0018.000 Poison AI Model"),
        ("NISTAML.051 Model Poisoning",),
        ("ML07:2023 Transfer Learning Attack",),
        ("C3.5 Pipeline Fine-Tuning", "C6.1 Model Artifact Integrity"),
    ),
    CardRow(
        "a model file that was exchanged, or that runs code",
        "",
        "not measured: take weights as safetensors, read the code that builds the model, and compare the file with a "
        "published hash",
        ("AML.T0010.003 Model", "AML.T0018.000 Poison AI Model", "AML.T0011.000 Unsafe AI Artifacts"),
        ("NISTAML.051 Model Poisoning",),
        ("ML06:2023 AI Supply Chain Attacks", "ML10:2023 Model Poisoning"),
        ("C3.1 Model Authorization & Integrity", "C6.1 Model Artifact Integrity"),
    ),
    CardRow(
        "answers that are changed on their way to whom they are for",
        "",
        "not measured: it is a matter of the system around the model; sign what it answers",
        (),
        (),
        ("ML09:2023 Output Integrity Attack",),
        (),
    ),
    CardRow(
        "inputs that make it slow, or so many that it fails",
        "",
        "not measured: limit the rate and the size of requests",
        ("AML.T0029 Denial of AI Service",),
        ("NISTAML.01 Availability Violations", "NISTAML.014 Energy-latency"),
        (),
        (),
    ),
    CardRow(
        "a world that changes, or is made to",
        "monitor",
        "",
        ("AML.T0031 Erode AI Model Integrity",),
        ("NISTAML.02 Integrity Violations",),
        (),
        ("C12.3 Model, Data, and Performance Drift Detection",),
    ),
)
