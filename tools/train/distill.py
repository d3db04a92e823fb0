# SPDX-License-Identifier: Apache-2.0
"""Trains pebble-draft on the soft labels of a trained pebble.

The student learns the teacher's whole distribution at every position of the
answers, which is what makes its guesses useful for speculative decoding.
"""

import argparse

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import model as architecture
import records
import train

HARD_SHARE = 0.2  # weight of the true token against the soft labels


def distillation_loss(teacher):
    """A loss for train.Trainer that compares a student with `teacher`."""

    def loss(student, batch):
        with torch.no_grad():
            soft = train.answer_logits(teacher, batch)[0].log_softmax(-1)
        logits, targets = train.answer_logits(student, batch)
        divergence = F.kl_div(
            logits.log_softmax(-1), soft, log_target=True, reduction="batchmean"
        )
        hard = F.cross_entropy(logits, targets)
        return (1 - HARD_SHARE) * divergence + HARD_SHARE * hard

    return loss


def main():
    parser = argparse.ArgumentParser(description="Distil pebble-draft.")
    parser.add_argument("tokenizer", help="tokenizer.json")
    parser.add_argument("teacher", help="pebble's checkpoint.pt")
    parser.add_argument("directory", help="checkpoint and log go here")
    parser.add_argument("--minutes", type=float, default=18)
    parser.add_argument("--rows", type=int, default=32, help="rows per batch")
    parser.add_argument("--rate", type=float, default=4e-3)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(arguments.tokenizer)
    teacher = architecture.Model(architecture.PEBBLE).eval()
    teacher.load_state_dict(torch.load(arguments.teacher)["model"])
    student = architecture.Model(architecture.PEBBLE_DRAFT)
    architecture.initialise(student, torch.Generator().manual_seed(2))
    schedule = train.Schedule(arguments.rate, 60, arguments.minutes * 60)
    trainer = train.Trainer(
        student, distillation_loss(teacher), schedule, arguments.directory
    )
    trainer.log(f"{architecture.count_parameters(student)} parameters")
    validation = records.held_out(500, records.VALIDATION_SEED)[:150]
    source = train.batches(
        tokenizer, 5000 + trainer.step, arguments.rows, train.excluded_prompts()
    )
    trainer.run(source, lambda m: train.token_accuracy(m, tokenizer, validation))


if __name__ == "__main__":
    main()
