"""One training loop for the whole course. A defense is a loss or a batch transform handed to it.

loop         fit
optimizers   torch's Adam and SGD, without its compiler
together     several small networks in one pass
batches      what is done to a batch on the device before all else: crop and flip
statistics   BatchNorm: whose statistics an attack sees, and those of averaged weights
precision    the type in which this device computes fastest
checkpoints  a training that goes on where it was stopped
ranks        several processes, one network
"""

from utils.training.batches import crop_and_flip
from utils.training.loop import fit, mean_cross_entropy
from utils.training.precision import fastest_type
from utils.training.together import fit_together

__all__ = ["crop_and_flip", "fastest_type", "fit", "fit_together", "mean_cross_entropy"]
