"""Why pip failed, in one sentence that says what to do: `python3 tools/pip_failed.py .venv/pip.log`.

The Makefile asks it. It needs nothing but Python.
"""

import re
import sys
from pathlib import Path

NO_NETWORK = (
    "Name or service not known|Temporary failure in name resolution|nodename nor servname|getaddrinfo failed"
    "|Failed to establish a new connection|Network is unreachable|Read timed out"
)
WHY = {
    r"No space left on device|Errno 28\b": "The disk is full: with CUDA the environment takes 6 GB. Free some space, "
    "or leave CUDA out: make lab TORCH=cpu",
    "Cannot connect to proxy|ProxyError|407 Proxy Authentication|Tunnel connection failed": "A proxy stands between "
    "pip and its index, and did not answer or refused: set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT as those who run "
    "your network say, and run make again",
    "CERTIFICATE_VERIFY_FAILED|certificate verify failed": "Your network shows a certificate of its own: set PIP_CERT "
    "to the file of that certificate, which those who run the network have, and run make again",
    r"(distribution found for|user requested) torch==\S+\+cpu": 'No index that pip knows has the build "+cpu": '
    'pytorch.org, under "Get Started", names the index of CPU builds. Put its address into PIP_EXTRA_INDEX_URL, or '
    "leave out TORCH=cpu",
    NO_NETWORK: "pip cannot reach its index: is there a network? Behind a proxy set HTTPS_PROXY=http://HOST:PORT, and "
    "run make again",
}
OTHER = "The environment was not built: what pip said stands above, and in .venv/pip.log"


def why(log: str) -> str:
    """The sentence for what pip wrote into its log: the first cause of those above that it names."""
    return next((sentence for pattern, sentence in WHY.items() if re.search(pattern, log)), OTHER)


if __name__ == "__main__":
    file = Path(sys.argv[1])
    print(why(file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""), file=sys.stderr)
