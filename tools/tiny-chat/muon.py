"""Muon (Jordan and others, 2024) for matrices: momentum, made orthogonal by a Newton-Schulz iteration, scaled to the size of AdamW's steps (Liu and others, 2025). Matrices of one shape go together."""

import torch


def orthogonal(g):
    """g: [n, rows, columns]; singular values come out near 1."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    wide = x.shape[-2] <= x.shape[-1]
    x = x if wide else x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        y = x @ x.mT
        x = a * x + (b * y + c * y @ y) @ x
    return x if wide else x.mT


class Muon:
    def __init__(self, parameters, momentum=0.95, decay=0.1):
        self.momentum, self.decay, self.groups = momentum, decay, {}
        for p in parameters:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.moments = {shape: torch.zeros(len(ps), *shape, device=ps[0].device) for shape, ps in self.groups.items()}

    @torch.no_grad()
    def step(self, rate):
        for shape, ps in self.groups.items():
            gradient, moment = torch.stack([p.grad for p in ps]), self.moments[shape]
            moment.lerp_(gradient, 1 - self.momentum)
            update = orthogonal(gradient.lerp(moment, self.momentum)).float()
            torch._foreach_mul_(ps, 1 - rate * self.decay)
            torch._foreach_add_(ps, list(update.unbind(0)), alpha=-rate * 0.2 * max(shape) ** 0.5)
