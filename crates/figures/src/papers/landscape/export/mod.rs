//! Surfaces for other programs: each as VTK image data for ParaView, all together as a page to turn
//! them on that needs nothing but a browser.

mod page;
#[cfg(test)]
mod tests;
mod vtk;

use std::collections::BTreeSet;

use super::trajectory::{Path, paths};
use super::{Key, Sheet, Study, cut_note, suffix};
use crate::contours::Grid;
use crate::study::slug;
use crate::tables::Tables;

/// A file to be written beside the figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Export {
    /// Its path below the folder of figures.
    pub path: String,
    /// Its bytes, or why it cannot be made.
    pub bytes: Result<Vec<u8>, String>,
}

/// A surface with what is said about it.
struct Surface<'s> {
    /// Name, and stem of its file.
    stem: String,
    /// The network and how the surface was cut.
    name: String,
    network: String,
    residual: bool,
    about: String,
    labels: [String; 2],
    key: &'s Key,
    loss: &'s Grid,
    error: &'s Grid,
    path: Option<Path>,
}

/// The files of all surfaces with two dimensions; none where there are none.
pub fn exports(tables: &Tables) -> Vec<Export> {
    let Ok(study) = Study::read(tables) else {
        return Vec::new();
    };
    let surfaces = surfaces(&study);
    let mut files: Vec<Export> = surfaces
        .iter()
        .map(|surface| Export {
            path: format!("vtk/{}.vti", surface.stem),
            bytes: vtk::image_data(surface),
        })
        .collect();
    if !surfaces.is_empty() {
        files.push(Export {
            path: "surface.html".into(),
            bytes: Ok(page::html(&surfaces).into_bytes()),
        });
    }
    files
}

fn surfaces<'s>(study: &'s Study<'_>) -> Vec<Surface<'s>> {
    let paths = paths(study.tables);
    let mut taken = BTreeSet::new();
    let flat = |sheet: &Sheet| sheet.grids[0].xs.len() < 2 || sheet.grids[0].ys.len() < 2;
    let mut sheets: Vec<(&Key, &Sheet)> = study
        .sheets
        .iter()
        .filter(|(_, sheet)| !flat(sheet))
        .collect();
    // Otherwise in their order: first the training set's, which is what papers show.
    sheets.sort_by_key(|(key, _)| (key.cut.surface.clone(), key.cut.set == "test"));
    sheets
        .into_iter()
        .map(|(key, sheet)| {
            let network = &study.networks.all[key.run];
            let path = paths.get(&(network.id.clone(), key.epoch, key.directions.clone()));
            let path = path.filter(|_| key.cut.surface == "trajectory").cloned();
            let cut = suffix(&key.cut, &study.sheets);
            let mut stem = slug(&format!(
                "{} {} {}{cut}",
                key.cut.surface, network.name, key.statistics
            ));
            while !taken.insert(stem.clone()) {
                stem.push_str("-more");
            }
            let words = match cut.trim_start_matches('-') {
                "" => String::new(),
                words => format!(", {}", words.replace('-', " ")),
            };
            Surface {
                stem,
                name: format!(
                    "{}: {}, statistics {}{words}",
                    network.name, key.cut.surface, key.statistics
                ),
                network: study.networks.title(key.run),
                residual: network.residual,
                about: about(key),
                labels: labels(path.as_ref()),
                key,
                loss: &sheet.grids[0],
                error: &sheet.grids[1],
                path,
            }
        })
        .collect()
}

fn about(key: &Key) -> String {
    if key.cut.surface == "plane" {
        return cut_note(&key.cut, "Loss");
    }
    format!(
        "Loss over {} samples of the {} on the plane of the first two principal components of \
         training; blue: the first snapshot, vermilion: after a drop of the learning rate.",
        key.cut.samples,
        super::set_name(&key.cut.set)
    )
}

fn labels(path: Option<&Path>) -> [String; 2] {
    match path {
        Some(Path { shares: (a, b), .. }) if a.is_finite() && b.is_finite() => {
            [("PC 1", a), ("PC 2", b)]
                .map(|(name, share)| format!("{name}, {:.1} %", 100.0 * share))
        }
        _ => ["x".into(), "y".into()],
    }
}
