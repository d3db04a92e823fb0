# SPDX-License-Identifier: Apache-2.0
"""Golden token ids from Hugging Face `tokenizers` and from `sentencepiece`.

    python3 -m venv venv && venv/bin/pip install tokenizers sentencepiece
    venv/bin/python tools/train/tokenizer_oracle.py tests/golden/tokenizer

trains one small tokenizer per scheme on generated text, unless its file is
there already, and writes what the two libraries make of more than 1 MiB of
other generated text: for each chunk of about 4 KiB the number of ids and a
hash of them. tests/model/tokenizer/sample_text.cpp generates the same text, so
neither the text nor Python is needed to run the tests.
"""

import argparse
import io
import pathlib
from dataclasses import dataclass

import sentencepiece
import tokenizers
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from tokenizer_text import chunks

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace("{1,3}", "")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}"
    r"\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}"
    r"\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d"
    r")?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

VOCABULARY = 1000
PIECES = 1200
TRAINING_CHUNKS = 100
GOLDEN_CHUNKS = 272  # of at least 4 KiB: more than 1 MiB
TRAINING_SEED, GOLDEN_SEED = 1, 2

# Compared on text whose characters are older than the tables of the libraries:
# tokenizers 0.23 normalises by Unicode 9 and PCRE2 10.42 matches by Unicode 14.
SETTLED = {"qwen2", "o200k", "prefixed"}

CONTROL = ["<|bos|>", "<|eos|>"]
DEFINED = [
    AddedToken("<tool>", normalized=False),
    AddedToken("<left>", normalized=False, lstrip=True),
    AddedToken("<right>", normalized=False, rstrip=True),
    AddedToken("solo", normalized=False, single_word=True),
    AddedToken("\u00dcn\u00ef", normalized=True),
]


def byte_level(split, normalizer=None, ignore_merges=False):
    """A byte-level BPE tokenizer before training."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def split_on(pattern):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def schemes():
    """Untrained byte-level tokenizers by file name."""
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    prefixed = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Punctuation("contiguous"),
            pre_tokenizers.ByteLevel(add_prefix_space=True),
        ]
    )
    return {
        "gpt2": byte_level(gpt2),
        "llama3": byte_level(split_on(LLAMA3), ignore_merges=True),
        "qwen2": byte_level(split_on(QWEN2), normalizers.NFC()),
        "o200k": byte_level(split_on(O200K)),
        "prefixed": byte_level(prefixed, normalizers.NFKC()),
    }


def train(tokenizer, texts):
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=CONTROL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens(DEFINED)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<|bos|> $A", special_tokens=[("<|bos|>", 0)]
    )
    return tokenizer


def train_sentencepiece(path, texts):
    """On Latin text alone: each character takes a place in the vocabulary."""
    latin = ("".join(c for c in text if c < "\u0250") for text in texts)
    lines = [line for text in latin for line in text.split("\n")]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=PIECES,
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        split_digits=True,
        character_coverage=0.98,
        user_defined_symbols=["<tool>", "solo"],
        allow_whitespace_only_pieces=True,
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())


def character_bpe(path):
    """The SentencePiece model as a tokenizer.json in the manner of Llama 2."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(path))
    size = model.get_piece_size()
    vocab = {model.id_to_piece(i): i for i in range(size)}
    merges = []
    for piece, score in ((p, model.get_score(i)) for p, i in vocab.items()):
        cuts = ((piece[:n], piece[n:]) for n in range(1, len(piece)))
        found = [cut for cut in cuts if cut[0] in vocab and cut[1] in vocab]
        found.sort(key=lambda cut: (vocab[cut[0]], vocab[cut[1]]))
        merges += [(score, cut) for cut in found]
    merges = [cut for _, cut in sorted(merges, key=lambda m: -m[0])]
    tokenizer = Tokenizer(
        models.BPE(
            vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    plain = {"normalized": False, "special": True}
    tokenizer.add_special_tokens(
        [AddedToken(name, **plain) for name in ("<unk>", "<s>", "</s>")]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocab["<s>"])]
    )
    return tokenizer


@dataclass
class Column:
    """One way of encoding: what to hash for each chunk."""

    name: str
    encode: object


def hugging_face_columns(tokenizer):
    def plain(text):
        tokenizer.encode_special_tokens = True  # special tokens stay text
        return tokenizer.encode(text).ids

    def special(text):
        tokenizer.encode_special_tokens = False
        return tokenizer.encode(text).ids

    return [Column("plain", plain), Column("special", special)]


def fnv(ids):
    """FNV-1a with ids in the place of bytes."""
    value = 0xCBF29CE484222325
    for token in ids:
        value = ((value ^ token) * 0x100000001B3) % 2**64
    return value


def write_golden(path, columns, texts, origin):
    with open(path, "w") as out:
        out.write(f"# {origin}; for each chunk: count and hash of the ids\n")
        out.write("# " + " ".join(column.name for column in columns) + "\n")
        for text in texts:
            ids = [column.encode(text) for column in columns]
            out.write(" ".join(f"{len(i)} {fnv(i):016x}" for i in ids) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--retrain", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    training = list(chunks(TRAINING_SEED, TRAINING_CHUNKS))
    golden = list(chunks(GOLDEN_SEED, GOLDEN_CHUNKS))
    known = list(chunks(GOLDEN_SEED, GOLDEN_CHUNKS, settled_only=True))

    def needed(path):
        return arguments.retrain or not path.exists()

    origin = f"tokenizers {tokenizers.__version__}"
    for name, untrained in schemes().items():
        path = folder / f"{name}.json"
        if needed(path):
            train(untrained, training).save(str(path), pretty=False)
        columns = hugging_face_columns(Tokenizer.from_file(str(path)))
        texts = known if name in SETTLED else golden
        write_golden(folder / f"{name}.ids", columns, texts, origin)

    tokenizer = Tokenizer.from_file(str(folder / "qwen2.json"))
    tokenizer.normalizer = None
    columns = hugging_face_columns(tokenizer)
    write_golden(folder / "qwen2-raw.ids", columns, golden, origin)

    model = folder / "pieces.model"
    if needed(model):
        train_sentencepiece(model, training)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    write_golden(
        folder / "pieces.ids",
        [Column("plain", processor.encode)],
        golden,
        f"sentencepiece {sentencepiece.__version__}",
    )
    path = folder / "characters.json"
    if needed(path):
        character_bpe(model).save(str(path), pretty=False)
    columns = hugging_face_columns(Tokenizer.from_file(str(path)))
    write_golden(folder / "characters.ids", columns, golden, origin)


if __name__ == "__main__":
    main()
