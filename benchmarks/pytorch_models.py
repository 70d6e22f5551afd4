"""The networks of reslab in PyTorch, by reslab's names; the scripts check that parameters agree in number.

    resnetN plainN              He et al. 2015, section 4.2: CIFAR, depth 6n+2, option A shortcuts
    fc-resnetN fc-plainN        vectors of one width, N blocks h + relu(W h + b)
    wrn-D-K                     Zagoruyko, Komodakis 2016: pre-activation, depth 6n+4, 16 K channels first
    resnextD_GxWd               Xie et al. 2016, section 5.3: CIFAR, depth 9n+2, grouped bottlenecks
    bottleneckN                 He et al. 2016: pre-activation bottlenecks for CIFAR, depth 9n+2
    resnet18 resnet34           He et al. 2015, table 1: ImageNet
"""
import re

import torch
from torch import nn
from torch.nn import functional as F


def conv(i, o, kernel=3, stride=1, groups=1):
    return nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)


class OptionA(nn.Module):
    """Every second pixel, zeros for new channels."""

    def __init__(self, i, o):
        super().__init__()
        self.pad = (o - i) // 2

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))


class Basic(nn.Module):
    def __init__(self, i, o, stride, shortcut):
        super().__init__()
        self.conv1, self.bn1 = conv(i, o, stride=stride), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv(o, o), nn.BatchNorm2d(o)
        self.shortcut = shortcut

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y if self.shortcut is None else y + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 (grouped), 1x1: ResNeXt's block."""

    def __init__(self, i, inner, o, stride, groups):
        super().__init__()
        self.conv1, self.bn1 = conv(i, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = conv(inner, inner, 3, stride, groups), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = conv(inner, o, 1), nn.BatchNorm2d(o)
        self.shortcut = nn.Identity() if i == o else projection(i, o, stride)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + self.shortcut(x))


class Preactivation(nn.Module):
    """norm - ReLU - convolution, twice or (with `inner`) as a bottleneck."""

    def __init__(self, i, o, stride, inner=None):
        super().__init__()
        plan = [(i, o, 3, stride), (o, o, 3, 1)]
        if inner:
            plan = [(i, inner, 1, 1), (inner, inner, 3, stride), (inner, o, 1, 1)]
        self.norms = nn.ModuleList(nn.BatchNorm2d(a) for a, *_ in plan)
        self.convs = nn.ModuleList(conv(*p) for p in plan)
        self.project = None if i == o else conv(i, o, 1, stride)

    def forward(self, x):
        y = F.relu(self.norms[0](x))
        shortcut = x if self.project is None else self.project(y)
        y = self.convs[0](y)
        for norm, layer in list(zip(self.norms, self.convs))[1:]:
            y = layer(F.relu(norm(y)))
        return y + shortcut


def projection(i, o, stride):
    return nn.Sequential(conv(i, o, 1, stride), nn.BatchNorm2d(o))


class Images(nn.Module):
    def __init__(self, stem, blocks, last, head):
        super().__init__()
        self.stem, self.blocks, self.last, self.head = stem, nn.Sequential(*blocks), last, head

    def forward(self, x):
        return self.head(self.last(self.blocks(self.stem(x))).mean((2, 3)))


def stem(i, o):
    return nn.Sequential(conv(i, o), nn.BatchNorm2d(o), nn.ReLU())


def stages(widths, count, first, block):
    """`count` blocks at each width, the first of every stage but the first with stride 2."""
    blocks, i = [], first
    for stage, o in enumerate(widths):
        for k in range(count):
            blocks.append(block(i, o, 2 if stage > 0 and k == 0 else 1))
            i = o
    return blocks


