# SPDX-License-Identifier: Apache-2.0
"""Messy business records and their one right answer.

A record is a few lines of text as people write them in mails, ledgers and
notes; the answer is compact JSON with a fixed key order:

    {"type":"invoice","date":"2025-11-03","party":"Oakfen Ltd",
     "item":"steel bolts","quantity":120,"amount":"1250.00","currency":"EUR"}

Every record can be decided from its text alone, by these rules:

dates       2025-11-03       year first
            3.11.2025        dots: day first
            11/03/2025       slashes: month first
            3 November 2025  or 3 Nov 2025
            Nov 3, 2025      or November 3, 2025
amounts     the last separator followed by exactly two digits is the decimal
            mark (1,250.00 and 1.250,00); every other separator, comma, dot,
            apostrophe or space, groups thousands (1,250 is 1250.00).
currencies  EUR, USD, GBP as code, symbol or word.
quantities  digits, a comma grouping thousands, "one" to "twelve", "a dozen".
references  ref, tel and "n days" are noise and never part of the answer.
"""

import argparse
import calendar
import json
import random
from dataclasses import dataclass

ANSWER_MARK = "\n=>"  # ends every prompt; the answer follows at once

MONTHS = (
    "January February March April May June July August September October "
    "November December"
).split()

NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve"
).split()

CURRENCIES = {  # code: (symbol, word)
    "EUR": ("€", "euros"),
    "USD": ("$", "dollars"),
    "GBP": ("£", "pounds"),
}

NAME_STARTS = (
    "Oak Nor Bram Hal Kest Wil Mar Tor Lin Ash Vel Dun Gar Pel Sten Hol Ros "
    "Fair Cald Ber Lang Thor Win Mel Ever Black Sil Red Green Stan"
).split()
NAME_ENDS = (
    "fen wood low ton berg field er ström ford man well ridge by ham dale "
    "stein wick more ley sen gate haus brook den mann"
).split()
NAME_TAILS = (
    "Ltd GmbH Inc LLC AG Co Group Foods Supply Trading Works Logistics Tools "
    "Textiles & Sons & Partners Brothers Systems Labs Stores"
).replace("& ", "&_").split()

ADJECTIVES = (
    "steel oak paper brass copper cotton plastic glass rubber green black "
    "white heavy small large spare folding office garden kitchen winter "
    "organic frozen ceramic leather wooden printed portable rechargeable blue"
).split()
NOUNS = (
    "bolts chairs desks lamps cables boxes pallets bottles filters valves "
    "gloves jackets notebooks pens printers batteries hinges tiles shelves "
    "pumps brushes blankets cups plates screws panels sensors motors bags "
    "curtains ladders hoses wheels labels mats"
).split()

# {D} date, {P} party, {I} item, {Q} quantity, {A} amount with currency.
PHRASINGS = {
    "invoice": (
        "Invoice from {P}, dated {D}: {Q} {I}, total {A}",
        "{D} | {P} | {Q} x {I} | invoiced {A}",
        "{P} billed us {A} on {D} for {Q} {I}",
        "INVOICE\nfrom: {P}\ndate: {D}\n{Q} {I}\namount due: {A}",
        "pls pay the bill of {P} - {A} - for {Q} pcs {I}, dated {D}",
        "bill; {D}; {I}; qty {Q}; {A}; {P}",
    ),
    "order": (
        "On {D} {P} ordered {Q} {I} for {A}",
        "PO {D}: {Q} pcs {I} at {A} in total, buyer {P}",
        "order: {I}, {Q} units, {A}, customer {P}, placed {D}",
        "{P} would like {Q} {I}. They agreed to {A} on {D}",
        "New order!\ncustomer = {P}\nitem = {I}\ncount = {Q}\n"
        "price = {A}\nday = {D}",
        "we got an order over {A} from {P} ({Q} x {I}) on {D}",
    ),
    "refund": (
        "Refund of {A} to {P} on {D}, {Q} {I} came back",
        "{P} returned {Q} {I}; we refunded {A} on {D}",
        "REFUND {D} / {P} / {I} / {Q} / {A}",
        "credit note {D}, {A} back to {P} because {Q} {I} were broken",
        "returned goods: {Q} pcs {I}\nowner: {P}\npaid back {A}, {D}",
    ),
    "delivery": (
        "{D}: delivered {Q} {I} to {P}, worth {A}",
        "Shipment for {P} left {D} with {Q} {I}, value {A}",
        "{Q} {I} arrived at {P} on {D} (value {A})",
        "delivery note\n{I}: {Q}\nto {P}\n{D}\ngoods value {A}",
        "shipped {D}; {P}; {Q} x {I}; insured for {A}",
    ),
}

OPENERS = ("", "", "", "", "FW: ", "note - ", "Hi team, ", ">> ", "fyi: ", "* ")


@dataclass(frozen=True)
class Record:
    """One row: the exact string for the tokenizer, and the exact answer."""

    prompt: str
    answer: str


