"""One kernel for several tests: to start it, and torch in it, costs more than all that they run there."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook


@contextmanager
def kernel() -> Iterator[Callable[..., list[list[NotebookNode]]]]:
    """Runs cells as a notebook of their own, and returns what each shows. Modules stay; no name and no history does."""
    client = NotebookClient(new_notebook(), allow_errors=True, coalesce_streams=True, timeout=300)

    def outputs(*cells: str) -> list[list[NotebookNode]]:
        client.nb = new_notebook(cells=[new_code_cell(cell) for cell in ("%reset -f", *cells)])
        client.reset_execution_trackers()
        for i, cell in enumerate(client.nb.cells):
            client.execute_cell(cell, i)
        return [cell.outputs for cell in client.nb.cells[1:]]

    with client.setup_kernel():
        yield outputs
