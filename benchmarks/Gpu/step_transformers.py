"""A decode step of transformers (static cache, torch.compile in mode reduce-overhead) on random weights in Llama shapes: microseconds, median.

python3 benchmarks/Gpu/step_transformers.py [read rate in TB/s]
"""
import statistics
import sys
import traceback

import torch
import transformers
from transformers import LlamaConfig, LlamaForCausalLM, StaticCache

SHAPES = {
    "Llama-3.2-1B": dict(num_hidden_layers=16, hidden_size=2048, intermediate_size=8192, num_attention_heads=32, num_key_value_heads=8, head_dim=64, tie_word_embeddings=True),
    "Llama-3.1-8B": dict(num_hidden_layers=32, hidden_size=4096, intermediate_size=14336, num_attention_heads=32, num_key_value_heads=8, head_dim=128, tie_word_embeddings=False),
}
CONTEXT = 512


def bytes_of(shape, batch):
    hidden, heads, kv, dim = shape["hidden_size"], shape["num_attention_heads"], shape["num_key_value_heads"], shape["head_dim"]
    layer = hidden * (heads + 2 * kv) * dim + hidden * heads * dim + 3 * hidden * shape["intermediate_size"]
    return 2 * (shape["num_hidden_layers"] * layer + 128256 * hidden) + 4 * shape["num_hidden_layers"] * kv * dim * batch * CONTEXT


@torch.inference_mode()
def measure(model, batch):
    torch._dynamo.reset()
    cache = StaticCache(config=model.config, max_cache_len=CONTEXT)
    ids = torch.randint(0, 128256, (batch, CONTEXT - 1), device="cuda")
    model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    step = torch.compile(model.forward, mode="reduce-overhead", fullgraph=True)
    token = torch.randint(0, 128256, (batch, 1), device="cuda")
    position = torch.full((batch, 1), CONTEXT - 1, device="cuda")

    def once():
        torch.compiler.cudagraph_mark_step_begin()
        for layer in cache.layers:
            # Every step is the same one: the last place of the cache.
            if isinstance(getattr(layer, "cumulative_length", None), torch.Tensor):
                layer.cumulative_length.fill_(CONTEXT - 1)
            elif hasattr(layer, "cumulative_length"):
                layer.cumulative_length = CONTEXT - 1
        return step(input_ids=token, position_ids=position, past_key_values=cache, use_cache=True)

    for _ in range(6):
        once()
    times = []
    for _ in range(30):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        once()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end) * 1000)
    return statistics.median(times)


rate = float(sys.argv[1]) if len(sys.argv) > 1 else None
torch.set_float32_matmul_precision("high")
print(f"torch {torch.__version__}, transformers {transformers.__version__}")
print("| model, batch, context | us | share of read |")
print("|---|---|---|")
for name, shape in SHAPES.items():
    config = LlamaConfig(vocab_size=128256, max_position_embeddings=8192, rms_norm_eps=1e-5, attn_implementation="sdpa", **shape)
    with torch.device("cuda"):
        torch.set_default_dtype(torch.bfloat16)
        model = LlamaForCausalLM(config).eval()
        torch.set_default_dtype(torch.float32)
    for batch in (1, 8):
        try:
            time = measure(model, batch)
            print(f"| {name}, {batch}, {CONTEXT} | {time:.0f} | {'' if rate is None else f'{bytes_of(shape, batch) / rate / 1e6 / time:.1%}'} |", flush=True)
        except Exception:
            traceback.print_exc(limit=-3)
    del model
    torch.cuda.empty_cache()
