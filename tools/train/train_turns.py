# SPDX-License-Identifier: Apache-2.0
"""Trains pebble-turns: pebble, gone on with conversations.

pebble answers one record and nothing after it. pebble-turns answers record
after record in one context of 512 positions, which is what the quality of a KV
type in long use is measured with. Some turns ask for an answer given before, by
its party: the committed model had too few steps to learn that.

A turn is BOS, prompt, answer, EOS; turns follow each other without a gap.
"""

import json
import random
import struct

import torch
from tokenizers import Tokenizer

import model as architecture
import records
import train

CONTEXT = 512
RECALL = "same as {}\n=>"
RECALLS = 0.35  # of the turns that have something to recall


def read_safetensors(path):
    """{name: f32 tensor} of a file of bf16 tensors."""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = data[begin:end].clone().view(torch.bfloat16)
        tensors[name.removeprefix("model.")] = raw.view(entry["shape"]).float()
    return tensors


def party_of(record):
    return json.loads(record.answer)["party"]


def conversation(tokenizer, source, rng):
    """Turns (prompt ids, answer ids) that fill a context."""
    turns, said, length = [], {}, 0
    while True:
        if said and rng.random() < RECALLS:
            party = rng.choice(sorted(said))
            turn = records.Record(RECALL.format(party), said[party])
        else:
            turn = next(source)
            if party_of(turn) in said:
                continue  # which one would be meant?
            said[party_of(turn)] = turn.answer
        prompt, answer = train.encode(tokenizer, turn)
        length += len(prompt) + len(answer)
        if length > CONTEXT:
            return turns
        turns.append((prompt, answer))


def make_batch(conversations):
    """Targets are the answers' tokens, of every turn."""
    tokens = torch.full((len(conversations), CONTEXT), train.PAD)
    targets = torch.full((len(conversations), CONTEXT), train.IGNORED)
    for row, turns in enumerate(conversations):
        at = 0
        for prompt, answer in turns:
            ids = torch.tensor(prompt + answer)
            tokens[row, at : at + len(ids)] = ids
            begin, end = at + len(prompt) - 1, at + len(ids) - 1
            targets[row, begin:end] = ids[len(prompt) :]
            at += len(ids)
    return train.Batch(tokens, targets)


def batches(tokenizer, seed, rows, excluded):
    rng = random.Random(seed)
    source = records.stream(seed, excluded, two_names=0.55)
    while True:
        yield make_batch(
            [conversation(tokenizer, source, rng) for _ in range(rows)]
        )


def validation_score(tokenizer, count=12):
    """A function of a model: its share of right answers, given right ones
    before."""
    rng = random.Random(train.records.VALIDATION_SEED)
    source = iter(records.held_out(500, records.VALIDATION_SEED))
    talks = [conversation(tokenizer, source, rng) for _ in range(count)]
    batch = make_batch(talks)

    @torch.no_grad()
    def score(model):
        best = model(batch.tokens).argmax(-1)
        wrong = (best != batch.targets) & (batch.targets != train.IGNORED)
        right = asked = 0
        for row, turns in enumerate(talks):
            at = 0
            for prompt, answer in turns:
                end = at + len(prompt) + len(answer)
                right += not wrong[row, at:end].any()
                asked += 1
                at = end
        return right / asked

    return score


def run_training(workers, arguments):
    tokenizer = Tokenizer.from_file(arguments.tokenizer)
    model = architecture.Model(architecture.PEBBLE_TURNS)
    model.load_state_dict(read_safetensors(arguments.start))
    schedule = train.Schedule(arguments.rate, 60, arguments.minutes * 60)
    trainer = train.Trainer(
        workers, model, train.answer_loss, schedule, arguments.directory
    )
    seed = 1000 * (trainer.step + 1) + workers.rank
    rows = arguments.rows // workers.count
    source = batches(tokenizer, seed, rows, train.excluded_prompts())
    trainer.run(source, validation_score(tokenizer))


def main():
    parser = train.common_parser("Train pebble-turns.", 25, 1e-3)
    parser.add_argument("--start", required=True, help="pebble's model.safetensors")
    arguments = parser.parse_args()
    train.run_workers(arguments.workers, run_training, arguments)


if __name__ == "__main__":
    main()
