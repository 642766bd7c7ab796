"""The grader: notebooks in, grades out. Tests stay with the teacher, answers stay with the student.

A student's notebook runs in a sandboxed child. The teacher's checks run in the parent, where a student's function is
a stand-in that sends its arguments down and brings plain values up. Nothing else crosses, and no check ever goes down.

    batch     a class: in parallel, resumed, sent to a cluster       reports  tables, feedback, summary
    grade     one submission: run its cells, run the checks          collect  folders and zips of an LMS
    session   a student's answers, from children that may die        lab      the teacher's notebook
    sandbox   one child, its limits, and how it ends                 notebook what a student handed in
    child     what runs inside                                       wire     plain values over a pipe
    rubric    what a person judges                                   by_hand  the page and points for it
                                                                     sheet    the table that the person fills in
"""
