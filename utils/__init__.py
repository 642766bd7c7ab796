"""The small package that all chapters of *Measured Defense* share. A house with floors: imports only go down.

    widgets       what a learner moves
    audit         one call that measures a model, and its security card
    choice        which defense to pick, from what each was measured to do
    checkup       does a model withstand attacks, or only hide its gradients?
    duel          two defenses under one threat model
    plots         the figures of the lessons
    guide         the field guide: the terms of the course
    evidence      what the lessons measured, for guide and ledger
    kept          kept records beside each other, and what is not measured yet
    claims        the ledger of claims
    environment   is this machine ready for the course?
    larger        what a lesson measured at a larger scale
    records       what a run measured: entered where it is shown, and read by everything else
    privacy       DP-SGD, its epsilon, and lower bounds on it
    poisoning     poisons in the training data, and filters against them
    leakage       who was in the training data, and what gradients give away
    monitoring    drift, alarms, incidents, and when to retrain
    domains       payments, messages, road signs and faces
    scale         adversarial training of residual networks, on one processor or several
    photographs   TRADES for large networks, and the mask MeanSparse
    evaluation    rates with intervals, robust accuracy
    usual         the models that lessons attack
    adversarial   training on attacked images
    masking       gradient masks, and the stand-ins that see through them
    distillation  defensive distillation
    smoothing     randomized smoothing and its certificates
    bounds        proofs by intervals, lines and Lipschitz constants
    attacks       one signature each
    training      one training loop
    layerwise     gradients of each example, layer by layer
    models        networks from inputs in [0, 1] to logits
    guard         how a model is lent to what measures it, and comes back as it was
    asking        how any model is asked, and what is made of its answer
    convolution   a first layer whose gradient costs an attack a fraction of the usual time
    data          the data sets
    download      files from the network, each with its hash
    formats       the files of data sets as arrays
    expect        what a lab's checks expect of an answer
    progress      a progress bar that leaves no trace
    fingerprint   one hash for "the same code"
    rate          k out of n, with its interval
    arguments     numbers as people have them
    classifiers   those that are no modules of torch, as arrays in and arrays out
    unanswered    a calm line for an exercise without an answer
    earlier       after a restart, where a name comes from

Their order is that of the floors in `pyproject.toml`, the highest first.
"""

from utils import earlier, unanswered

earlier.look_after()
unanswered.stay_calm()
