"""Certificates of every kind, made by openssl."""

import ssl
import subprocess
from pathlib import Path

CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]  # a key of it is made at once


def certificate(folder: Path, name: str, days: int = 30) -> tuple[ssl.SSLContext, Path]:
    """A self-signed certificate for `name`: its own context as a server, and its file. With -1 days it ended yesterday."""
    key, request, names, file = (folder / f"{name}{days}{ending}" for ending in (".key", ".csr", ".ext", ".pem"))
    names.write_text(f"subjectAltName=DNS:{name}")
    make = ["openssl", "req", "-new", *CURVE, "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={file.stem}"]
    sign = ["openssl", "x509", "-req", "-in", request, "-signkey", key, "-extfile", names, "-days", str(days), "-out", file]
    for step in (make, sign):
        subprocess.run(step, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return context, file
