"""Road signs with stickers, to be looked at through many cameras: what does each defense read?"""

from collections.abc import Mapping, Sequence

import ipywidgets as ui
from torch import Tensor

from utils.plots import BLUE, RED, house_style, percent_axis, pixels, show_image
from utils.records import ARROW
from utils.widgets.explorer import Stage, choice
from utils.widgets.panel import Panel, picture_widget


class StickerExplorer(Panel):
    """Sign, defense and camera to choose; the image and the model's answer move along. Nothing is computed here.

    readings  {defense: (images (signs, cameras, 3, H, W) in [0, 1], probabilities (signs, cameras, classes))}
    classes   the names of the signs, which are the classes
    """

    def __init__(self, readings: Mapping[str, tuple[Tensor, Tensor]], classes: Sequence[str]):
        self.readings, self.classes = readings, classes
        cameras = next(iter(readings.values()))[0].shape[1]
        look = {"layout": ui.Layout(width="260px"), "style": {"description_width": "60px"}}
        self.defense = choice("Defense", list(readings))
        self.sign = ui.Dropdown(options=[(name, i) for i, name in enumerate(classes)], description="Sign", **look)
        self.camera = ui.SelectionSlider(options=range(1, cameras + 1), description="Camera", **look)
        self.picture = picture_widget()
        rows = ui.HBox([self.sign, self.camera], layout=ui.Layout(flex_flow="row wrap"))
        super().__init__(self.defense, rows, self.picture)

        self.still = stage = Stage(7, 1.9)
        with house_style():
            image, bars = stage.figure.subplots(1, 2, width_ratios=(1, 2.2))
            self.image = show_image(image, next(iter(readings.values()))[0][0, 0])
            self.bars = bars.barh(range(len(classes)), [0.0] * len(classes), height=0.62)
            percent_axis(bars.xaxis)
            bars.set_yticks(range(len(classes)), classes)
            bars.set(ylim=(len(classes) - 0.4, -0.6), xlabel="the model's confidence")
            bars.tick_params(axis="y", length=0)
            bars.spines["left"].set_visible(False)
        stage.moving = [self.image, *self.bars]
        stage.settle()
        self.update()
        self.follow(self.defense, self.sign, self.camera)

    def update(self) -> None:
        """Look up what the controls ask for, and draw it."""
        images, confidence = self.readings[self.defense.value]
        sign, camera = self.sign.value, self.camera.value - 1
        self.image.set_data(pixels(images[sign, camera]))
        for i, (bar, share) in enumerate(zip(self.bars, confidence[sign, camera].tolist(), strict=True)):
            bar.set(width=share, color=BLUE if i == sign else RED, alpha=0.55)
        right = int((confidence[sign].argmax(-1) == sign).sum())
        who = f"{self.classes[sign]} with a sticker, {self.defense.value}"
        self.still.text = f"{who} {ARROW} read right by {right} of {len(confidence[sign])} cameras"
        self.draw(self.still.shot)
