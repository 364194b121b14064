"""Environment variables that a result may hang on: those that count for the plan, and those to know of."""

from __future__ import annotations

from collections.abc import Mapping

from mlproj.model.provenance import Variables
from mlproj.provenance.redaction import redacted

HASH_SEED = "PYTHONHASHSEED"

PLANNED = (
    "CUBLAS_WORKSPACE_CONFIG",
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "JAX_DEFAULT_MATMUL_PRECISION",
    "JAX_ENABLE_X64",
    "JAX_PLATFORMS",
    "KMP_DETERMINISTIC_REDUCTION",
    "MKL_CBWR",
    "MKL_DYNAMIC",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_DYNAMIC",
    "OMP_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_NUM_THREADS",
    "PYTHONUTF8",
    "PYTORCH_CUDA_ALLOC_CONF",
    "TF_CUDNN_DETERMINISTIC",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TZ",
    "VECLIB_MAXIMUM_THREADS",
    "XLA_FLAGS",
)

RECORDED = frozenset(
    (
        "CONDA_DEFAULT_ENV",
        "CONDA_PREFIX",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "PATH",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONHOME",
        "PYTHONIOENCODING",
        "PYTHONOPTIMIZE",
        "PYTHONPATH",
        "PYTHONWARNINGS",
        "SHELL",
        "SLURM_JOB_ID",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "VIRTUAL_ENV",
    )
)
"""And all of the locale, `LC_*`."""


def observed_variables(environ: Mapping[str, str]) -> Variables:
    """The variables worth recording, secrets masked; the hash seed is `0` where the caller sets none."""
    planned = {name: environ[name] for name in PLANNED if name in environ}
    planned[HASH_SEED] = environ.get(HASH_SEED) or "0"
    recorded = {name: value for name, value in environ.items() if name in RECORDED or name.startswith("LC_")}
    return Variables(planned=_pairs(planned), recorded=_pairs(recorded))


def _pairs(variables: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, redacted(name, value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")))
        for name, value in sorted(variables.items())
    )
