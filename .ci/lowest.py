"""Prints the lowest versions that setup.py allows of what eplogging needs, as constraints for pip."""

import re
from importlib.metadata import requires

for requirement in requires("eplogging") or ():
    found = re.match(r"([\w.-]+)>=([\w.]+)(?:.*extra == .(\w+))?", requirement)
    if found and found[3] in (None, "fast"):
        print(f"{found[1]}=={found[2]}")
