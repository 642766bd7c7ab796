"""Challenges: teams attack and defend, and a board says how well. `python -m grader challenge break_it …`.

Each challenge is a module, and data for the frame that all share.

    command          what the command line asks
    rehearse         a team's rehearsal in its own notebook
    frame            what all challenges share: entries in, records, the board out
    board            ranks by intervals; the page, the table, the lines for the teacher
    break_it         an attack against five hidden models
    defend_it        weights and a wrapper against all attacks
    remember_me      who was in a hidden model's training data
    attack_or_drift  streams: when did something begin, and what
    images           what entries are judged on
    networks         two trained networks, and the masks that a network may wear
    entry            what a team hands in, what a judge says of it, and how its function is called
"""