def cifar(depth, width, residual, channels, classes):
    def block(i, o, stride):
        shortcut = (nn.Identity() if i == o else OptionA(i, o)) if residual else None
        return Basic(i, o, stride, shortcut)

    widths = [width, 2 * width, 4 * width]
    blocks = stages(widths, (depth - 2) // 6, width, block)
    return Images(stem(channels, width), blocks, nn.Identity(), nn.Linear(widths[-1], classes))


def preactivation(depth, per_block, widths, expansion, channels, classes):
    def block(i, o, stride):
        return Preactivation(i, o, stride, o // expansion if expansion else None)

    count = (depth - 4 if not expansion else depth - 2) // (3 * per_block)
    last = nn.Sequential(nn.BatchNorm2d(widths[-1]), nn.ReLU())
    blocks = stages(widths, count, 16, block)
    return Images(conv(channels, 16), blocks, last, nn.Linear(widths[-1], classes))


def resnext(depth, groups, width, channels, classes):
    inner = groups * width

    def block(i, o, stride):
        return Bottleneck(i, inner * o // 256, o, stride, groups)

    blocks = stages([256, 512, 1024], (depth - 2) // 9, 64, block)
    return Images(stem(channels, 64), blocks, nn.Identity(), nn.Linear(1024, classes))


def imagenet(counts, channels, classes):
    blocks, i = [], 64
    for stage, (o, count) in enumerate(zip((64, 128, 256, 512), counts)):
        for k in range(count):
            stride = 2 if stage > 0 and k == 0 else 1
            shortcut = nn.Identity() if i == o else projection(i, o, stride)
            blocks.append(Basic(i, o, stride, shortcut))
            i = o
    first = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    begin = nn.Sequential(first, nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return Images(begin, blocks, nn.Identity(), nn.Linear(512, classes))


class FullyConnected(nn.Module):
    def __init__(self, depth, width, residual, features, classes):
        super().__init__()
        self.stem, self.head = nn.Linear(features, width), nn.Linear(width, classes)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.residual = residual

    def forward(self, x):
        h = F.relu(self.stem(x.flatten(1)))
        for layer in self.layers:
            y = F.relu(layer(h))
            h = h + y if self.residual else y
        return self.head(h)


def build(name, size, width=None, classes=10):
    """The network of that name for inputs of `size`, (channels, height, width)."""
    channels, features = size[0], size[0] * size[1] * size[2]
    if name in ("resnet18", "resnet34"):
        return imagenet({"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}[name], channels, classes)
    if m := re.fullmatch(r"fc-(resnet|plain)(\d+)", name):
        return FullyConnected(int(m[2]), width or 64, m[1] == "resnet", features, classes)
    if m := re.fullmatch(r"(resnet|plain)(\d+)", name):
        return cifar(int(m[2]), width or 16, m[1] == "resnet", channels, classes)
    if m := re.fullmatch(r"wrn-(\d+)-(\d+)", name):
        widths = [16 * int(m[2]) * 2**i for i in range(3)]
        return preactivation(int(m[1]), 2, widths, None, channels, classes)
    if m := re.fullmatch(r"bottleneck(\d+)", name):
        return preactivation(int(m[1]), 3, [64, 128, 256], 4, channels, classes)
    if m := re.fullmatch(r"resnext(\d+)_(\d+)x(\d+)d", name):
        return resnext(int(m[1]), int(m[2]), int(m[3]), channels, classes)
    raise SystemExit(f"{name} is no network that pytorch_models.py knows:\n{__doc__}")


def fold_norms(model):
    """Folds each batch norm that follows a convolution into it, in place; the model must be in eval mode."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    def fold(module, conv_name, norm_name):
        layer, norm = getattr(module, conv_name), getattr(module, norm_name)
        setattr(module, conv_name, fuse_conv_bn_eval(layer, norm))
        setattr(module, norm_name, nn.Identity())

    for module in list(model.modules()):
        if isinstance(module, (Basic, Bottleneck)):
            for number in (1, 2, 3):
                if hasattr(module, f"conv{number}"):
                    fold(module, f"conv{number}", f"bn{number}")
        elif isinstance(module, nn.Sequential):
            names = list(module._modules)
            for one, two in zip(names, names[1:]):
                pair = module._modules[one], module._modules[two]
                if isinstance(pair[0], nn.Conv2d) and isinstance(pair[1], nn.BatchNorm2d):
                    fold(module, one, two)
        elif isinstance(module, Preactivation):
            # A norm reads what the convolution before it wrote, but for the first.
            for at in range(len(module.convs) - 1):
                module.convs[at] = fuse_conv_bn_eval(module.convs[at], module.norms[at + 1])
                module.norms[at + 1] = nn.Identity()
    return model
