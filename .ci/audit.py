"""Runs pip-audit, and fails where it finds a vulnerability; not where its service can not be asked."""

import json
import subprocess
import sys
from pathlib import Path

program = Path(sys.executable).with_name("pip-audit")
options = ["--progress-spinner=off", "--format=json", "--skip-editable"]
audit = subprocess.run([program, *options], capture_output=True, text=True)
try:
    packages = json.loads(audit.stdout)["dependencies"]
except ValueError:
    unreachable = "ConnectionError" in audit.stderr or "Timeout" in audit.stderr
    print("NOT AUDITED: no vulnerability service can be reached" if unreachable else audit.stderr)
    sys.exit(0 if unreachable else 1)

asked = [package for package in packages if "skip_reason" not in package]
for package in asked:
    for found in package["vulns"]:
        print(f"{package['name']} {package['version']}: {found['id']} {found.get('fix_versions', '')}")
if asked:
    print(f"{len(asked)} of {len(packages)} packages were audited")
else:
    print("NOT AUDITED: the vulnerability service knows none of the packages (a mirror without such data?)")
sys.exit(any(package["vulns"] for package in asked))
