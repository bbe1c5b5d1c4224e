"""Conversations as the model reads them: the chat template, and the same in Python, faster and in pieces that say who speaks."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
TEMPLATE = (HERE / "model" / "chat_template.jinja").read_text()

# How a provider shows a schema to the model: KvPrefetch.AI's own wording first (src/Provider/FormatRequest.cs), then others.
SCHEMA_WORDINGS = [line.replace("\\n", "\n") for line in (HERE / "data" / "schema_wordings.txt").read_text().splitlines()]


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def with_schema(conversation, rng):
    """The request as the model sees it: the schema stands in the system message."""
    messages, schema = conversation["messages"], conversation["schema"]
    if schema is None:
        return messages
    ours = rng.random() < 0.8
    text = (SCHEMA_WORDINGS[0] if ours else rng.choice(SCHEMA_WORDINGS)).replace("{schema}", compact(schema) if ours or rng.random() < 0.5 else json.dumps(schema, ensure_ascii=False))
    if messages[0]["role"] == "system":
        return [{"role": "system", "content": messages[0]["content"] + ("\n\n" if ours else "\n") + text}] + messages[1:]
    return [{"role": "system", "content": text}] + messages


def kind(p):
    if "enum" in p:
        return " | ".join(str(v) for v in p["enum"])
    if "type" not in p:
        return "any"
    if not isinstance(p["type"], str):
        return " | ".join(t for t in p["type"] if t != "null")
    if p["type"] == "array" and "items" in p:
        return "array of " + kind(p["items"])
    return compact(p) if p["type"] == "object" else p["type"]


def declaration(tool):
    f = tool["function"]
    lines = [f"- {f['name']}" + (f": {f['description']}" if f.get("description") else "")]
    required = f["parameters"].get("required", [])
    for name, p in f["parameters"]["properties"].items():
        lines.append(f"  {name} ({kind(p)}{'' if name in required else ', optional'})" + (f": {p['description']}" if p.get("description") else ""))
    return "\n".join(lines) + "\n"


def spoken(message):
    text = message["content"]
    for i, call in enumerate(message.get("tool_calls", ())):
        f = call["function"]
        text += ("\n" if text else "") + f'<tool_call>\n{{"name": "{f["name"]}", "arguments": {compact(f["arguments"])}}}\n</tool_call>'
    return text + "<|im_end|>"


def segments(messages, tools):
    """[(text, whether the assistant says it)], joined equal to what the template writes."""
    pieces, text = [], ""
    system = "\n".join(m["content"] for m in messages if m["role"] == "system")
    if system or tools:
        text = "<|im_start|>system\n" + system
        if tools:
            text += ("\n" if system else "") + "Tools:\n" + "".join(map(declaration, tools))
        text += "<|im_end|>\n"
    for message in messages:
        if message["role"] == "system":
            continue
        text += f"<|im_start|>{message['role']}\n"
        if message["role"] == "assistant":
            pieces += [(text, False), (spoken(message), True)]
            text = "\n"
        else:
            text += message["content"] + "<|im_end|>\n"
    return pieces    # nothing stands behind the last answer but a line break


def template():
    """The template as transformers compiles it."""
    import jinja2
    import jinja2.ext
    env = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = lambda value, **kw: json.dumps(value, ensure_ascii=False, **kw)
    return env.from_string(TEMPLATE)
