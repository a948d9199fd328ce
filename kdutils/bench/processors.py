"""The ratios on two kinds of processor: this one, and this one held to AVX2; each in processes of their own.

`python -m kdutils.bench.processors 1,2 3` measures in this very process, with 1 and 2 threads and 3 rounds, and prints
the table as CSV.
"""

import io
import os
import subprocess
import sys

import pandas as pd
import torch

from kdutils.bench import ratios

AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}


def bench(threads: list[int], rounds: int) -> pd.DataFrame:
    """`ratios.bench` for each number of threads, with a column `isa`: the vector instructions that PyTorch used.

    On a processor with AVX-512 all is measured twice, the second time without it.
    """
    kinds = [{}, AVX2] if torch.backends.cpu.get_cpu_capability() == "AVX512" else [{}]
    return pd.concat([_measure(kind, threads, rounds) for kind in kinds], ignore_index=True)


def _measure(kind: dict[str, str], threads: list[int], rounds: int) -> pd.DataFrame:
    numbers = ",".join(map(str, threads))
    command = [sys.executable, "-m", "kdutils.bench.processors", numbers, str(rounds)]
    done = subprocess.run(command, env={**os.environ, **kind}, stdout=subprocess.PIPE, text=True, check=True)
    return pd.read_csv(io.StringIO(done.stdout))


def main(threads: str, rounds: str) -> None:
    """Measure here, and print."""
    tables = [ratios.bench(int(number), int(rounds)) for number in threads.split(",")]
    table = pd.concat(tables, ignore_index=True).assign(isa=torch.backends.cpu.get_cpu_capability())
    table.to_csv(sys.stdout, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
