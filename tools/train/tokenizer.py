# SPDX-License-Identifier: Apache-2.0
"""Trains the byte-level BPE tokenizer that all reference models share.

The pre-tokenizer is the published Qwen2 pattern (single digits), so that GGUF
can name it: `tokenizer.ggml.pre = qwen2`. Three special tokens come first.
BOS is put before every text; models end their answer with EOS.

The merges are learned on finer pieces than that pattern cuts: letters never
merge with a space or a mark before them. So a name has the same tokens in a
record and in its JSON, and a small model learns to copy it in minutes.
"""

import argparse
import itertools
import json
import pathlib

import records

BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"
SPECIALS = (BOS, EOS, PAD)  # their ids are 0, 1, 2
VOCABULARY_SIZE = 768
CORPUS_SEED = 99
CORPUS_RECORDS = 40_000

QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

LEARNING_PATTERN = r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+|\s"


def corpus():
    """Prompts and answers, each as the models will see them."""
    stream = records.stream(CORPUS_SEED, frozenset())
    for record in itertools.islice(stream, CORPUS_RECORDS):
        yield record.prompt
        yield record.answer


def train_tokenizer():
    """A trained tokenizers.Tokenizer with BOS in its post-processor."""
    from tokenizers import Regex, Tokenizer, decoders, models
    from tokenizers import pre_tokenizers, processors, trainers

    def pieces(pattern):
        split = pre_tokenizers.Split(Regex(pattern), "isolated")
        as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        return pre_tokenizers.Sequence([split, as_bytes])

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pieces(LEARNING_PATTERN)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.pre_tokenizer = pieces(QWEN2_PATTERN)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A {BOS} $B",
        special_tokens=[(BOS, SPECIALS.index(BOS))],
    )
    return tokenizer


def tokenizer_config(context_length):
    """The contents of tokenizer_config.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "model_max_length": context_length,
    }


def main():
    parser = argparse.ArgumentParser(description="Train the tokenizer.")
    parser.add_argument("output", type=pathlib.Path, help="tokenizer.json")
    arguments = parser.parse_args()
    tokenizer = train_tokenizer()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, indent=1)
    arguments.output.write_text(text + "\n", encoding="utf-8")
    print(f"{tokenizer.get_vocab_size()} tokens -> {arguments.output}")


if __name__ == "__main__":
    main()
