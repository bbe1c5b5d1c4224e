"""Greedy answers of transformers (float32, CPU) for 50 prompts, for the tests of our engine.

    python3 goldens.py MODEL OUT.json
"""

import json
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "data")]

import torch
import transformers

import render
import tasks

CLOSE = 0.05    # where the two likeliest logits are nearer than this, another order of additions may choose the other


FIRST = [{"kind": "plain", "messages": [{"role": "user", "content": text}], "tools": []} for text in ("What are you?", "Hello!")]


def main():
    folder, out = sys.argv[1:]
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    rng = random.Random(50)
    prompts = []
    for i in range(50):
        c = tasks.EVALUATED[i % len(tasks.EVALUATED)](rng, "eval") if i >= len(FIRST) else FIRST[i]
        messages, tools = render.with_schema(c, rng)[:-1] if i >= len(FIRST) else c["messages"], c["tools"] or None
        for j, message in enumerate(messages):
            for k, call in enumerate(message.get("tool_calls", ())):
                call["id"] = f"call_{j}_{k}"
            if message["role"] == "tool":
                message["tool_call_id"] = f"call_{j - 1}_0"
        text = tokenizer.apply_chat_template(messages, tools=tools, add_generation_prompt=True, tokenize=False)
        ids = tokenizer(text, add_special_tokens=False).input_ids
        greedy, until, least = [], 0, float("inf")
        with torch.no_grad():
            result = model(torch.tensor([ids]), use_cache=True)
            while True:
                best = result.logits[0, -1].topk(2)
                margin = (best.values[0] - best.values[1]).item()
                if least >= CLOSE:
                    if margin >= CLOSE:
                        until = len(greedy) + 1
                    least = min(least, margin)
                greedy.append(best.indices[0].item())
                if greedy[-1] in (0, 2) or len(greedy) == 48:
                    break
                result = model(torch.tensor([[greedy[-1]]]), past_key_values=result.past_key_values, use_cache=True)
        prompts.append({"name": f"{c['kind']} {i // len(tasks.EVALUATED) + 1}", "messages": messages, "tools": tools, "prompt": text, "prompt_ids": ids, "greedy_ids": greedy,
                        "text": tokenizer.decode(greedy, skip_special_tokens=True), "min_margin": round(least, 4), "compare_until": until})
    head = {"transformers": transformers.__version__, "torch": torch.__version__, "reference": "float32, eager attention, CPU, of the bf16 weights"}
    pathlib.Path(out).write_text(json.dumps(head | {"prompts": prompts}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
