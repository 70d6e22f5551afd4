//! VTK image data (`.vti`): loss, its logarithm and error at the points of a regular grid.
//!
//! XML after VTK's file formats: points x fastest; each array is the number of its bytes (64 bit)
//! and the bytes themselves, all little-endian, in base64. Points without a value are NaN.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Surface;

/// Steps of a regular grid may differ by this share of one.
const REGULAR: f64 = 1e-6;

/// The file, or why the surface has none.
pub(super) fn image_data(surface: &Surface<'_>) -> Result<Vec<u8>, String> {
    let grid = surface.loss;
    let (dx, dy) = (step(&grid.xs)?, step(&grid.ys)?);
    let extent = format!("0 {} 0 {} 0 0", grid.xs.len() - 1, grid.ys.len() - 1);
    let logarithm: Vec<f64> = grid
        .values
        .iter()
        .map(|loss| if *loss > 0.0 { loss.log10() } else { f64::NAN })
        .collect();
    let mut arrays = array("loss", &grid.values);
    arrays.push_str(&array("log10_loss", &logarithm));
    if surface.error.range().is_some() {
        arrays.push_str(&array("error", &surface.error.values));
    }
    Ok(format!(
        "<?xml version=\"1.0\"?>\n\
         <VTKFile type=\"ImageData\" version=\"1.0\" byte_order=\"LittleEndian\" header_type=\"UInt64\">\n\
         <ImageData WholeExtent=\"{extent}\" Origin=\"{} {} 0\" Spacing=\"{dx} {dy} 1\">\n\
         <Piece Extent=\"{extent}\">\n\
         <PointData Scalars=\"loss\">\n\
         {arrays}\
         </PointData>\n\
         </Piece>\n\
         </ImageData>\n\
         </VTKFile>\n",
        grid.xs[0], grid.ys[0],
    )
    .into_bytes())
}

/// The step of places that are evenly apart.
fn step(places: &[f64]) -> Result<f64, String> {
    let steps = places.len() - 1;
    let step = (places[steps] - places[0]) / steps as f64;
    let even = places
        .windows(2)
        .all(|pair| (pair[1] - pair[0] - step).abs() <= REGULAR * step);
    if even {
        Ok(step)
    } else {
        Err("its points are not evenly apart, as VTK's image data must be".into())
    }
}

fn array(name: &str, values: &[f64]) -> String {
    let mut bytes = ((8 * values.len()) as u64).to_le_bytes().to_vec();
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    format!(
        "<DataArray type=\"Float64\" Name=\"{name}\" format=\"binary\">{}</DataArray>\n",
        STANDARD.encode(bytes)
    )
}
