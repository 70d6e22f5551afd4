//! One scene, two files: SVG and PNG, both through plotters' back ends.
//!
//! plotters counts in whole units. Scenes are therefore painted on a canvas many units to the
//! pixel: an SVG states its size in pixels and its view box in units, a PNG is averaged down.
//! The bytes depend on the scene alone.

mod glyphs;
mod paint;

use image::ImageEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};

use crate::scene::Scene;
use paint::{Device, paint};

/// Units of an SVG's view box to a logical pixel.
const SVG_UNITS: u32 = 20;
/// Pixels of a PNG to a logical pixel.
const PNG_PIXELS: u32 = 2;
/// Units painted to a pixel of a PNG, along each side.
const PNG_SAMPLES: u32 = 3;

/// Why a scene could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("The figure could not be drawn: {0}")]
pub struct RenderError(String);

fn failed(error: impl std::fmt::Display) -> RenderError {
    RenderError(error.to_string())
}

/// The scene as SVG, texts as outlines.
pub fn svg(scene: &Scene) -> Result<String, RenderError> {
    let (width, height) = (scene.width * SVG_UNITS, scene.height * SVG_UNITS);
    let mut body = String::new();
    let mut backend = SVGBackend::with_string(&mut body, (width, height));
    paint(&mut backend, scene, SVG_UNITS, Device::Vector)?;
    backend.present().map_err(failed)?;
    drop(backend);
    // plotters opens with a tag of its own, in units; ours states the size in pixels.
    let shapes = body.split_once('>').map_or("", |(_, rest)| rest);
    let shapes = shapes
        .replace(" opacity=\"1\"", "")
        .replace(" \"/>", "\"/>");
    let title = escape(&scene.title);
    Ok(format!(
        "<svg width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\" \
         xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" stroke-linejoin=\"round\">\n\
         <title>{title}</title>{shapes}",
        scene.width, scene.height,
    ))
}

/// The scene as PNG, two pixels to a logical pixel, with the resolution (192 to the inch) implied.
pub fn png(scene: &Scene) -> Result<Vec<u8>, RenderError> {
    let units = PNG_PIXELS * PNG_SAMPLES;
    let (width, height) = (scene.width * units, scene.height * units);
    let mut canvas = vec![0u8; width as usize * height as usize * 3];
    let mut backend = BitMapBackend::with_buffer(&mut canvas, (width, height));
    paint(&mut backend, scene, units, Device::Raster)?;
    backend.present().map_err(failed)?;
    drop(backend);
    let (width, height) = (scene.width * PNG_PIXELS, scene.height * PNG_PIXELS);
    let pixels = average(&canvas, width as usize, height as usize);
    let mut file = Vec::new();
    PngEncoder::new_with_quality(&mut file, CompressionType::Best, FilterType::Adaptive)
        .write_image(&pixels, width, height, image::ExtendedColorType::Rgb8)
        .map_err(failed)?;
    Ok(file)
}

/// Averages squares of samples into pixels.
fn average(canvas: &[u8], width: usize, height: usize) -> Vec<u8> {
    let samples = PNG_SAMPLES as usize;
    let row = width * samples * 3;
    let mut pixels = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let mut sum = 0u32;
                for dy in 0..samples {
                    let start = (y * samples + dy) * row + x * samples * 3 + channel;
                    sum += (0..samples)
                        .map(|dx| u32::from(canvas[start + 3 * dx]))
                        .sum::<u32>();
                }
                let count = (samples * samples) as u32;
                pixels.push(((sum + count / 2) / count) as u8);
            }
        }
    }
    pixels
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests;
