"""Trains the model on one GPU while other processes write its batches. Checkpoints and resumes.

    python3 train.py OUT [--steps 12000] [--until 6000] [--minutes 8] [--tokenizer tokenizer.json]

OUT/checkpoint.pt holds the state; a later call with the same OUT and --steps goes on where the last stopped. At --steps (or with
--export) OUT/model becomes a Hugging Face folder, OUT/exact.json says how many answers of the held-out split come out word for word.

Used with Python 3.12.3, torch 2.11.0+cu130, tokenizers 0.23.2, transformers 5.17.0, numpy 2.5.2 on one NVIDIA H200.
"""

import argparse
import collections
import json
import multiprocessing as mp
import os
import pathlib
import random
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "data")]

import numpy as np
import torch
import torch.nn.functional as F

import batches
import render
import tasks
import tokenizer as tokens
from model import CONFIG, Model, mask_of
from muon import Muon

RATE, ADAM_RATE, WARMUP, DECAY = 5e-3, 3e-3, 200, 0.4    # the last share of the steps cools down to zero
AGAIN = 128
READ = 0.08    # weight of a token that the assistant does not say


def loss_of(model, ids, weights, mask):
    losses = F.cross_entropy(model(ids, mask)[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    w = weights[:, 1:].flatten()
    w = (w == 2).float() + READ * (w == 1).float()
    return (losses * w).sum() / w.sum()


def exact(model, encode, count):
    """Share of last answers that greedy decoding gives word for word, by kind: each token of the answer is the likeliest after the right ones before it."""
    rng = random.Random(batches.SEED + 1)
    scores, misses = {}, []
    for task in tasks.EVALUATED:
        rows = []
        while len(rows) < count:
            c = task(rng, "eval")
            pieces = render.segments(render.with_schema(c, rng), c["tools"])
            before, answer = [i for p in pieces[:-1] for i in encode(p[0])], encode(pieces[-1][0])
            if len(before) + len(answer) <= CONFIG["max_position_embeddings"]:
                rows.append((c, before, answer))
        rows.sort(key=lambda r: len(r[1]) + len(r[2]))
        for at in range(0, len(rows), 50):
            part = rows[at:at + 50]
            ids = torch.zeros(len(part), max(len(b) + len(a) for _, b, a in part), dtype=torch.long)
            for i, (_, b, a) in enumerate(part):
                ids[i, :len(b) + len(a)] = torch.tensor(b + a)
            with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
                best = model(ids.cuda()).argmax(-1).cpu()
            for i, (c, b, a) in enumerate(part):
                said = best[i, len(b) - 1:len(b) + len(a) - 1].tolist()
                right, total = scores.get(c["kind"], (0, 0))
                scores[c["kind"]] = (right + (said == a), total + 1)
                if said != a:
                    misses.append((c["kind"], [m["content"] for m in c["messages"][:-1]][-3:], a, said))
    return {k: round(r / t, 4) for k, (r, t) in scores.items()}, misses


def export(model, tokenizer_path, out):
    from safetensors.torch import save_file
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: p.detach().to(torch.bfloat16).contiguous().cpu() for name, p in model.named_parameters()}, str(out / "model.safetensors"), metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    (out / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 0], "pad_token_id": 0, "do_sample": False, "temperature": 0.0}, indent=2) + "\n")
    document = json.loads(pathlib.Path(tokenizer_path).read_text())
    (out / "tokenizer.json").write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
    added = {str(i): {"content": t, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": i < 3} for i, t in enumerate(tokens.SPECIAL)}
    (out / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "model_max_length": CONFIG["max_position_embeddings"], "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": added, "chat_template": render.TEMPLATE}, indent=2, ensure_ascii=False) + "\n")


