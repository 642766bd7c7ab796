"""What all widgets of the course share: a picture for where no kernel runs, and a place for errors."""

import os
import time
import traceback
from collections.abc import Callable
from html import escape

import ipywidgets as ui
from traitlets import Unicode

from utils.plots import SHOWN, Picture
from utils.records import enter
from utils.widgets.grid import grid


class Panel:
    """Widgets in a column, with a place for errors; a notebook's file keeps a picture of them.

    A part sets `still`, the `Picture` that is shown where no kernel runs, and `picture`, where `draw` shows it.
    """

    still: Picture
    picture: ui.Image
    controls: dict[ui.Widget, list[int] | None]  # and which options of each a page offers, None: all

    def __init__(self, *rows: ui.Widget):
        self.error, self.busy = ui.HTML(), False
        self.view = ui.VBox([*rows, self.error])

    def follow(self, *controls: ui.Widget) -> None:
        """Call `update` whenever one of these is moved."""
        self.controls = dict.fromkeys(controls, None)
        for control in controls:
            control.observe(self.guarded(self.update), "value")

    def open(self, widget: ui.Widget) -> None:
        """Show a widget that was kept back, above the place for errors.

        It is added, not unhidden: far from the window JupyterLab skips the layout, and Chromium never makes up for it.
        """
        if widget not in self.view.children:
            self.view.children = (*self.view.children[:-1], widget, self.error)

    def draw(self, png: Callable[[], bytes]) -> None:
        """Put what a method of `still` draws into the panel's `picture`, and its words where a screen reader finds
        them."""
        with self.picture.hold_sync():  # one message: the browser loads the picture again for each
            self.picture.value = png()
            self.picture.tooltip = self.still.text  # from ipywidgets 8 on; before, it does nothing

    def every(self) -> dict:
        """What is shown at every setting, as plain data for a page without a kernel."""
        return grid(self)

    def guarded(self, callback: Callable[[], None]) -> Callable[..., None]:
        """`callback` for a widget's event: an error appears in the panel instead of a log that nobody opens.

        Events that the callback causes itself, by setting other widgets, are left out.
        """

        def on_event(*_):
            if self.busy:
                return
            self.busy = True
            try:
                callback()
                self.error.value = ""
            except Exception as error:
                what = escape(f"{type(error).__name__}: {error}")
                where = escape(traceback.format_exc())
                details = f"<details><summary>Where</summary><pre>{where}</pre></details>"
                self.error.value = f'<b role="alert">{what}</b>{details}'
            finally:
                self.busy = False

        return on_event

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = self.still._repr_mimebundle_()
        view = {"version_major": 2, "version_minor": 0, "model_id": self.view.model_id}
        if os.environ.get("COURSE_GRIDS"):  # the build asks for it: the site shows it
            begin = time.process_time()
            enter(grid=self.every(), grid_seconds=time.process_time() - begin)
        return data | {"application/vnd.jupyter.widget-view+json": view}, metadata


class PictureWithWords(ui.Image):
    """An Image that shows its `tooltip`: ipywidgets 8 asks for a `description` first, and fails where there is none."""

    description = Unicode("").tag(sync=True)


def picture_widget(value: bytes = b"") -> ui.Image:
    """A place for a PNG as wide as the course's figures, narrower in a narrow window."""
    return PictureWithWords(
        value=value, format="png", layout=ui.Layout(width=f"{7 * SHOWN}px", max_width="100%", flex="none")
    )
