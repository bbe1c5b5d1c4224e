"""Trains the tokenizer on text of the generators: byte-level BPE of 4,096 tokens.

    python3 tokenizer.py OUT/tokenizer.json

What copies well was the aim. A word is cut the same way wherever it stands: spaces are tokens of their own, except in front of
the commonest function words, which nobody asks to copy. Digits and letters of words in capitals stand alone.
"""

import multiprocessing as mp
import os
import pathlib
import random
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "data")]

import render
import tasks

SEED = 20261121
VOCABULARY = 4096
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]
FUNCTION_WORDS = """a about after all also an and any are as at back be because been before but by can could did do does down else every for from get give had has have
he her here him his how i if in into is it its just know let like may me more must my name need no not now of off on one only or other our out over please she should so some such
tell than that the their them then there these they this those to too up us use very want was we were what when where which who whose why will with without would yes you your""".split()
SPLIT = r" (?:" + "|".join(FUNCTION_WORDS) + r")(?![\p{L}\p{N}])|'(?:s|t|m|re|ve|ll|d)(?!\p{L})|\p{Lu}?[\p{Ll}\p{Lo}\p{Lm}\p{M}]+|\p{L}|\p{N}| ?[^\s\p{L}\p{N}]+|[\r\n]+| +|\s"


def texts(job):
    number, count = job
    rng = random.Random(SEED * 1000 + number)
    drawn = (tasks.draw(rng) for _ in range(count))
    return [text for c in drawn for text, _ in render.segments(render.with_schema(c, rng), c["tools"])]


def main():
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), min_frequency=2, max_token_length=14, show_progress=False)
    import re
    with mp.Pool(min(15, os.cpu_count() or 1)) as pool:
        tokenizer.train_from_iterator((re.sub(r"<\|im_(?:start|end)\|>|</?tool_call>", "\n", t) for part in pool.imap(texts, [(i, 2000) for i in range(30)]) for t in part), trainer)
    tokenizer.save(sys.argv[1])


if __name__ == "__main__":
    main()
