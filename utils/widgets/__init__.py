"""What a learner moves: `predict`, `AttackExplorer`, `Duel`, `PrivacyBudget`. Core ipywidgets, alike on 7.7 and 8.1.

Each is a `Panel`: alive in JupyterLab and Colab, a picture on a code host, on paper and in a converted notebook.
"""

from utils.widgets.budget import PrivacyBudget
from utils.widgets.duel import Duel
from utils.widgets.explorer import AttackExplorer
from utils.widgets.prediction import predict

__all__ = ["AttackExplorer", "Duel", "PrivacyBudget", "predict"]
