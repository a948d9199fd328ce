"""The plain twin of `metrics.rank_schemes`: one scheme at a time, everything stored, numpy's own statistics at the end.

Slow and obvious. It shares with the package the order of the images and the functions that make x and x', which have
twins of their own in tests/augment; nothing else.
"""

import copy

import numpy as np
import torch
from scipy import stats
from scipy.special import softmax

from kdutils import augment, seeds


def rank_one(name, teacher, dataset, steps, batch_size, k, granularity, seed, student=None, temperature=1.0):
    """What `rank_schemes` says of the scheme `name`, as a dictionary."""
    scheme, settings = augment.find(name), augment.settings(dataset, granularity)
    teacher = copy.deepcopy(teacher).eval()
    seen = []
    for step, index in enumerate(order(len(dataset.train), batch_size, steps, seed)):
        stored, labels = dataset.train.images[index], dataset.train.labels[index].numpy()
        x = augment.standard(stored, seeds.generator(seed, "x", step), settings)
        generator = seeds.generator(seed, "x'", step)
        images, own, partner, lam = make(scheme, x, generator, settings)
        if scheme.pick:
            picker = teacher if scheme.pick == "teacher" else copy.deepcopy(student).eval()
            entropies = stats.entropy(softmax(logits(picker, dataset, images), axis=1), axis=1)
            kept = np.sort(np.argsort(entropies)[-batch_size:])
            images, own, partner, lam = images[kept], own[kept], partner[kept], lam[kept]
        p = softmax(logits(teacher, dataset, x) / temperature, axis=1)
        p_prime = softmax(logits(teacher, dataset, images) / temperature, axis=1)
        seen.append((p, p_prime, own, partner, lam, labels))
    return table_row(seen, k)


def order(n, batch_size, steps, seed):
    """The positions of each mini-batch: full batches only, epoch after epoch."""
    found, epoch = [], 0
    while len(found) < steps:
        permutation = torch.randperm(n, generator=seeds.generator(seed, "order", epoch))
        found += [part for part in permutation.split(batch_size) if len(part) == batch_size]
        epoch += 1
    return found[:steps]


def make(scheme, x, generator, settings):
    """x', and what each was made of; CutMixPick's pool is two runs of CutMix."""
    draws = 1 if settings.granularity == "batch" else len(x)
    images, own, partner, lam = [], [], [], []
    for _ in range(2 if scheme.pick else 1):
        made = scheme.fn(x, augment.Draw(generator, draws, settings))
        if not isinstance(made, augment.Augmented):
            made = augment.Augmented(made, torch.arange(len(x)), torch.arange(len(x)), torch.ones(len(x)))
        for parts, part in zip((images, own, partner, lam), made, strict=True):
            parts.append(part)
    return torch.cat(images), *(torch.cat(parts).numpy() for parts in (own, partner, lam))


@torch.no_grad()
def logits(model, dataset, images):
    """The network's answers, all images in one forward pass, in double precision from here on."""
    return model(dataset.normalise(images)).double().numpy()


def table_row(seen, k):
    """The statistics over all stored mini-batches."""
    batch_size, steps = len(seen[0][0]), len(seen)
    window = k // (2 * batch_size)
    u = [
        np.concatenate([part for step in seen[first : first + window] for part in step[:2]]).mean(axis=0)
        for first in range(0, steps - window + 1, window)
    ]
    both = [np.concatenate([p_prime, p]) for p, p_prime, *_ in seen]
    covariance = [np.cov(batch).mean() for batch in both]
    correlation = [np.corrcoef(batch).mean() for batch in both]
    return {
        "t_stddev": np.std(u, axis=0, ddof=1).mean(),
        "t_stddev_se": leave_one_out_error(u),
        "n_u": len(u),
        "entropy": np.mean([stats.entropy(p_prime, axis=1) for _, p_prime, *_ in seen]),
        "mean_covariance": np.mean(covariance),
        "mean_correlation": np.mean(correlation),
        "label_disagreement": np.mean([disagrees(*step) for step in seen]),
        "mean_covariance_se": np.std(covariance, ddof=1) / np.sqrt(steps),
        "mean_correlation_se": np.std(correlation, ddof=1) / np.sqrt(steps),
        **anatomy(seen, u, k),
    }


def leave_one_out_error(u):
    """The jackknife, by leaving one window out after another."""
    u = np.asarray(u)
    without = [np.std(np.delete(u, i, axis=0), axis=0, ddof=1).mean() for i in range(len(u))]
    return np.sqrt((len(u) - 1) * np.var(without))


def disagrees(p, p_prime, own, partner, lam, labels):
    """The share of x' for which the teacher predicts another class than the label of the larger image."""
    wrong = 0
    for i, answer in enumerate(p_prime.argmax(axis=1)):
        wrong += answer != (labels[own[i]] if lam[i] >= 0.5 else labels[partner[i]])
    return wrong / len(p_prime)


def anatomy(seen, u, k):
    """Var(u) of n = K/2 independent pairs, image by image, and what is left of the measured variance."""
    n = k // 2
    every_p = np.concatenate([p for p, *_ in seen])
    every_p_prime = np.concatenate([p_prime for _, p_prime, *_ in seen])
    mean_p = every_p.mean(axis=0)
    products = []
    for p, p_prime, own, partner, _, _ in seen:
        for i in range(len(p_prime)):
            product = (p[own[i]] - mean_p) * p_prime[i]
            if partner[i] != own[i]:
                product = product + (p[partner[i]] - mean_p) * p_prime[i]
            products.append(product)
    confidence = (every_p.var(axis=0) + every_p_prime.var(axis=0)) / (4 * n)
    coupling = 2 * np.mean(products, axis=0) / (4 * n)
    measured = np.var(u, axis=0, ddof=1)
    return {
        "var_confidence": confidence.mean(),
        "var_coupling": coupling.mean(),
        "var_batch": (measured - confidence - coupling).mean(),
        "t_stddev_pairs": np.sqrt(np.maximum(confidence + coupling, 0)).mean(),
    }
