# Compares our rendering (samples/Tokens --template) with that of reference.py, byte for byte. Where the reference raises, ours may refuse or render.
# python3 reference.py CONVERSATIONS.json T/*.jinja && python3 compare.py CONVERSATIONS.json T/*.jinja
import json
import os
import subprocess
import sys

TOKENS = os.environ.get("TOKENS") or os.path.join(os.path.dirname(__file__), "../../samples/Tokens/bin/Release/net10.0/Tokens")
templates = rows = differences = refused = rendered = 0
for path in sys.argv[2:]:
    expected = json.load(open(path + ".reference.json", encoding="utf-8"))
    templates += 1
    rows += len(expected)
    run = subprocess.run([TOKENS, "--template", path, "--conversations", sys.argv[1], "--now", "2026-03-14T15:09:26"], capture_output=True)
    ours = json.loads(run.stdout) if run.returncode == 0 else {name: {"error": run.stderr.decode()} for name in expected}
    for name, row in expected.items():
        if "error" in row:
            refused += 1
            rendered += "text" in ours[name]
        elif ours[name].get("text") != row["text"]:
            differences += 1
            print(f"{path} {name}: {str(ours[name])[:300]}\n  reference {str(row)[:300]}")
print(f"{templates} templates, {rows} rows: {differences} differences; the reference refuses {refused} rows, of which ours renders {rendered}")
sys.exit(1 if differences else 0)
