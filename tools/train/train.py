# SPDX-License-Identifier: Apache-2.0
"""Trains one model on endless fresh records, for a stated number of minutes.

The learning rate follows the clock and not the step count, so that training
ends on time however busy the machine is. A checkpoint is written every few
minutes; running the same command again goes on from it.

Each worker is a process of one thread with a part of every batch; they meet
once a step to average their gradients, which on a busy machine costs far less
than threads that meet at every operation.
"""

import argparse
import itertools
import math
import os
import pathlib
import tempfile
import time
from dataclasses import dataclass

import torch
import torch.distributed as distributed
import torch.nn.functional as F
from tokenizers import Tokenizer

import model as architecture
import records

BOS, EOS, PAD = 0, 1, 2
IGNORED = -100  # target of a position that has no loss


@dataclass(frozen=True)
class Batch:
    """Rows of similar length, padded on the right."""

    tokens: torch.Tensor  # [rows, length]
    targets: torch.Tensor  # [rows, length], IGNORED outside the answers


def encode(tokenizer, record):
    """(prompt ids with BOS, answer ids with EOS)."""
    prompt = tokenizer.encode(record.prompt).ids
    answer = tokenizer.encode(record.answer, add_special_tokens=False).ids
    return prompt, answer + [EOS]


def make_batch(rows):
    """Batch of encoded rows: the target of a position is the next token."""
    length = max(len(prompt) + len(answer) for prompt, answer in rows) - 1
    tokens = torch.full((len(rows), length), PAD)
    targets = torch.full((len(rows), length), IGNORED)
    for index, (prompt, answer) in enumerate(rows):
        text = torch.tensor(prompt + answer)
        tokens[index, : len(text) - 1] = text[:-1]
        targets[index, len(prompt) - 1 : len(text) - 1] = text[len(prompt) :]
    return Batch(tokens, targets)


def batches(tokenizer, seed, rows, excluded):
    """Endless batches; rows of similar length share one."""
    stream = records.stream(seed, excluded, two_names=0.55)
    while True:
        pool = [encode(tokenizer, r) for r in itertools.islice(stream, 8 * rows)]
        pool.sort(key=lambda row: len(row[0]) + len(row[1]))
        starts = torch.randperm(8) * rows
        for start in starts.tolist():
            yield make_batch(pool[start : start + rows])


def excluded_prompts():
    """Prompts that no training row may have."""
    rows = records.held_out(500, records.TEST_SEED)
    rows += records.held_out(500, records.VALIDATION_SEED)
    return frozenset(row.prompt for row in rows)


def answer_logits(model, batch):
    """Logits at the answers' positions only, and their targets."""
    chosen = batch.targets != IGNORED
    hidden = model.hidden_states(batch.tokens)[chosen]
    return model.logits(hidden), batch.targets[chosen]


@torch.no_grad()
def generate(model, prompts, limit=80):
    """Greedy answers, as ids without EOS, of prompts of one length."""
    tokens = torch.tensor(prompts)
    done = torch.zeros(len(prompts), dtype=torch.bool)
    for _ in range(limit):
        last = model.hidden_states(tokens)[:, -1]
        best = model.logits(last).argmax(-1)
        tokens = torch.cat((tokens, best[:, None]), 1)
        done |= best == EOS
        if done.all():
            break
    answers = tokens[:, len(prompts[0]) :].tolist()
    return [ids[: ids.index(EOS)] if EOS in ids else ids for ids in answers]


def exact_match(model, tokenizer, rows):
    """Share of held-out rows whose greedy answer is exactly right."""
    by_length = {}
    for row in rows:
        ids = tokenizer.encode(row.prompt).ids
        by_length.setdefault(len(ids), []).append((ids, row.answer))
    hits = 0
    for group in by_length.values():
        answers = generate(model, [ids for ids, _ in group])
        for ids, (_, expected) in zip(answers, group):
            hits += tokenizer.decode(ids, skip_special_tokens=False) == expected
    return hits / len(rows)


@torch.no_grad()
def right_rows(model, tokenizer, rows):
    """For every row: is each token right, given the right beginning?

    The same rows that greedy decoding answers exactly, in one pass instead of
    fifty.
    """
    encoded = [encode(tokenizer, row) for row in rows]
    order = sorted(range(len(rows)), key=lambda i: sum(map(len, encoded[i])))
    right = [False] * len(rows)
    for start in range(0, len(order), 50):
        chosen = order[start : start + 50]
        batch = make_batch([encoded[i] for i in chosen])
        best = model(batch.tokens).argmax(-1)
        wrong = (best != batch.targets) & (batch.targets != IGNORED)
        for i, bad in zip(chosen, wrong.any(-1).tolist()):
            right[i] = not bad
    return right


def token_accuracy(model, tokenizer, rows):
    """Share of rows that the model answers exactly."""
    return sum(right_rows(model, tokenizer, rows)) / len(rows)


@dataclass
class Schedule:
    """Warm-up over steps, then a cosine over the wall clock."""

    peak: float
    warmup_steps: int
    budget_seconds: float

    def rate(self, step, elapsed):
        progress = min(elapsed / self.budget_seconds, 1.0)
        cosine = 0.5 * (1 + math.cos(math.pi * progress))
        warmup = min((step + 1) / self.warmup_steps, 1.0)
        return self.peak * warmup * (0.01 + 0.99 * cosine)


def make_optimizer(model, weight_decay=0.05):
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=0.0,
        betas=(0.9, 0.98),
    )


def save(path, state):
    """Writes beside and renames: a checkpoint is whole or the old one."""
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


