"""Does Python make of an exported model what `optical encode` makes of it?

    cargo xtask encode --model MODEL --input TEXTS --output tokens.safetensors --query
    cargo xtask encode --model MODEL --input TEXTS --output means.safetensors --query --pool mean
    python docs/check_export.py MODEL TEXTS tokens.safetensors means.safetensors

The role is read from the files. Token vectors are compared with those of PyLate, where it is
installed, and of transformers with the folder's `1_Dense`; pooled ones with those of transformers.
Prints the largest distance of unit vectors, and ends with an error above 1e-4. Needs torch,
transformers and safetensors; PyLate if it is there.
"""

import json
import pathlib
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

TOLERANCE = 1e-4


class Vectors:
    """A file of `optical encode`."""

    def __init__(self, path):
        self.name = path
        with safe_open(path, "pt") as file:
            self.about = file.metadata()
            vectors, lengths = file.get_tensor("vectors"), file.get_tensor("lengths")
        self.texts = torch.split(vectors, lengths.tolist())


class Folder:
    """An exported model, read by transformers."""

    def __init__(self, path, role):
        self.path, self.role = pathlib.Path(path), role
        conventions = json.loads((self.path / "config_sentence_transformers.json").read_text())
        self.is_colbert = "kept_tokens" not in conventions
        self.prompt = conventions["prompts"][role]
        self.tokenizer = AutoTokenizer.from_pretrained(path)
        self.model = AutoModel.from_pretrained(path).eval()
        dense = self.path / "1_Dense" / "model.safetensors"
        self.dense = load_file(dense) if dense.exists() else None

    def states(self, text, length):
        """States of all tokens, and which of them are content."""
        arguments = dict(truncation=True, max_length=length, return_offsets_mapping=True)
        found = self.tokenizer(
            self.prompt + text, return_special_tokens_mask=True, return_tensors="pt", **arguments
        )
        ends = found.pop("offset_mapping")[0, :, 1]
        special = found.pop("special_tokens_mask")[0].bool()
        with torch.inference_mode():
            states = self.model(**found).last_hidden_state[0]
        return states, ~special & (ends > len(self.prompt))

    def tokens(self, text, length):
        states, content = self.states(text, length)
        states = states[content]
        if self.dense is not None:
            bias = self.dense.get("linear.bias", torch.zeros(()))
            states = states @ self.dense["linear.weight"].T + bias
        return torch.nn.functional.normalize(states, dim=-1)

    def pooled(self, text, length, pool):
        states, _ = self.states(text, length)
        return torch.nn.functional.normalize(
            states.mean(0, keepdim=True) if pool == "mean" else states[:1], dim=-1
        )


def by_transformers(vectors, folder, texts):
    length, pool = int(vectors.about["length"]), vectors.about["pool"]
    for text in texts:
        yield folder.tokens(text, length) if pool == "tokens" else folder.pooled(text, length, pool)


def by_pylate(vectors, folder, texts):
    from pylate import models

    model = models.ColBERT(str(folder.path), device="cpu")
    is_query = folder.role == "query"
    length = int(vectors.about["length"])
    model.query_length = min(length, model.query_length)
    model.document_length = min(length, model.document_length)
    # What PyLate calls a prompt goes before the text, as ours does.
    found = model.encode(texts, is_query=is_query, prompt=folder.prompt, convert_to_numpy=False)
    for text, found in zip(texts, found):
        if not folder.is_colbert:
            # It keeps special tokens and the prompt's, too.
            _, content = folder.states(text, length)
            found = found[content]
        yield found.cpu().float()


def compare(vectors, name, found):
    worst = 0.0
    for place, (ours, theirs) in enumerate(zip(vectors.texts, found, strict=True)):
        if ours.shape != theirs.shape:
            sys.exit(f"{vectors.name}, text {place}: {ours.shape}, by {name} {theirs.shape}")
        if ours.numel():
            worst = max(worst, (ours - theirs).norm(dim=-1).max().item())
    print(f"{vectors.name}: {len(vectors.texts)} texts, at most {worst:.1e} from {name}")
    if not worst <= TOLERANCE:
        sys.exit(f"expected at most {TOLERANCE}")


def main():
    path, texts, *files = sys.argv[1:]
    texts = pathlib.Path(texts).read_text(encoding="utf-8").splitlines()
    texts = [line.split("\t")[-1] for line in texts]
    for vectors in map(Vectors, files):
        folder = Folder(path, vectors.about["role"])
        if not folder.is_colbert:
            # What ColBERT's conventions do to a text is PyLate's to say.
            compare(vectors, "transformers", by_transformers(vectors, folder, texts))
        if vectors.about["pool"] != "tokens":
            continue
        try:
            compare(vectors, "PyLate", by_pylate(vectors, folder, texts))
        except ImportError as error:
            print(f"not compared with PyLate: {error}")


main()
