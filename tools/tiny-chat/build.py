"""Makes the tokenizer and the training data.

    python3 build.py OUT [--conversations 3000000] [--processes 14]

writes OUT/tokenizer.json, OUT/train.bin (uint16 [windows, LENGTH + 1]), OUT/weight.bin (uint8, 2 where the assistant speaks,
1 elsewhere, 0 on padding) and OUT/evaluation.jsonl. Everything follows from the seed.
"""

import argparse
import json
import multiprocessing as mp
import os
import pathlib
import random
import re
import sys
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "data"))
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import jinja2
import jinja2.ext
import numpy as np
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

import tasks

SEED = 20261121
LENGTH = 2048
VOCABULARY = 4096
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPOKEN = re.compile(r"(<\|im_start\|>assistant\n)(.*?<\|im_end\|>)", re.S)


def environment():
    # As transformers sets it up.
    env = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])
    env.filters["tojson"] = lambda value, **kw: json.dumps(value, ensure_ascii=False, **kw)
    return env


TEMPLATE = environment().from_string((HERE / "model" / "chat_template.jinja").read_text())

# How a provider shows a schema to the model: KvPrefetch.AI's own wording most often, and others.
SCHEMA_WORDINGS = (HERE / "data" / "schema_wordings.txt").read_text().splitlines()


def with_schema(conversation, rng):
    """The request as the model sees it: the schema stands in the system message."""
    messages = conversation["messages"]
    if conversation["schema"] is None:
        return messages
    wording = SCHEMA_WORDINGS[0] if rng.random() < 0.6 else rng.choice(SCHEMA_WORDINGS)
    text = wording.replace("{schema}", json.dumps(conversation["schema"], ensure_ascii=False, separators=rng.choice(((",", ":"), (", ", ": ")))))
    if messages[0]["role"] == "system":
        return [{"role": "system", "content": messages[0]["content"] + "\n" + text}] + messages[1:]
    return [{"role": "system", "content": text}] + messages


def render(conversation, rng):
    return TEMPLATE.render(messages=with_schema(conversation, rng), tools=conversation["tools"] or None, add_generation_prompt=False)


def segments(text):
    """The text in pieces that are tokenized each by itself, with who speaks."""
    at = 0
    for match in SPOKEN.finditer(text):
        yield text[at:match.start(2)], 1
        yield match.group(2), 2
        at = match.end(2)
    if at < len(text):
        yield text[at:], 1


def make_tokenizer(path):
    rng = random.Random(SEED)
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(SPLIT), behavior="isolated", invert=False), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=2, max_token_length=16, show_progress=False)
    def texts():
        for _ in range(150_000):
            yield re.sub(r"<\|im_(start|end)\|>|</?tool_call>", " ", render(tasks.draw(rng), rng))
    tokenizer.train_from_iterator(texts(), trainer)
    tokenizer.save(str(path))


def worker(job):
    number, count, tokenizer_path = job
    rng = random.Random(SEED * 1000 + number)
    tokenizer = tokenizers.Tokenizer.from_file(str(tokenizer_path))
    end = tokenizer.token_to_id("<|endoftext|>")
    ids_out, weights_out = [], []
    ids, weights = [], []
    longest = 0
    for _ in range(count):
        pieces = list(segments(render(tasks.draw(rng), rng)))
        new_ids, new_weights = [], []
        for encoding, (_, weight) in zip(tokenizer.encode_batch_fast([p for p, _ in pieces], add_special_tokens=False), pieces):
            new_ids += encoding.ids
            new_weights += [weight] * len(encoding.ids)
        longest = max(longest, len(new_ids))
        if len(new_ids) > LENGTH:
            continue
        if len(ids) + len(new_ids) > LENGTH + 1:
            padding = LENGTH + 1 - len(ids)
            ids_out.append(ids + [end] * padding)
            weights_out.append(weights + [0] * padding)
            ids, weights = [], []
        ids += new_ids
        weights += new_weights
    return np.array(ids_out, dtype=np.uint16), np.array(weights_out, dtype=np.uint8), longest


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--conversations", type=int, default=3_000_000)
    parser.add_argument("--processes", type=int, default=14)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    started = time.time()
    path = arguments.out / "tokenizer.json"
    make_tokenizer(path)
    print(f"tokenizer: {time.time() - started:.1f} s", flush=True)

    rng = random.Random(SEED + 1)
    with open(arguments.out / "evaluation.jsonl", "w") as file:
        for task in tasks.EVALUATED:
            for _ in range(200):
                file.write(json.dumps(task(rng, "eval"), ensure_ascii=False) + "\n")

    each = 20_000
    jobs = [(i, each, path) for i in range(max(1, arguments.conversations // each))]
    windows = tokens = spoken = longest = 0
    with mp.Pool(arguments.processes) as pool, open(arguments.out / "train.bin", "wb") as train, open(arguments.out / "weight.bin", "wb") as weight:
        for ids, weights, most in pool.imap(worker, jobs):
            ids.tofile(train)
            weights.tofile(weight)
            windows += len(ids)
            tokens += int((weights > 0).sum())
            spoken += int((weights == 2).sum())
            longest = max(longest, most)
    print(f"{len(jobs) * each} conversations, {windows} windows of {LENGTH}, {tokens / 1e6:.1f} M tokens, {spoken / 1e6:.1f} M of them the assistant's; the longest conversation has {longest}; {time.time() - started:.1f} s", flush=True)


if __name__ == "__main__":
    main()
