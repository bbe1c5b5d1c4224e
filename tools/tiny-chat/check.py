"""The fast renderer writes what the template writes, on what the generators draw; and each task's questions, to read.

    python3 check.py [COUNT] [TASK]
"""

import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "data")]

import render
import tasks

count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
template = render.template()
rng = random.Random(7)
longest = total = 0
spent = 0.0
for i in range(count):
    started = time.perf_counter()
    conversation = tasks.draw(rng)
    messages = render.with_schema(conversation, rng)
    pieces = render.segments(messages, conversation["tools"])
    spent += time.perf_counter() - started
    text = "".join(p for p, _ in pieces)
    wanted = template.render(messages=messages, tools=conversation["tools"] or None, add_generation_prompt=False)
    assert text + "\n" == wanted, (text, wanted)
    longest, total = max(longest, len(text)), total + len(text)
print(f"{count} conversations, {total / count:.0f} characters each, at most {longest}, {spent / count * 1e3:.2f} ms each")
if len(sys.argv) > 2:
    for _ in range(40):
        c = getattr(tasks, sys.argv[2])(rng, rng.choice(("train", "eval")))
        print("-" * 20)
        print("".join(p for p, _ in render.segments(render.with_schema(c, rng), c["tools"])))
