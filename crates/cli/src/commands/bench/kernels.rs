//! `reslab bench kernels`.

use reslab_nn::engine::{
    ConvolutionPass, ConvolutionSpeed, KernelSpeeds, PassSpeed, kernel_speeds,
};
use reslab_nn::network::Network;
use serde_json::{Value, json};

use super::super::models::sides;
use super::network;
use crate::arguments::KernelArguments;
use crate::message::Failure;
use crate::output;

/// Times every kernel that training the network needs, and prints how near each comes to what the
/// machine can do.
pub fn kernels(arguments: &KernelArguments) -> Result<(), Failure> {
    let network = network(&arguments.network)?;
    let speeds =
        kernel_speeds(&network, arguments.batch).map_err(|error| Failure::from_error(&error))?;
    if arguments.json {
        return output::print_json_line(&as_json(arguments, &network, &speeds));
    }
    output::print(&as_text(&speeds))
}

fn as_text(speeds: &KernelSpeeds) -> String {
    let mut text = format!(
        "One thread, {}, {} images; at most {:.1} GFLOP/s (multiply-adds in registers).\n\n",
        speeds.instruction_set,
        speeds.images,
        speeds.peak / 1e9
    );
    text += &format!(
        "{:<24}{:>6}  {:<16}{:<11}{:>9}{:>9}\n",
        "convolution", "times", "pass", "algorithm", "GFLOP/s", "of peak"
    );
    for speed in &speeds.convolutions {
        let rate = speed.flops / speed.seconds;
        text += &format!(
            "{:<24}{:>6}  {:<16}{:<11}{:>9.1}{:>7.0} %\n",
            words(speed),
            speed.times,
            speed.pass.name(),
            speed.algorithm.name(),
            rate / 1e9,
            100.0 * rate / speeds.peak
        );
    }
    for pass in ConvolutionPass::ALL {
        let rate = overall(speeds, pass);
        text += &format!(
            "{:<24}{:>6}  {:<16}{:<11}{:>9.1}{:>7.0} %\n",
            "all together",
            "",
            pass.name(),
            "",
            rate / 1e9,
            100.0 * rate / speeds.peak
        );
    }
    text += &format!(
        "\n{:<33}{:<14}{:>9}{:>8}{:>9}\n",
        "pass", "on", "MB", "GB/s", "of copy"
    );
    for speed in &speeds.passes {
        let rate = speed.bytes as f64 / speed.seconds;
        text += &format!(
            "{:<33}{:<14}{:>9.2}{:>8.1}{:>7.0} %\n",
            speed.pass,
            place(speed),
            speed.bytes as f64 / 1e6,
            rate / 1e9,
            100.0 * rate / speed.copy_rate
        );
    }
    text
}

/// `16→32 3×3/2 on 32×32`.
fn words(speed: &ConvolutionSpeed) -> String {
    let s = &speed.shape;
    if s.kernel * s.height * s.width == 1 {
        return format!("{}→{} linear", s.in_channels, s.out_channels);
    }
    let stride = if s.stride == 1 {
        String::new()
    } else {
        format!("/{}", s.stride)
    };
    let groups = if s.groups == 1 {
        String::new()
    } else {
        format!(" in {}", s.groups)
    };
    format!(
        "{}→{} {}×{}{stride}{groups} on {}×{}",
        s.in_channels, s.out_channels, s.kernel, s.kernel, s.height, s.width
    )
}

/// `16 × 32×32`, or a number of features or parameters.
fn place(speed: &PassSpeed) -> String {
    let s = speed.shape;
    if s.height * s.width == 1 {
        return s.channels.to_string();
    }
    format!("{} × {}×{}", s.channels, s.height, s.width)
}

/// FLOP/s of one pass of all convolutions of the network, each by its fastest algorithm.
fn overall(speeds: &KernelSpeeds, pass: ConvolutionPass) -> f64 {
    let (mut flops, mut seconds) = (0.0, 0.0);
    let of_pass: Vec<&ConvolutionSpeed> = speeds
        .convolutions
        .iter()
        .filter(|speed| speed.pass == pass)
        .collect();
    for same in of_pass.chunk_by(|a, b| a.layer == b.layer) {
        let fastest = same.iter().map(|s| s.seconds).fold(f64::MAX, f64::min);
        flops += same[0].times as f64 * same[0].flops;
        seconds += same[0].times as f64 * fastest;
    }
    flops / seconds
}

fn as_json(arguments: &KernelArguments, network: &Network, speeds: &KernelSpeeds) -> Value {
    let convolution = |speed: &ConvolutionSpeed| {
        let (s, rate) = (&speed.shape, speed.flops / speed.seconds);
        json!({
            "layer": speed.layer,
            "times": speed.times,
            "in_channels": s.in_channels,
            "out_channels": s.out_channels,
            "height": s.height,
            "width": s.width,
            "kernel": s.kernel,
            "stride": s.stride,
            "padding": s.padding,
            "groups": s.groups,
            "pass": speed.pass.name(),
            "algorithm": speed.algorithm.name(),
            "seconds": speed.seconds,
            "gflops": rate / 1e9,
            "of_peak": rate / speeds.peak,
        })
    };
    let pass = |speed: &PassSpeed| {
        let (s, rate) = (speed.shape, speed.bytes as f64 / speed.seconds);
        json!({
            "pass": speed.pass,
            "channels": s.channels,
            "height": s.height,
            "width": s.width,
            "bytes": speed.bytes,
            "seconds": speed.seconds,
            "gb_per_s": rate / 1e9,
            "copy_gb_per_s": speed.copy_rate / 1e9,
            "of_copy": rate / speed.copy_rate,
        })
    };
    json!({
        "bench": "kernels",
        "model": arguments.network.model,
        "width": arguments.network.width,
        "input": sides(network.input),
        "images": speeds.images,
        "instruction_set": speeds.instruction_set,
        "peak_gflops": speeds.peak / 1e9,
        "convolutions": speeds.convolutions.iter().map(convolution).collect::<Vec<_>>(),
        "passes": speeds.passes.iter().map(pass).collect::<Vec<_>>(),
    })
}
