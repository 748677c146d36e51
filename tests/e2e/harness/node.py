"""The packages of npm that the e2e tests' programs in node/ need, below the build folder."""

import os
import shutil
import subprocess

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "node")
MANIFESTS = ("package.json", "package-lock.json")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def install(folder):
    """Installs the locked packages, unless that was done for the same lock before."""
    os.makedirs(folder, exist_ok=True)
    done = os.path.join(folder, "installed")
    wanted = b"".join(read(os.path.join(SOURCE, name)) for name in MANIFESTS)
    if os.path.exists(done) and read(done) == wanted:
        return
    for name in MANIFESTS:
        shutil.copy(os.path.join(SOURCE, name), folder)
    # npm brings certificates of its own; a proxy's is among Debian's.
    environment = {"NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt", **os.environ}
    finished = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, env=environment,
                              capture_output=True, text=True, timeout=240, check=False)
    if finished.returncode != 0:
        raise AssertionError(f"npm ci failed:\n{finished.stdout}{finished.stderr}")
    with open(done, "wb") as file:
        file.write(wanted)
