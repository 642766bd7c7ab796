"""Challenges: teams attack and defend, and a board says how well. `python -m grader challenge break_it …`.

command    what the command line asks
frame      what all challenges share: entries in, records, the board out
board      ranks by intervals; the page, the table, the lines for the teacher
break_it   an attack against five hidden models
entry      what a team hands in, and what a judge says of it
oracle     the grader's end of a hidden model: it answers, and counts
"""
