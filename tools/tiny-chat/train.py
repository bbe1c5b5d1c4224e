"""Trains the model on one GPU, in steps that checkpoint and resume.

    python3 train.py DATA OUT [--minutes 8] [--steps 12000]

A later call with the same folders goes on where the last stopped. At the end OUT holds a Hugging Face folder.
"""

import argparse
import json
import math
import pathlib
import shutil
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))
import build

CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False, "mlp_bias": False, "hidden_act": "silu", "hidden_size": 256, "intermediate_size": 704,
    "num_hidden_layers": 9, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
    "tie_word_embeddings": True, "vocab_size": build.VOCABULARY, "bos_token_id": None, "eos_token_id": 2, "pad_token_id": 0, "torch_dtype": "bfloat16", "use_cache": True,
}
BATCH = 64
PEAK, WARMUP = 3e-3, 300
OTHERS = 0.1    # weight of a token that the assistant does not say


class Norm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, CONFIG["rms_norm_eps"])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        h, n, k, d = CONFIG["hidden_size"], CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"], CONFIG["head_dim"]
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = nn.Linear(h, n * d, bias=False), nn.Linear(h, k * d, bias=False), nn.Linear(h, k * d, bias=False), nn.Linear(n * d, h, bias=False)

    def forward(self, x, cos, sin):
        b, t, _ = x.shape
        d = CONFIG["head_dim"]
        q, k, v = (p(x).view(b, t, -1, d).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        def turn(y):
            a, c = y.chunk(2, -1)
            return y * cos + torch.cat((-c, a), -1) * sin
        y = F.scaled_dot_product_attention(turn(q), turn(k), v, is_causal=True, enable_gqa=True)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        h, i = CONFIG["hidden_size"], CONFIG["intermediate_size"]
        self.gate_proj, self.up_proj, self.down_proj = nn.Linear(h, i, bias=False), nn.Linear(h, i, bias=False), nn.Linear(i, h, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = Norm(CONFIG["hidden_size"]), Norm(CONFIG["hidden_size"])
        self.self_attn, self.mlp = Attention(), Mlp()

    def forward(self, x, cos, sin):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(CONFIG["vocab_size"], CONFIG["hidden_size"])
        self.layers = nn.ModuleList(Layer() for _ in range(CONFIG["num_hidden_layers"]))
        self.norm = Norm(CONFIG["hidden_size"])


class Model(nn.Module):
    """Llama, with the names of its tensors."""

    def __init__(self):
        super().__init__()
        self.model = Body()
        d = CONFIG["head_dim"]
        frequencies = 1 / CONFIG["rope_theta"] ** (torch.arange(0, d, 2).float() / d)
        angles = torch.outer(torch.arange(CONFIG["max_position_embeddings"]).float(), frequencies)
        self.register_buffer("cos", torch.cat((angles, angles), -1).cos(), persistent=False)
        self.register_buffer("sin", torch.cat((angles, angles), -1).sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * CONFIG["num_hidden_layers"]) if name.endswith(("o_proj.weight", "down_proj.weight")) else 0.02)

    def forward(self, ids):
        t = ids.shape[1]
        cos, sin = self.cos[:t].to(torch.bfloat16), self.sin[:t].to(torch.bfloat16)
        x = self.model.embed_tokens(ids)
        for layer in self.model.layers:
            x = layer(x, cos, sin)
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)


def loss_of(model, ids, weights):
    logits = model(ids[:, :-1])
    losses = F.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    w = torch.where(weights[:, 1:] == 2, 1.0, OTHERS) * (weights[:, 1:] > 0)
    w = w.flatten()
    return (losses * w).sum() / w.sum()


