# SPDX-License-Identifier: Apache-2.0
"""Mixed text from a seed, the same as tests/model/tokenizer/sample_text.cpp.

Words, digits, white space of all kinds, contractions, combining marks, CJK,
emoji, other scripts, special tokens, and code points of all planes, in items
of random kinds. `settled_only` leaves out what depends on the Unicode version.
"""

WORDS = (
    "the of and to in is that it was for on are as with his they at be this "
    "have from or one had by word but not what all were we when your can said "
    "there use an each which she do how their if will up other about out many "
    "then them Paris BERLIN invoice solo stra\u00dfe na\u00efve \u00dcn\u00ef "
    "U\u0308ni\u0308 \u041c\u043e\u0441\u043a\u0432\u0430 \u03bb\u03cc\u03b3"
    "\u03bf\u03c2"
).split()
SPACES = [" ", " ", " ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\u2028"]
SPACES += ["\u0085", "\u200a", "\r", "\u180e", "\u200b", "\v"]
MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
CONTRACTIONS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "'Re"]
CONTRACTIONS += ["'\u017f", "'v", "'l", "'", "\u2019s", "''s", "' s", "'D1"]
EMOJI = ["\U0001f600", "\U0001f468\u200d\U0001f469\u200d\U0001f467"]
EMOJI += ["\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "\u2764\ufe0f"]
EMOJI += ["\U0001f3f4\U000e0067\U000e0062\U000e007f", "1\ufe0f\u20e3"]
SCRIPTS = [0x0370, 0x0400, 0x05D0, 0x0620, 0x0900, 0x0E00, 0x10A0, 0x3040]
REPEATED = ["a", "A", " ", "\n", "=", "0", "\u00e9", "\u4e2d", "\u0301", "'"]
REPEATED += ["\U0001f600", "\r\n", "\t "]
SPECIAL = ["<|bos|>", "<|eos|>", "<tool>", " <left>", "\n <left> ", "<right>"]
SPECIAL += ["<right> \n ", "solo", " solo ", "solos", "<s>", "</s>", "<unk>"]
SPECIAL += ["<|bos|", "\u2581", "<0x41>"]

CHUNK_BYTES = 4096


class Generator:
    """A linear congruential generator and the items it chooses."""

    def __init__(self, seed, settled_only):
        self.state = seed
        self.settled_only = settled_only

    def below(self, count):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % (
            2**64
        )
        return (self.state >> 33) % count

    def pick(self, choices):
        return choices[self.below(len(choices))]

    def several(self, most, choose):
        return "".join(choose() for _ in range(1 + self.below(most)))

    def between(self, first, count):
        return chr(first + self.below(count))

    def any_plane(self):
        point = self.below(0x110000 - 0x800)
        return chr(point if point < 0xD800 else point + 0x800)

    def script(self):
        first = self.pick(SCRIPTS)
        return self.several(7, lambda: self.between(first, 64))

    def accented(self):
        letter = self.between(0x61, 26)
        return letter + self.several(3, lambda: self.between(0x300, 0x70))

    def item(self):
        kind = self.below(18)
        if kind < 4:
            return " " + self.pick(WORDS)
        if kind == 4:
            return self.several(9, lambda: self.between(0x30, 10))
        if kind == 5:
            return self.several(5, lambda: self.pick(SPACES))
        if kind == 6:
            return self.several(4, lambda: self.pick(MARKS))
        if kind == 7:
            return self.pick(CONTRACTIONS)
        if kind == 8:
            return self.accented()
        if kind == 9:
            return self.several(6, lambda: self.between(0x4E00, 0x5200))
        if kind == 10:
            return self.several(4, lambda: self.between(0xAC00, 11172))
        if kind == 11:
            return self.pick(EMOJI)
        if kind == 12:
            return self.script()
        if kind == 13:
            return self.pick(REPEATED) * (1 + self.below(60))
        if kind == 14:
            return self.pick(SPECIAL)
        if kind == 15:
            return self.pick(WORDS)
        if self.settled_only:
            return self.several(4, lambda: self.between(0, 0x250))
        if kind == 16:
            return self.several(4, self.any_plane)
        return self.several(4, lambda: self.between(0, 0x3000))


def chunks(seed, count, settled_only=False):
    """Texts of at least CHUNK_BYTES bytes of UTF-8, each begins with a word."""
    generator = Generator(seed, settled_only)
    for _ in range(count):
        text = generator.pick(WORDS)
        size = len(text.encode())
        parts = [text]
        while size < CHUNK_BYTES:
            part = generator.item()
            parts.append(part)
            size += len(part.encode())
        yield "".join(parts)
