"""The masking check-up: does a model withstand attacks, or only blind those that follow its gradients?"""

from utils.checkup.flags import examine
from utils.checkup.report import Advice, Finding, Report

__all__ = ["Advice", "Finding", "Report", "examine"]