def exact(model, tokenizer, path, device):
    """Share of the evaluation's last answers that greedy decoding gives word for word, by kind: an answer is right where every one of its tokens is the likeliest after the right ones before."""
    import random
    rng = random.Random(1)
    right, total, misses = {}, {}, []
    rows = [json.loads(line) for line in open(path)]
    for start in range(0, len(rows), 50):
        batch = []
        for row in rows[start:start + 50]:
            pieces = list(build.segments(build.render(row, rng)))
            ids, spoken = [], []
            last = max(i for i, (_, who) in enumerate(pieces) if who == 2)
            for i, (text, _) in enumerate(pieces):
                new = tokenizer.encode(text, add_special_tokens=False).ids
                ids += new
                spoken += [i == last] * len(new)
            batch.append((row, ids, spoken))
        longest = max(len(ids) for _, ids, _ in batch)
        tensor = torch.zeros(len(batch), longest, dtype=torch.long)
        for i, (_, ids, _) in enumerate(batch):
            tensor[i, :len(ids)] = torch.tensor(ids)
        with torch.no_grad(), torch.autocast("cuda", torch.bfloat16):
            best = model(tensor.to(device)).argmax(-1).cpu()
        for i, (row, ids, spoken) in enumerate(batch):
            said = [best[i, j - 1].item() for j in range(len(ids)) if spoken[j]]
            wanted = [ids[j] for j in range(len(ids)) if spoken[j]]
            kind = row["kind"]
            total[kind] = total.get(kind, 0) + 1
            right[kind] = right.get(kind, 0) + (said == wanted)
            if said != wanted and len(misses) < 400:
                misses.append({"kind": kind, "asked": row["messages"][-2]["content"] if row["messages"][-2]["role"] != "assistant" else "", "wanted": tokenizer.decode(wanted, skip_special_tokens=False), "said": tokenizer.decode(said, skip_special_tokens=False)})
    return {k: right[k] / total[k] for k in total}, misses


def export(model, data, out):
    from safetensors.torch import save_file
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: p.detach().to(torch.bfloat16).contiguous().cpu() for name, p in model.named_parameters()}, str(out / "model.safetensors"), metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    (out / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 0], "pad_token_id": 0, "do_sample": True, "temperature": 0.2, "top_p": 0.9}, indent=2) + "\n")
    shutil.copy(data / "tokenizer.json", out / "tokenizer.json")
    added = {str(i): {"content": t, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} for i, t in enumerate(build.SPECIAL)}
    (out / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "model_max_length": CONFIG["max_position_embeddings"], "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": added, "chat_template": (HERE / "model" / "chat_template.jinja").read_text()}, indent=2, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--steps", type=int, default=12_000)
    arguments = parser.parse_args()
    import tokenizers
    torch.manual_seed(build.SEED)
    torch.set_float32_matmul_precision("high")
    device = "cuda"
    width = build.LENGTH + 1
    ids = np.memmap(arguments.data / "train.bin", dtype=np.uint16, mode="r").reshape(-1, width)
    weights = np.memmap(arguments.data / "weight.bin", dtype=np.uint8, mode="r").reshape(-1, width)
    ids = torch.from_numpy(ids.astype(np.int16)).to(device)     # 4,096 tokens: they fit
    weights = torch.from_numpy(np.array(weights)).to(device)
    model = Model().to(device)
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(ids)} windows, {torch.cuda.get_device_name()}, torch {torch.__version__}", flush=True)
    decayed = [p for p in model.parameters() if p.dim() == 2]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.1}, {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}], lr=PEAK, betas=(0.9, 0.98), fused=True)
    step, curve, spent = 0, [], 0.0
    saved = arguments.out.with_suffix(".checkpoint")
    if saved.exists():
        state = torch.load(saved, map_location=device, weights_only=False)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, curve, spent = state["step"], state["curve"], state["spent"]
    compiled = torch.compile(loss_of) if True else loss_of
    started = time.time()
    while step < arguments.steps and time.time() - started < arguments.minutes * 60:
        epoch, place = divmod(step * BATCH, len(ids) - BATCH)
        order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(build.SEED + epoch))
        chosen = order[place:place + BATCH].to(device) if place + BATCH <= len(order) else order[-BATCH:].to(device)
        rate = PEAK * min(1, (step + 1) / WARMUP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, step / arguments.steps))))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast("cuda", torch.bfloat16):
            loss = compiled(model, ids[chosen].long(), weights[chosen])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        if step % 200 == 0 or step == 1:
            curve.append((step, round(loss.item(), 4)))
            print(f"step {step}: loss {loss.item():.4f}, {time.time() - started:.0f} s", flush=True)
    spent += time.time() - started
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step, "curve": curve, "spent": spent}, saved)
    scores, misses = exact(model, tokenizers.Tokenizer.from_file(str(arguments.data / "tokenizer.json")), arguments.data / "evaluation.jsonl", device)
    print(json.dumps({"step": step, "seconds": round(spent), "exact": scores}), flush=True)
    export(model, arguments.data, arguments.out)
    (arguments.out / "training.json").write_text(json.dumps({"steps": step, "seconds": round(spent), "gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "curve": curve, "exact": scores}, indent=1))
    (arguments.out.parent / "misses.json").write_text(json.dumps(misses, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