def write_date(rng, year, month, day):
    """One of the five notations of the module's rules."""
    name = MONTHS[month - 1]
    if rng.random() < 0.5:
        name = name[:3]
    return rng.choice(
        (
            f"{year}-{month:02d}-{day:02d}",
            f"{day}.{month}.{year}",
            f"{month:02d}/{day:02d}/{year}",
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
        )
    )


def write_number(rng, cents):
    """An amount of cents in one of the notations of the module's rules."""
    whole, fraction = divmod(cents, 100)
    group, mark = rng.choice(
        ((",", "."), (".", ","), ("'", "."), (" ", "."), ("", "."))
    )
    text = f"{whole:,}".replace(",", group)
    if fraction == 0 and rng.random() < 0.5:
        return text
    return f"{text}{mark}{fraction:02d}"


def write_amount(rng, cents, currency):
    """Number and currency, in either order."""
    symbol, word = CURRENCIES[currency]
    number = write_number(rng, cents)
    return rng.choice(
        (
            f"{symbol}{number}",
            f"{number} {symbol}",
            f"{currency} {number}",
            f"{number} {currency}",
            f"{number} {word}",
        )
    )


def write_quantity(rng, quantity):
    """Digits, grouped digits or a word."""
    if quantity == 12 and rng.random() < 0.3:
        return "a dozen"
    if quantity <= 12 and rng.random() < 0.5:
        return NUMBER_WORDS[quantity]
    return f"{quantity:,}" if rng.random() < 0.5 else str(quantity)


def make_party(rng, two_names):
    """An invented company: one or two names and mostly a tail."""
    name = rng.choice(NAME_STARTS) + rng.choice(NAME_ENDS)
    if rng.random() < two_names:
        name += " " + rng.choice(NAME_STARTS) + rng.choice(NAME_ENDS)
    if rng.random() < 0.8:
        name += " " + rng.choice(NAME_TAILS).replace("_", " ")
    return name


def make_noise(rng):
    """A closing remark whose numbers belong to no field."""
    return rng.choice(
        (
            "", "", "", "", ".", " thanks", " ok?", "\n--\nsent from my phone",
            f" (ref {rng.randint(1000, 99999)})",
            f" [{rng.choice(('A', 'B', 'K'))}-{rng.randint(10, 9999)}]",
            f", payable in {rng.choice((7, 10, 14, 30, 60, 90))} days",
            f"\ntel 0{rng.randint(20, 99)} {rng.randint(100, 999)}",
        )
    )


def make_record(rng, two_names=0.2):
    """One record drawn from `rng`, a random.Random.

    `two_names` is the share of parties that have two names. Copying those is
    what a small model learns last, so training rows have more of them.
    """
    kind = rng.choice(tuple(PHRASINGS))
    year, month = rng.randint(2019, 2029), rng.randint(1, 12)
    day = rng.randint(1, calendar.monthrange(year, month)[1])
    party = make_party(rng, two_names)
    item = f"{rng.choice(ADJECTIVES)} {rng.choice(NOUNS)}"
    quantity = rng.randint(2, 10 ** rng.randint(1, 4))
    cents = rng.randint(100, 10 ** rng.randint(4, 8))
    if rng.random() < 0.3:
        cents -= cents % 100
    currency = rng.choice(tuple(CURRENCIES))
    text = rng.choice(PHRASINGS[kind]).format(
        D=write_date(rng, year, month, day),
        P=party,
        I=item,
        Q=write_quantity(rng, quantity),
        A=write_amount(rng, cents, currency),
    )
    answer = {
        "type": kind,
        "date": f"{year}-{month:02d}-{day:02d}",
        "party": party,
        "item": item,
        "quantity": quantity,
        "amount": f"{cents // 100}.{cents % 100:02d}",
        "currency": currency,
    }
    prompt = rng.choice(OPENERS) + text + make_noise(rng) + ANSWER_MARK
    return Record(
        prompt, json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    )


def held_out(count, seed):
    """`count` records with distinct prompts."""
    rng, seen = random.Random(seed), {}
    while len(seen) < count:
        record = make_record(rng)
        seen.setdefault(record.prompt, record)
    return list(seen.values())


def stream(seed, excluded_prompts, two_names=0.2):
    """Endless records, none of whose prompts is in `excluded_prompts`."""
    rng = random.Random(seed)
    while True:
        record = make_record(rng, two_names)
        if record.prompt not in excluded_prompts:
            yield record


TEST_SEED = 20251103  # tests/models/records.jsonl
VALIDATION_SEED = 7  # watched while training


def main():
    parser = argparse.ArgumentParser(description="Write the held-out rows.")
    parser.add_argument("output", help="path of records.jsonl")
    parser.add_argument("--count", type=int, default=500)
    arguments = parser.parse_args()
    with open(arguments.output, "w", encoding="utf-8") as file:
        for index, record in enumerate(held_out(arguments.count, TEST_SEED)):
            row = {
                "custom_id": f"record-{index:04d}",
                "prompt": record.prompt,
                "answer": record.answer,
            }
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
