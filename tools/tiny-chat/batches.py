"""Training batches. Batch n is a function of the seed and of n: nothing is stored, any step can be resumed at, and no text comes twice."""

import os
import pathlib
import random
import re
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "data")]

import numpy as np

import render
import tasks
import tokenizer as tokens
import words

SEED = 20261121
LENGTH = 2048
WINDOWS = 32

_tokenizer = None
_cache = {}
# Cuts where the tokenizer's own expression cuts, and at fewer places: what lies between is encoded as one and remembered.
_CHUNK = re.compile(r" [A-Za-z]+(?![A-Za-z0-9])|[A-Za-z]+|[0-9]|'[A-Za-z]+| ?[^\sA-Za-z0-9]+|[\r\n]+| +|\s")
_SPECIAL = re.compile("(" + "|".join(map(re.escape, tokens.SPECIAL)) + ")")


def start(path):
    """In each process that makes batches."""
    global _tokenizer
    from tokenizers import Tokenizer
    _tokenizer = Tokenizer.from_file(str(path))
    vocabulary = _tokenizer.get_vocab()
    words.learn(sorted(vocabulary, key=vocabulary.get))


def ids_of(text):
    """What the tokenizer says, word by word from a dictionary: several times as fast."""
    ids = []
    for part in _SPECIAL.split(text):
        for word in (part,) if part in tokens.SPECIAL or not part.isascii() else _CHUNK.findall(part):
            known = _cache.get(word)
            if known is None:
                known = _tokenizer.encode(word, add_special_tokens=False).ids
                if len(_cache) < 400_000:
                    _cache[word] = known
            ids += known
    return ids


def encode(pieces):
    """Ids and weights: 0 for the first token, which nothing predicts, 1 for what is read, 2 for what the assistant says."""
    ids, weights = [], []
    for text, said in pieces:
        new = ids_of(text)
        ids += new
        weights += [2 if said else 1] * len(new)
    weights[0] = 0
    return ids, weights


def batch(number):
    """The number, int16 ids, uint8 weights and int16 document numbers, each [WINDOWS, LENGTH]. Conversations are whole; the rest of a window is padding with document -1."""
    rng = random.Random(SEED * 1_000_003 + number)
    ids = np.zeros((WINDOWS, LENGTH), np.int16)
    weights = np.zeros((WINDOWS, LENGTH), np.uint8)
    documents = np.full((WINDOWS, LENGTH), -1, np.int16)
    used = [0] * WINDOWS
    document, missed, low = 0, 0, 0
    while missed < 6:
        conversation = tasks.draw(rng)
        pieces = render.segments(render.with_schema(conversation, rng), conversation["tools"])
        new, weight = encode(pieces)
        if document == 0:
            whole = [i for text, _ in pieces for i in _tokenizer.encode(text, add_special_tokens=False).ids]
            if new != whole:
                raise ValueError(f"Word by word the tokenizer says something else for {pieces}.")
        n = len(new)
        if n > LENGTH:
            continue
        place = next((w for w in range(low, WINDOWS) if used[w] + n <= LENGTH), None)
        if place is None:
            missed += 1
            continue
        at = used[place]
        ids[place, at:at + n] = new
        weights[place, at:at + n] = weight
        documents[place, at:at + n] = document
        used[place] += n
        document += 1
        while low < WINDOWS and used[low] > LENGTH - 40:
            low += 1
    return number, ids, weights, documents
