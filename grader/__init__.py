"""The grader: notebooks in, grades out. `python -m grader`; TEACHING.md says how to use it.

A student's notebook runs in a sandboxed child process. The teacher's checks run in the parent process. There a
student's function is a stand-in: it sends its arguments down to the child and brings plain values up. Nothing else
crosses, and no check is ever sent down.

    challenges  a class attacks and defends: hidden models, entries, boards
    batch       a class: in parallel, on a cluster, and only what a run before has not graded
    worker      a process that grades for another one
    collect     submissions from folders and zips of an LMS
    whose       which student a notebook belongs to, by its path
    grade       one submission: run its cells, run the checks
    lab         the teacher's notebook: cells, checks, points
    answers     where an answer is, if not where it should be
    public      a lab's public checks, for a student
    alike       answers that are the same after renaming
    ipython     cells with magics, as Python
    notebook    what a student handed in
    session     a student's answers, from children that may end at any time
    oracle      a model that stays in the grader, and is asked
    sandbox     one child: its limits, what it can see, how it ends
    inside      the part that runs in the child; students can read it
    result      the result of one submission, as plain data, and its file
    reports     tables, feedback, summary
    page        pages from templates
    rubric      written exercises, which a person grades
    by_hand     the page for that person, and the points from the table
    sheet       tables for spreadsheets, and the table that comes back
"""
