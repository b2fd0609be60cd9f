"""llama.cpp's own HTTP server with real weights, as one upstream. Lives until it is killed or its parent ends.

    python llama_server.py --weights FILE.gguf --port PORT
"""

import argparse
import os
import signal
import threading
import time

import xllamacpp


def parameters(weights: str, port: int) -> xllamacpp.CommonParams:
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = 2048
    params.n_parallel = 2
    return params


def end_with(parent: int) -> None:
    """Kills this process once its parent is gone: a test run that was killed leaves no server behind."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--weights", required=True)
    arguments.add_argument("--port", type=int, required=True)
    chosen = arguments.parse_args()
    threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()
    # The server runs on threads of its own for as long as the object lives.
    server = xllamacpp.Server(parameters(chosen.weights, chosen.port))
    threading.Event().wait()
    del server


if __name__ == "__main__":
    main()
