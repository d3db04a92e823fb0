#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Hugging Face transformers' continuous batching gives for the shape of
Llama-3.1-8B with random bf16 weights: the peer beside `sluice bench batch`, with its CUDA graphs and asynchronous
batching where its version has them.

    transformers_batch.py [--sequences 64] [--prompt 1000] [--generate 1000]
                          [--seconds 100] [--layers 32]

Prints one JSON object: output tokens per second over the time of prompts and
generation, from a run after a short one that warms up. Ends with 3 where torch,
transformers or a GPU is missing.
"""

import argparse
import inspect
import json
import sys
import time

# The first that this version of transformers knows is taken.
ATTENTIONS = ("flash_attention_2", "paged|sdpa", "sdpa_paged", "sdpa")


def llama_8b(layers):
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=128256,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=layers,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=131072,
        rms_norm_eps=1e-5,
        rope_theta=500000.0,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=0,
    )


def make_model(layers):
    """(model, the attention it has), its weights made on the GPU."""
    import torch
    from transformers import AutoModelForCausalLM

    failures = []
    for attention in ATTENTIONS:
        try:
            torch.set_default_dtype(torch.bfloat16)
            with torch.device("cuda"):
                model = AutoModelForCausalLM.from_config(
                    llama_8b(layers), attn_implementation=attention
                )
            return model.eval(), attention
        except (ImportError, ValueError, KeyError) as failure:
            failures.append(f"{attention}: {failure}")
        finally:
            torch.set_default_dtype(torch.float32)
    raise RuntimeError("; ".join(failures))


def generate(model, prompts, count):
    """Answers of `count` tokens each; the tokens that came."""
    from transformers import GenerationConfig

    settings = GenerationConfig(
        max_new_tokens=count,
        min_new_tokens=count,
        do_sample=False,
        eos_token_id=-1,
        pad_token_id=0,
    )
    wanted = {"inputs": prompts, "generation_config": settings}
    known = inspect.signature(model.generate_batch).parameters
    if "progress_bar" in known:
        wanted["progress_bar"] = False
    if "continuous_batching_config" in known:
        from transformers.generation import ContinuousBatchingConfig

        wanted["continuous_batching_config"] = ContinuousBatchingConfig(
            use_cuda_graph=True, use_async_batching=True
        )
    answers = model.generate_batch(**wanted)
    return sum(len(answer.generated_tokens) for answer in answers.values())


def prompts_of(options, salt):
    """No two alike, whatever a cache of prefixes has."""
    return [
        [((salt + i) * 7919 + j * 31 + 5) % 128000 for j in range(options.prompt)]
        for i in range(options.sequences)
    ]


def measure(options):
    import torch
    import transformers

    if not torch.cuda.is_available():
        raise ImportError("torch sees no GPU")
    model, attention = make_model(options.layers)
    with torch.inference_mode():
        began = time.monotonic()
        warm = min(16, options.generate)
        generate(model, prompts_of(options, 0), warm)
        # Shorter answers where all of them would take too long.
        each = (time.monotonic() - began) / warm
        count = int(min(options.generate, max(warm, options.seconds / each)))
        began = time.monotonic()
        tokens = generate(model, prompts_of(options, 1000), count)
        torch.cuda.synchronize()
        seconds = time.monotonic() - began
    return {
        "peer": f"transformers {transformers.__version__}",
        "torch": torch.__version__,
        "attention": attention,
        "device": torch.cuda.get_device_name(),
        "layers": options.layers,
        "sequences": options.sequences,
        "prompt_tokens": options.prompt,
        "generated_tokens": count,
        "tokens": tokens,
        "seconds": seconds,
        "output_tokens_per_second": tokens / seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=1000)
    parser.add_argument("--generate", type=int, default=1000)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument(
        "--seconds", type=float, default=100, help="about as long at most"
    )
    try:
        print(json.dumps(measure(parser.parse_args())))
    except ImportError as missing:
        print(f"not run: {missing}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
