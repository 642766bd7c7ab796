"""The part of the grader that runs in the sandbox, beside the student's code. Students can read what lies here.

pristine  forks a child for each submission, in spaces of its own
child     runs the student's cells and answers calls
walls     what the kernel forbids a child: Landlock and seccomp
wire      plain values over a pipe; the teacher's side uses it too
"""
