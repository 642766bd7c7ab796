"""A progress bar that leaves no trace in a saved notebook."""

import sys

from tqdm import tqdm


def progress(iterable=None, *, delay: float = 5, **look) -> tqdm:
    """tqdm's bar, shown only when the work takes longer than `delay` seconds, and gone when it is done."""
    ipython = sys.modules.get("IPython")
    in_notebook = ipython is not None and hasattr(ipython.get_ipython(), "kernel")
    return tqdm(iterable, delay=delay, leave=False, file=Line() if in_notebook else None, **look)


class Line:
    """A file for tqdm in a notebook: one output, redrawn in place. Tqdm ends with blanks, and those are saved."""

    def __init__(self):
        self.handle = None

    def write(self, text: str) -> None:
        shown = {"text/plain": text.strip()}
        if self.handle:
            self.handle.update(shown, raw=True)
        elif text.strip():
            self.handle = sys.modules["IPython"].display.display(shown, raw=True, display_id=True)

    def flush(self) -> None:
        pass
