"""Are our token ids those of the reference on real text, whatever the language?

    cargo build --release -p optical-tokenize --example ids
    python docs/check_tokens.py target/release/examples/ids TEXT.txt...

Each file has one text per line. Five kinds of tokenizer are made, and each text's ids compared with
those of an implementation that shares no code with ours: Google's sentencepiece, behind
transformers' tokenizers of XLM-R and DeBERTa, and transformers' own BERT and GPT-2 in Python. The
vocabularies are learned from the texts. Prints texts that differ, and ends with an error if there are any. Needs transformers < 5,
tokenizers and sentencepiece.
"""

import pathlib
import subprocess
import sys
import tempfile

import sentencepiece
import tokenizers
import transformers
from transformers.convert_slow_tokenizer import convert_slow_tokenizer

VOCABULARY = 20_000


def learned(kind, files, folder):
    """A vocabulary of `kind` learned from the texts."""
    model = kind()
    model.train([str(file) for file in files], vocab_size=VOCABULARY, show_progress=False)
    model.save_model(str(folder))
    return folder


def unigram(files, folder, **special):
    """A model of sentencepiece learned from the texts."""
    sentencepiece.SentencePieceTrainer.train(
        input=[str(file) for file in files],
        model_prefix=str(folder / "unigram"),
        vocab_size=VOCABULARY,
        character_coverage=1.0,
        minloglevel=2,
        **special,
    )
    return str(folder / "unigram.model")


def deberta(files, folder):
    special = dict(pad_id=0, bos_id=1, eos_id=2, unk_id=3, user_defined_symbols="[MASK]")
    pieces = dict(pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")
    model = unigram(files, folder, **special, **pieces)
    return transformers.DebertaV2Tokenizer(model, split_by_punct=False)


def bert(cased, files, folder):
    def kind():
        return tokenizers.BertWordPieceTokenizer(lowercase=not cased, strip_accents=not cased)

    path = str(learned(kind, files, folder) / "vocab.txt")
    return transformers.BertTokenizer(path, do_lower_case=not cased)


def byte_level(files, folder):
    learned(tokenizers.ByteLevelBPETokenizer, files, folder)
    paths = [str(folder / name) for name in ("vocab.json", "merges.txt")]
    tokenizer = transformers.GPT2Tokenizer(*paths, unk_token="<unk>")
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    return tokenizer


def reference(name, files, folder):
    return {
        "xlm-roberta": lambda: transformers.XLMRobertaTokenizer(unigram(files, folder)),
        "deberta-v2": lambda: deberta(files, folder),
        "bert, cased": lambda: bert(True, files, folder),
        "bert, lower case": lambda: bert(False, files, folder),
        "byte-level": lambda: byte_level(files, folder),
    }[name]()


def ours(program, path, lines):
    given = "".join(line + "\n" for line in lines)
    done = subprocess.run([program, path], input=given, capture_output=True, text=True, check=True)
    return [[int(id) for id in line.split()] for line in done.stdout.split("\n")[:-1]]


def main():
    program, *paths = sys.argv[1:]
    files = [pathlib.Path(path) for path in paths]
    differing = 0
    for name in ("xlm-roberta", "deberta-v2", "bert, cased", "bert, lower case", "byte-level"):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            slow = reference(name, files, folder)
            fast = convert_slow_tokenizer(slow)
            fast.add_special_tokens([slow.pad_token])
            path = str(folder / "tokenizer.json")
            fast.save(path)
            texts = tokens = 0
            for file in files:
                lines = file.read_text(encoding="utf-8").split("\n")[:-1]
                for line, found in zip(lines, ours(program, path, lines), strict=True):
                    expected = slow(line)["input_ids"]
                    texts, tokens = texts + 1, tokens + len(expected)
                    if found != expected:
                        differing += 1
                        shown = [slow.convert_ids_to_tokens(ids) for ids in (found, expected)]
                        print(f"{name}, {file.name}: {line!r}\n  ours {shown[0]}\n  not  {shown[1]}")
            print(f"{name}: {texts} texts, {tokens} tokens", flush=True)
    if differing:
        sys.exit(f"{differing} texts differ")


main()
