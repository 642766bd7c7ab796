"""The part of the grader that runs in the sandbox, beside the student's code. Students can read what lies here.

child   runs the student's cells and answers calls
wire    plain values over a pipe; the teacher's side uses it too
"""
