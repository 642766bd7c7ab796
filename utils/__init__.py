"""The small package that all chapters of *Measured Defense* share. A house with floors: imports only go down.

    plots  widgets          what a learner sees and moves
    guide  evidence         the field guide, and what the lessons measured
    claims                  judging: the ledger of claims
    evaluation              rates with intervals, robust accuracy
    attacks  training       one signature each
    data  models            the ground

`environment` stands beside the house: the check of versions and device that lesson 00 runs.
"""
