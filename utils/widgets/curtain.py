"""A curtain over what would give a prediction away: the outputs of the cells between `ask` and `reveal`.

In a learner's kernel they are kept back. A run that keeps a record shows them, for the notebook's file; there the build
folds these cells. JupyterLab writes the first line of what it folds, so each begins with an unseen one that tells
nothing.
"""

import io
import os
import sys
import uuid

from IPython import get_ipython
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.displaypub import CapturingDisplayPublisher

hanging: "Curtain | None" = None
FIRST_LINE = "<!-- First your prediction. A click shows what was measured. -->"
WAITING = "Kept back until you lock your prediction, or ask to see it without one."


class Caught(CapturingDisplayPublisher):
    """Keeps what is displayed, but for what a cell redraws in place, such as a progress bar."""

    def __init__(self, real):
        super().__init__()
        self.real = real

    def publish(self, data, metadata=None, *args, **how):
        if (how.get("transient") or {}).get("display_id"):
            self.real.publish(data, metadata, *args, **how)
        else:
            super().publish(data, metadata, *args, **how)


class Curtain:
    """What the next cells show is kept back, up to and with the one that calls `last`, until `open` is called.

    In its place stands a line that says why. Errors, warnings and progress bars are shown as ever.
    """

    def __init__(self):
        self.kept: list[tuple[str, dict, dict]] = []  # the place on the page, what belongs there, its metadata
        self.is_open, self.is_last, self.spared, self.shell = False, False, None, None
        self.is_recorded = bool(os.environ.get("COURSE_RECORD"))
        if (shell := get_ipython()) and hasattr(shell, "kernel"):
            self.hang(shell)

    def hang(self, shell) -> None:
        """From the next cell on, in the place of an earlier one, which keeps what it has."""
        global hanging
        if hanging:
            hanging.take_down()
        hanging, self.shell, self.real = self, shell, None
        shell.events.register("pre_run_cell", self.before)
        shell.events.register("post_run_cell", self.after)

    def take_down(self) -> None:
        """At once, or at the end of the cell whose outputs are being caught."""
        if self.real:
            self.is_last = True
            return
        for event, callback in (("pre_run_cell", self.before), ("post_run_cell", self.after)):
            if callback in self.shell.events.callbacks[event]:
                self.shell.events.unregister(event, callback)

    def last(self, spared: str = "") -> None:
        """This cell is the last one. What it shows of the widget with this id gives nothing away."""
        self.is_last, self.spared = True, spared

    def before(self, info=None) -> None:
        """Catch what the cell prints and displays, and its value."""
        shell = self.shell
        self.real = sys.stdout, shell.display_pub, shell.display_trap.hook
        sys.stdout, shell.display_pub = io.StringIO(), Caught(shell.display_pub)
        shell.display_trap.hook = CapturingDisplayHook(shell=shell, outputs=shell.display_pub.outputs)

    def after(self, result=None) -> None:
        """Put a line in the place of each thing that the cell has shown."""
        if not self.real:  # the cell that asks
            return
        shell = self.shell
        printed, shown = sys.stdout.getvalue(), shell.display_pub.outputs
        sys.stdout, shell.display_pub, shell.display_trap.hook = self.real
        self.real = None
        if self.is_recorded and (printed or shown):
            shell.display_pub.publish({"text/html": FIRST_LINE, "text/plain": ""})
        if self.is_recorded or self.is_open:
            sys.stdout.write(printed)
        elif printed:
            shown = [{"data": {"text/plain": printed.rstrip("\n")}, "metadata": {}}, *shown]
        said = False
        for one in shown:
            if self.is_recorded or self.is_open or self.spares(one["data"]):
                shell.display_pub.publish(one["data"], one["metadata"])
                continue
            place = uuid.uuid4().hex
            line = {"text/plain": "" if said else WAITING}
            shell.display_pub.publish(line, transient={"display_id": place})
            self.kept.append((place, one["data"], one["metadata"]))
            said = True
        if self.is_last:
            self.take_down()

    def spares(self, data: dict) -> bool:
        view = data.get("application/vnd.jupyter.widget-view+json", {})
        return bool(self.spared) and view.get("model_id") == self.spared

    def open(self) -> None:
        """Show what was kept back, each in its place, and keep nothing back from now on."""
        if self.shell and not self.is_open:
            self.take_down()
            for place, data, metadata in self.kept:
                self.shell.display_pub.publish(data, metadata, transient={"display_id": place}, update=True)
            self.kept = []
        self.is_open = True
