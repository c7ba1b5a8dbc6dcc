"""Which device and parameter type to run on, and why."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.errors import InputError

QUANTISED = ("8bit", "4bit")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Choice:
    """A device and dtype with the reason for them, in words.

    Attributes:
        device: a torch device, or ``"all"``: the layers are dealt out over all GPUs.
        dtype: what is computed in.
        quantised: how the language model's weights are stored, ``"8bit"``, ``"4bit"``, or "".
    """

    device: str
    dtype: torch.dtype
    reason: str
    quantised: str = ""

    @property
    def dtype_name(self) -> str:
        """E.g. ``"float32"``, ``"4bit"``."""
        return self.quantised or str(self.dtype).removeprefix("torch.")


def choose(device: str = "auto", dtype: str = "auto") -> Choice:
    """Pick device and dtype.

    Args:
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; ``"all"`` deals the
            layers out over all GPUs.
        dtype: ``"auto"``, ``"float32"``, ``"bfloat16"``, ``"float16"``; ``"8bit"`` and ``"4bit"``
            store the language model's weights so (bitsandbytes).

    Raises:
        InputError: when the device is not there or the dtype is unknown.
    """
    place, why_device = _device(device)
    if dtype in QUANTISED:
        kind, _ = _dtype("auto", place)
        return Choice(place, kind, f"{why_device} Weights in {dtype}: asked for.", dtype)
    kind, why_dtype = _dtype(dtype, place)
    return Choice(place, kind, f"{why_device} {why_dtype}")


def _device(device: str) -> tuple[str, str]:
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda", f"Device cuda: {torch.cuda.get_device_name()} is available."
        if torch.backends.mps.is_available():
            return "mps", "Device mps: this is an Apple GPU."
        return "cpu", "Device cpu: torch sees no GPU."
    if device == "all":
        if torch.cuda.device_count() < 2:
            raise InputError("Device all needs two GPUs or more; choose auto.")
        return device, f"Device all: over {torch.cuda.device_count()} GPUs."
    kind = device.split(":")[0]
    if kind == "cuda" and not torch.cuda.is_available():
        built = torch.version.cuda
        hint = "this torch was built without CUDA" if built is None else "torch sees no GPU"
        raise InputError(f"Device {device} is not usable ({hint}); choose cpu or auto.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("Device mps is not usable on this machine; choose cpu or auto.")
    if kind not in ("cpu", "cuda", "mps"):
        raise InputError(f"Device “{device}” is unknown; choose auto, cpu, cuda, mps or all.")
    return device, f"Device {device}: asked for."


def _dtype(dtype: str, device: str) -> tuple[torch.dtype, str]:
    if dtype != "auto":
        if dtype not in DTYPES:
            names = ", ".join((*DTYPES, *QUANTISED))
            raise InputError(f"dtype “{dtype}” is unknown; choose auto, {names}.")
        return DTYPES[dtype], f"dtype {dtype}: asked for."
    if device == "all" or device.startswith("cuda"):
        if torch.cuda.is_bf16_supported():
            return torch.bfloat16, "dtype bfloat16: the GPU computes it natively."
        return torch.float16, "dtype float16: the GPU has no bfloat16."
    if device == "mps":
        return torch.float16, "dtype float16: half the memory, computed natively."
    return torch.float32, "dtype float32: on a CPU the exact type is also the fast one."
