#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the fuzz target tokenizer_json.

    tests/fuzz/make_tokenizer_corpus.py

fills tests/fuzz/corpus/tokenizer_json/. A seed is a small tokenizer.json, a
zero byte and a text. The seeds are committed; run this after a change.
"""

import json
import pathlib

CORPUS = pathlib.Path(__file__).parent / "corpus" / "tokenizer_json"
TEXT = "Hello, w\u00f6rld!  don't\r\n\t42 \u4f60\u597d e\u0301 \U0001f600 <s> abab"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_characters():
    """The printable character of every byte in byte-level vocabularies."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [byte for byte in range(256) if byte not in plain]
    names = {byte: chr(byte) for byte in plain}
    names.update({byte: chr(256 + i) for i, byte in enumerate(other)})
    return [names[byte] for byte in range(256)]


def added(token_id, content, **flags):
    token = {"id": token_id, "content": content, "special": True}
    flags_off = {"lstrip": False, "rstrip": False, "normalized": False}
    return token | flags_off | {"single_word": False} | flags


def byte_level(pre_tokenizer, merges=(("a", "b"), ("ab", "ab")), **model):
    tokens = ["<s>", "</s>", *byte_characters()]
    tokens += ["".join(pair) for pair in merges]
    return {
        "added_tokens": [added(0, "<s>"), added(1, "</s>")],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": {"id": "A"}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0]}},
        },
        "decoder": {"type": "ByteLevel"},
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": [list(pair) for pair in merges],
        }
        | model,
    }


def pieces(normalizer, pre_tokenizer, **model):
    """A SentencePiece model as Hugging Face converts it."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += ["\u2581", "a", "b", "ab", "\u2581ab", "H", "l", "\u00f6"]
    return {
        "added_tokens": [added(1, "<s>"), added(263, "[T]", special=False)],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": {"type": "RobertaProcessing", "cls": ["<s>", 1],
                           "sep": ["</s>", 2]},
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": ["a b", "\u2581 ab"],
        }
        | model,
    }  # fmt: skip


def split(regex, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior,
            "invert": invert}  # fmt: skip


def sequence(kind, key, *parts):
    return {"type": kind, key: list(parts)}


BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
METASPACE = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first"}
PREPEND = {"type": "Prepend", "prepend": "\u2581"}
SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
FORMS = [{"type": form} for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase")]


def pre(*parts):
    return sequence("Sequence", "pretokenizers", *parts)


def seeds():
    digits = {"type": "Digits", "individual_digits": True}
    marks = {"type": "Punctuation", "behavior": "Contiguous"}
    strip = {"type": "Strip", "strip_left": True, "strip_right": False}
    normalizers = sequence("Sequence", "normalizers", *FORMS, strip)
    yield "gpt2", byte_level({"type": "ByteLevel"})
    yield "gpt2_regex", byte_level(pre(split(GPT2), BYTES))
    yield "qwen2", byte_level(pre(split(QWEN2), BYTES), ignore_merges=True)
    yield "removed", byte_level(pre(split(r"\s+", "Removed"), BYTES))
    yield "inverted", byte_level(pre(split(r"\p{L}+", "Removed", True), BYTES))
    yield "previous", byte_level(pre(split(",|!", "MergedWithPrevious"), BYTES))
    yield "next", byte_level(pre(split(r"(?<=l)o|\d", "MergedWithNext"), BYTES))
    yield "digits", byte_level(pre(digits, marks, BYTES))
    words = pieces(None, {"type": "WhitespaceSplit"})
    yield "words", words | {"normalizer": normalizers}
    yield "white", pieces(None, {"type": "Whitespace"}, byte_fallback=False)
    both = sequence("Sequence", "normalizers", PREPEND, SPACES)
    yield "llama", pieces(both, None)
    yield "metaspace", pieces(None, METASPACE) | {"decoder": METASPACE}
    flags = pieces(both, None)
    flags["added_tokens"] += [
        added(264, " solo ", lstrip=True, rstrip=True, single_word=True),
        added(265, "wor", normalized=True, special=False),
    ]
    yield "flags", flags


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, tokenizer in seeds():
        data = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
        (CORPUS / name).write_bytes(data.encode() + b"\0" + TEXT.encode())


if __name__ == "__main__":
    main()
