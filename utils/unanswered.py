"""An exercise that still says `write me`: a calm line in place of the stack trace, and "Run All" goes on to the next.

The output stays an error, so that whatever grades a notebook by its errors, as nbgrader does, still sees one; only the
kernel reports that the cell has run. Any other NotImplementedError is the student's own, and shown as ever.
"""

from types import TracebackType

from utils.earlier import shell_of_notebook

STUB = ("write me",)  # what a NotImplementedError says for an answer that is missing


def stay_calm() -> None:
    """Begin, if this is a notebook."""
    if shell := shell_of_notebook():
        shell.set_custom_exc((NotImplementedError,), show_calmly)
        shell.events.register("post_run_cell", go_on)


def show_calmly(shell, kind, error: BaseException, trace: TracebackType, tb_offset: int | None = None) -> None:
    """Show the error; that of a stub in one line."""
    if error.args == STUB:
        error._render_traceback_ = lambda: [which_is_missing(trace)]
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def which_is_missing(trace: TracebackType) -> str:
    """Which answer is missing."""
    while trace.tb_next:
        trace = trace.tb_next
    frame = trace.tb_frame
    own = frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name != "<module>"
    who = frame.f_code.co_qualname if own else "This exercise"
    return f"– {who} is not answered yet: write your answer where its cell says `write me`, and run that cell."


def go_on(result) -> None:
    """Let the cells below run: to them a missing answer is no error."""
    if isinstance(result.error_in_exec, NotImplementedError) and result.error_in_exec.args == STUB:
        result.error_in_exec = None
