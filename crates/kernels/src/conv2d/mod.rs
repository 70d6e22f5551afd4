//! Direct convolution, row by row.
//!
//! `output[y, x, o] = bias[o] + Σ_{kh, kw, i} weight[o, i, kh, kw] · input[y s + kh − p, x s + kw − p, i]`
//!
//! One primitive, [`row`](row::row), computes one row of pixels of one group of images from a list
//! of [`Tap`]s: places in a buffer of padded rows, each with its slice of the packed weights. The
//! forward pass, and the gradient with respect to the input (the same with the kernel turned
//! around, and for stride 2 one pass for each parity of columns), are lists of taps. Rows that lie
//! in the padding are no taps at all. [`backward_weight`] is the other primitive.
//!
//! Legend: `i` input channel, `o` output channel, `k` kernel, `s` stride, `p` padding, all per group
//! of channels.
//!
//! Cost: `2 H W C_in C_out k² / groups` FLOPs an image, forward and for each of the two gradients.

pub mod backward_weight;
pub mod pack;
pub mod row;
#[cfg(test)]
mod tests;
pub mod winograd;

/// What a convolution computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dShape {
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step in rows and columns.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
    /// Groups of channels convolved apart.
    pub groups: usize,
}

/// One place of the kernel: where its input starts, and which slice of the weights it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// Offset of the input for the first output pixel, in floats.
    pub input: usize,
    /// Place in the kernel, `kh · k + kw`.
    pub place: usize,
}

impl Conv2dShape {
    /// Rows of the output.
    pub const fn out_height(&self) -> usize {
        (self.height + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Columns of the output.
    pub const fn out_width(&self) -> usize {
        (self.width + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Places of the kernel.
    pub const fn places(&self) -> usize {
        self.kernel * self.kernel
    }

    /// Input channels of one group.
    pub const fn group_in(&self) -> usize {
        self.in_channels / self.groups
    }

    /// Output channels of one group.
    pub const fn group_out(&self) -> usize {
        self.out_channels / self.groups
    }

    /// Numbers in the weight, packed or not.
    pub const fn weight_len(&self) -> usize {
        self.out_channels * self.group_in() * self.places()
    }

    /// Multiply-adds for one image.
    pub const fn multiply_adds(&self) -> usize {
        self.out_height() * self.out_width() * self.weight_len()
    }

    /// Columns of zeros that the gradient of an output row needs left and right of it, so that
    /// every tap of the input gradient finds a pixel.
    pub const fn gradient_margins(&self) -> (usize, usize) {
        let left = (self.kernel - 1)
            .saturating_sub(self.padding)
            .div_ceil(self.stride);
        let last = (self.width - 1 + self.padding) / self.stride;
        (left, (last + 1).saturating_sub(self.out_width()))
    }
}
