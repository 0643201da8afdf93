"""The embedded model's process: `python -m clickwise.writing.llama MODEL THREADS CONTEXT`.

llama.cpp's server (xllamacpp) with the OpenAI interface on a free port of loopback. The first line
on standard output is its address. It ends when standard input does: with its parent, however
that ends.
"""

import os
import sys


def main(arguments: list[str]) -> int:
    """Serve until standard input ends."""
    import xllamacpp

    model, threads, context = arguments
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.n_ctx = int(context)
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = int(threads)
    parameters.cpuparams_batch.n_threads = int(threads)
    parameters.n_gpu_layers = 0
    parameters.warmup = False
    parameters.verbosity = -1
    # Standard output is for the address alone: what the library says there goes to the log.
    said = os.dup(1)
    os.dup2(2, 1)
    server = xllamacpp.Server(parameters)
    os.write(said, f"{server.listening_address}\n".encode())
    sys.stdin.buffer.read()
    os._exit(0)  # its threads hold nothing that is worth waiting for


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
