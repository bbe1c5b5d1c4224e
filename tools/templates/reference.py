# Renders chat templates over conversations with Python's jinja2, set up as transformers does it (its own filters, globals and the generation tag; sandboxed; trim_blocks, lstrip_blocks).
# python3 reference.py CONVERSATIONS.json TEMPLATE.jinja...    writes TEMPLATE.jinja.reference.json beside each: {conversation: {"text": ...} or {"error": ...}}
# Python never runs inside this project: the file exists to compare with the reference (compare.py).
import datetime
import json
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 3, 14, 15, 9, 26)


class Generation(Extension):
    """{% generation %} ... {% endgeneration %} renders its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller):
        return caller()


def fail(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = lambda value, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.globals["raise_exception"] = fail
    env.globals["strftime_now"] = NOW.strftime
    return env


def render(env, source, data):
    try:
        template = env.from_string(source)
    except Exception as e:
        return {name: {"error": repr(e)[:300]} for name in data["conversations"]}
    rows = {}
    for name, c in data["conversations"].items():
        try:
            variables = {**data["special_tokens"], **(c.get("kwargs") or {})}
            rows[name] = {"text": template.render(messages=c["messages"], tools=c.get("tools"), documents=None, add_generation_prompt=c.get("add_generation_prompt", False), **variables)}
        except Exception as e:
            rows[name] = {"error": repr(e)[:300]}
    return rows


if __name__ == "__main__":
    env = environment()
    data = json.load(open(sys.argv[1], encoding="utf-8"))
    for path in sys.argv[2:]:
        rows = render(env, open(path, encoding="utf-8", newline="").read(), data)
        json.dump(rows, open(path + ".reference.json", "w", encoding="utf-8"), ensure_ascii=False)
