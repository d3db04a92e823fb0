# SPDX-License-Identifier: Apache-2.0
"""Trains pebble-draft on the soft labels of a trained pebble.

The student learns the teacher's whole distribution at every position of the
answers, which is what makes its guesses useful for speculative decoding. The
teacher takes most of a step's time, so it joins when the student has learned
from the true answers what there is to copy.
"""

import torch
from tokenizers import Tokenizer

import model as architecture
import train

HARD_SHARE = 0.2  # weight of the true token against the soft labels


def distillation_loss(teacher):
    """A loss for train.Trainer that compares a student with `teacher`."""

    def loss(student, batch):
        with torch.no_grad():
            soft = train.answer_logits(teacher, batch)[0].log_softmax(-1)
        logits, targets = train.answer_logits(student, batch)
        guesses = logits.log_softmax(-1)
        divergence = (soft.exp() * (soft - guesses)).sum(-1)
        hard = -guesses.gather(-1, targets[:, None])[:, 0]
        return train.hard_tokens_first(
            (1 - HARD_SHARE) * divergence + HARD_SHARE * hard
        )

    return loss


def run_distillation(workers, arguments):
    tokenizer = Tokenizer.from_file(arguments.tokenizer)
    teacher = architecture.Model(architecture.PEBBLE).eval()
    teacher.load_state_dict(torch.load(arguments.teacher)["model"])
    student = architecture.Model(architecture.PEBBLE_DRAFT)
    architecture.initialise(student, torch.Generator().manual_seed(2))
    schedule = train.Schedule(arguments.rate, 60, arguments.minutes * 60)
    trainer = train.Trainer(
        workers, student, train.answer_loss, schedule, arguments.directory
    )
    soft_loss = distillation_loss(teacher)
    soft_from = schedule.budget_seconds * (1 - arguments.soft_share)

    def loss(student, batch):
        is_late = trainer.elapsed >= soft_from
        return (soft_loss if is_late else train.answer_loss)(student, batch)

    trainer.loss = loss
    trainer.log(f"{architecture.count_parameters(student)} parameters")
    source = train.source_for(trainer, tokenizer, arguments)
    trainer.run(source, train.validation_score(tokenizer))


def main():
    parser = train.common_parser("Distil pebble-draft.", 18, 4e-3)
    parser.add_argument("--teacher", required=True, help="pebble's checkpoint.pt")
    parser.add_argument(
        "--soft-share", type=float, default=0.4, help="of the minutes, with teacher"
    )
    arguments = parser.parse_args()
    train.run_workers(arguments.workers, run_distillation, arguments)


if __name__ == "__main__":
    main()