def feed(tokenizer_path, first, last, shift, flex):
    """Ids, weights and masks of the steps in order, on the GPU. Other processes make the batches ahead; each is used twice, AGAIN batches apart, because a step is faster than its text."""
    def number_of(step):
        return step // 2 if step % 2 == 0 or step // 2 < AGAIN else step // 2 - AGAIN

    start = max(0, first // 2 - AGAIN)
    ahead, following, kept, least = collections.deque(), start, {}, start
    with mp.get_context("fork").Pool(max(1, (os.cpu_count() or 2) - 1), batches.start, (tokenizer_path,)) as pool:
        for step in range(first, last):
            while following <= last // 2 and len(ahead) < 256:
                ahead.append(pool.apply_async(batches.batch, (shift + following,)))
                following += 1
            while number_of(step) not in kept:
                number, *arrays = ahead.popleft().get(timeout=120)
                ids, weights, documents = (torch.from_numpy(a).pin_memory().cuda(non_blocking=True) for a in arrays)
                kept[number - shift] = ids.long(), weights, mask_of(documents, flex)
            while least < step // 2 - AGAIN:
                kept.pop(least, None)
                least += 1
            yield kept[number_of(step)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--steps", type=int, help="default: as many as fit into --minutes, told after 1,000 steps")
    parser.add_argument("--until", type=int)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--tokenizer", type=pathlib.Path)
    parser.add_argument("--rate", type=float, default=RATE, help="of the matrices at its highest; that of the rest follows")
    parser.add_argument("--init", type=pathlib.Path, help="a folder whose model.safetensors is gone on from, with other batches")
    parser.add_argument("--attention", choices=("flex", "plain"), default="flex")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--export", action="store_true")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    started = time.time()
    path = arguments.tokenizer or arguments.out / "tokenizer.json"
    if not path.exists():
        subprocess.run([sys.executable, str(HERE / "tokenizer.py"), str(path)], check=True)
        print(f"tokenizer: {time.time() - started:.1f} s", flush=True)
    saved = arguments.out / "checkpoint.pt"
    state = torch.load(saved, map_location="cpu", weights_only=False) if saved.exists() else None
    step = state["step"] if state else 0
    steps = arguments.steps or (state["steps"] if state else 1_000_000)
    until = min(arguments.until or steps, steps)
    source = feed(path, step, until, 10_000_000 if arguments.init else 0, arguments.attention == "flex")

    torch.manual_seed(batches.SEED)
    torch.set_float32_matmul_precision("high")
    model = Model().cuda()
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and "embed" not in n]
    muon = Muon(matrices)
    adam = torch.optim.AdamW([p for n, p in model.named_parameters() if p.dim() != 2 or "embed" in n], lr=ADAM_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    curve, spent = [], 0.0
    if arguments.init and not state:
        from safetensors.torch import load_file
        model.load_state_dict(load_file(str(arguments.init / "model.safetensors")))
    if state:
        model.load_state_dict(state["model"])
        adam.load_state_dict(state["adam"])
        muon.moments = {k: v.cuda() for k, v in state["muon"].items()}
        curve, spent = state["curve"], state["spent"]
    print(f"{sum(p.numel() for p in model.parameters())} parameters; step {step} of {steps}; {torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)

    compiled = torch.compile(loss_of, dynamic=False)
    window, waited, mark = [], 0.0, time.time()
    while step < until and time.time() - started < arguments.minutes * 65:
        before = time.time()
        ids, weights, mask = next(source)
        waited += time.time() - before
        scale = min(1, (step + 1) / WARMUP, (steps - step) / (DECAY * steps))
        with torch.autocast("cuda", torch.bfloat16):
            loss = compiled(model, ids, weights, mask)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in adam.param_groups:
            group["lr"] = ADAM_RATE * arguments.rate / RATE * scale
        adam.step()
        muon.step(arguments.rate * scale)
        model.zero_grad(set_to_none=True)
        step += 1
        window.append(loss.detach())
        if step % 100 == 0 or step == until:
            mean = torch.stack(window).mean().item()
            curve.append((step, round(mean, 4)))
            print(f"step {step}: loss {mean:.4f}, {time.time() - mark:.1f} s, of these {waited:.1f} s waiting for text", flush=True)
            if step == 1000 and steps == 1_000_000:
                steps = until = step + int((arguments.minutes * 60 - (time.time() - started)) / (time.time() - mark) * 100 * 0.97)
                print(f"{steps} steps will fit", flush=True)
            window, waited, mark = [], 0.0, time.time()
    source.close()
    spent += time.time() - started
    torch.save({"model": model.state_dict(), "adam": adam.state_dict(), "muon": muon.moments, "step": step, "steps": steps, "curve": curve, "spent": spent}, saved)
    if step < steps and not arguments.export:
        return
    from tokenizers import Tokenizer
    batches.start(path)
    codec = Tokenizer.from_file(str(path))
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(p.bfloat16())    # as the file has them
    export(model, path, arguments.out / "model")
    scores, misses = exact(model, lambda text: codec.encode(text, add_special_tokens=False).ids, arguments.count)
    print(json.dumps(scores), f"{time.time() - started:.0f} s", flush=True)
    (arguments.out / "exact.json").write_text(json.dumps({
        "steps": step, "of": steps, "tokens a step": batches.WINDOWS * batches.LENGTH, "seconds": round(spent), "gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "curve": curve, "exact": scores}, indent=1))
    (arguments.out / "misses.json").write_text(json.dumps(
        [{"kind": k, "asked": a, "wanted": codec.decode(w, skip_special_tokens=False), "said": codec.decode(s, skip_special_tokens=False)} for k, a, w, s in misses], indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
