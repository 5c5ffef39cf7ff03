"""Sentences of different length in an LSTM

Python steps an LSTM cell once per word to tell which package of the standard library a docstring is from, so the graph
grows and shrinks with the sentence. Watch the structure change at nearly every step while the loss falls, and an
earlier structure come back when its length does.
"""

import argparse
import ast
import random
import re
import sysconfig
from collections import Counter, defaultdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn, optim

PACKAGES = ("asyncio", "email", "http", "logging", "unittest", "xml")
SHORTEST, LONGEST = 3, 30  # words in a sentence
BATCH_SIZE = 8
UNKNOWN = 0  # the number of every word that occurs once only


class SentenceClassifier(nn.Module):
    def __init__(self, vocabulary_size, classes, embedding_size=32, hidden_size=64):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.cell = nn.LSTMCell(embedding_size, hidden_size)
        self.output = nn.Linear(hidden_size, classes)

    def forward(self, sentences):
        """Scores (batch, classes) of sentences (batch, words), all of the same length."""
        state = None
        for words in sentences.unbind(dim=1):
            state = self.cell(self.embedding(words), state)
        hidden, _ = state
        return self.output(hidden)


def read_sentences(package):
    """The first sentence of each docstring in a package of the standard library, as lists of words."""
    folder = Path(sysconfig.get_path("stdlib")) / package
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    sentences = []
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_bytes())):
            docstring = ast.get_docstring(node) if isinstance(node, documented) else None
            first_sentence = re.split(r"\.\s|\n\s*\n", docstring or "")[0]
            words = re.findall(r"[a-z]+|[0-9]+", first_sentence.lower())
            if SHORTEST <= len(words) <= LONGEST and words not in sentences:
                sentences.append(words)
    return sentences


def number_words(sentences):
    """A number from 1 for each word that occurs at least twice, the most frequent first."""
    counts = Counter(word for words in sentences for word in words)
    return {word: number for number, (word, count) in enumerate(counts.most_common(), start=1) if count > 1}


def as_batch(examples, numbers):
    """Tensors (batch, words) and (batch,) of examples of one length."""
    words = [[numbers.get(word, UNKNOWN) for word in sentence] for sentence, _ in examples]
    return torch.tensor(words), torch.tensor([label for _, label in examples])


def by_length(examples):
    groups = defaultdict(list)
    for example in examples:
        groups[len(example[0])].append(example)
    return groups


def train(model, examples, numbers, steps):
    optimizer = optim.Adam(model.parameters(), lr=0.005)
    same_length = by_length(examples)
    model.train()
    recent = []
    for step in range(1, steps + 1):
        length = len(random.choice(examples)[0])
        sentences, labels = as_batch(random.choices(same_length[length], k=BATCH_SIZE), numbers)
        optimizer.zero_grad()
        loss = F.cross_entropy(model(sentences), labels)
        loss.backward()
        optimizer.step()
        recent = [*recent[-49:], loss.item()]
        if step % 50 == 0 or step == steps:
            print(f"Step {step}: {length} words, mean loss {sum(recent) / len(recent):.3f}", flush=True)


@torch.no_grad()
def test(model, examples, numbers):
    model.eval()
    correct = 0
    for group in by_length(examples).values():
        sentences, labels = as_batch(group, numbers)
        correct += (model(sentences).argmax(dim=1) == labels).sum().item()
    print(f"Test: {correct} of {len(examples)} new sentences ({correct / len(examples):.0%})", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Tell the package of a docstring with an LSTM cell")
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args()

    random.seed(1)
    torch.manual_seed(1)
    examples = [(words, label) for label, package in enumerate(PACKAGES) for words in read_sentences(package)]
    random.shuffle(examples)
    print(f"Data: {len(examples)} docstrings from {', '.join(PACKAGES)}", flush=True)
    held_out = len(examples) // 10
    training_set, test_set = examples[held_out:], examples[:held_out]

    numbers = number_words([words for words, _ in training_set])
    model = SentenceClassifier(len(numbers) + 1, len(PACKAGES))
    train(model, training_set, numbers, options.steps)
    test(model, test_set, numbers)


if __name__ == "__main__":
    main()