class Workers:
    """The processes of one run; all hold the same weights at every step."""

    def __init__(self, rank, count, meeting_file):
        torch.set_num_threads(1)
        self.rank, self.count = rank, count
        distributed.init_process_group(
            "gloo", init_method=f"file://{meeting_file}", rank=rank, world_size=count
        )

    def average(self, parameters, numbers):
        """Averages all gradients in place; returns the averages of `numbers`."""
        gradients = [parameter.grad for parameter in parameters]
        flat = torch.cat([g.view(-1) for g in gradients] + [torch.tensor(numbers)])
        distributed.all_reduce(flat)
        flat /= self.count
        sizes = [gradient.numel() for gradient in gradients]
        *parts, means = flat.split(sizes + [len(numbers)])
        for gradient, part in zip(gradients, parts):
            gradient.copy_(part.view_as(gradient))
        return means.tolist()


def run_workers(count, target, arguments):
    """Calls target(workers, arguments) in `count` processes."""
    with tempfile.TemporaryDirectory() as directory:
        meeting_file = os.path.join(directory, "meeting")
        torch.multiprocessing.spawn(
            start_worker, (count, meeting_file, target, arguments), count
        )


def start_worker(rank, count, meeting_file, target, arguments):
    target(Workers(rank, count, meeting_file), arguments)


class Trainer:
    """One run: model, optimizer, schedule, log and checkpoint."""

    def __init__(self, workers, model, loss, schedule, directory):
        self.workers = workers
        self.model = model
        self.loss = loss  # (model, batch) -> scalar tensor
        self.schedule = schedule
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.optimizer = make_optimizer(model)
        self.step = 0
        self.elapsed = 0.0
        self.checkpoint = self.directory / "checkpoint.pt"
        if self.checkpoint.exists():
            self.resume()

    def resume(self):
        state = torch.load(self.checkpoint)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.elapsed = state["step"], state["elapsed"]

    def save(self):
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
        }
        save(self.checkpoint, state)

    def log(self, text):
        if self.workers.rank != 0:
            return
        line = f"{self.elapsed / 60:6.1f} min  step {self.step:6d}  {text}"
        print(line, flush=True)
        with open(self.directory / "log.txt", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    def update(self, batch, elapsed):
        """One step; `elapsed` is this worker's clock. Returns the loss."""
        loss = self.loss(self.model, batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parameters = list(self.model.parameters())
        numbers = [loss.item(), elapsed]
        mean_loss, self.elapsed = self.workers.average(parameters, numbers)
        rate = self.schedule.rate(self.step, self.elapsed)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        self.optimizer.step()
        self.step += 1
        return mean_loss

    def keep(self, validate):
        """Writes the checkpoint and logs the validation score."""
        if self.workers.rank == 0:
            self.save()
            self.log(f"validation {validate(self.model):.3f}")

    def run(self, source, validate, period_seconds=180):
        """Trains on batches of `source` until the budget is spent."""
        started = time.monotonic() - self.elapsed
        saved = reported = self.elapsed
        losses = []
        while self.elapsed < self.schedule.budget_seconds:
            losses.append(self.update(next(source), time.monotonic() - started))
            if self.elapsed - reported > 20:
                self.log(f"loss {sum(losses) / len(losses):.4f}")
                reported, losses = self.elapsed, []
            if self.elapsed - saved > period_seconds:
                self.keep(validate)
                saved = self.elapsed
        self.keep(validate)


def hard_tokens_first(losses):
    """Mean of the tokens' losses, in which unlikely tokens weigh more.

    Most of an answer's tokens are soon certain; the weights keep the few that
    are not (a currency, a rare name) from drowning among them.
    """
    weights = 1 + 4 * (1 - torch.exp(-losses.detach()))
    return (weights * losses).mean()


def answer_loss(model, batch):
    """Cross entropy over the answers' tokens."""
    logits, targets = answer_logits(model, batch)
    return hard_tokens_first(F.cross_entropy(logits, targets, reduction="none"))


def source_for(trainer, tokenizer, arguments):
    """This worker's batches; a run that goes on gets fresh ones."""
    workers = trainer.workers
    seed = 1000 * (trainer.step + 1) + workers.rank
    rows = arguments.rows // workers.count
    return batches(tokenizer, seed, rows, excluded_prompts())


def validation_score(tokenizer, count=150):
    """A function of a model: its share of right validation rows."""
    rows = records.held_out(500, records.VALIDATION_SEED)[:count]
    return lambda model: token_accuracy(model, tokenizer, rows)


def run_training(workers, arguments):
    tokenizer = Tokenizer.from_file(arguments.tokenizer)
    model = architecture.Model(architecture.PEBBLE)
    architecture.initialise(model, torch.Generator().manual_seed(1))
    schedule = Schedule(arguments.rate, 60, arguments.minutes * 60)
    trainer = Trainer(workers, model, answer_loss, schedule, arguments.directory)
    trainer.log(f"{architecture.count_parameters(model)} parameters")
    source = source_for(trainer, tokenizer, arguments)
    trainer.run(source, validation_score(tokenizer))


def common_parser(description, minutes, rate):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("tokenizer", help="tokenizer.json")
    parser.add_argument("directory", help="checkpoint and log go here")
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--rows", type=int, default=32, help="rows per step")
    parser.add_argument("--rate", type=float, default=rate)
    parser.add_argument("--workers", type=int, default=2)
    return parser


def main():
    arguments = common_parser("Train pebble.", 65, 2e-3).parse_args()
    run_workers(arguments.workers, run_training, arguments)


if __name__ == "__main__":
    main()
