"""A digest of the native sources, taken when they are compiled and again when they are loaded."""

import hashlib
from pathlib import Path


def source_hash() -> str:
    """The hash of every .pyx, .pxd and .pxi file in native/; "" where there are none."""
    folder = Path(__file__).parent / "native"
    paths = sorted(path for ending in ("pyx", "pxd", "pxi") for path in folder.glob(f"*.{ending}"))
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16] if paths else ""
