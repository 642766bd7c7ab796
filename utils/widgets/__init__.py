"""What a learner moves: `ask`, `AttackExplorer`, `Duel`. What one lesson alone shows has a module of its own here.

Core ipywidgets only, alike on versions 7.7 and 8.1.
Each is a `Panel`: alive in JupyterLab and Colab, a picture on a code host, on paper and in a converted notebook.
"""

from utils.widgets.duel import Duel
from utils.widgets.explorer import AttackExplorer
from utils.widgets.prediction import ask

__all__ = ["AttackExplorer", "Duel", "ask"]
