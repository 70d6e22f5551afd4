//! Which figures there are, what tables they need, and drawing all of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::claims::{self, Verdict};
use crate::papers::{
    blocks_per_step, degradation, expressivity, gradients, identity, lesion, paths, shattering,
    transfer, variants,
};
use crate::plots::{Figure, Named, lay_out};
use crate::study::{self, Group};
use crate::tables::Tables;
use crate::{FigureError, networks, render};

/// A figure that can be drawn from the tables.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Name, and stem of its files.
    pub name: &'static str,
    /// Tables it is drawn from.
    pub tables: &'static [&'static str],
    /// What it shows.
    pub shows: &'static str,
    /// Makes it for a group of runs, or says why it cannot be.
    pub draw: fn(&Tables, &Group) -> Result<Figure, String>,
}

/// All figures.
pub const FIGURES: [Spec; 3] = [
    Spec {
        name: "error-curves",
        tables: &["runs", "epochs"],
        shows: "training and test error after each epoch, plain and residual (He et al. 2015, Fig. 6)",
        draw: degradation::error_curves,
    },
    Spec {
        name: "error-by-depth",
        tables: &["runs"],
        shows: "final training and test error against depth, plain and residual",
        draw: degradation::error_by_depth,
    },
    Spec {
        name: "layer-responses",
        tables: &["runs", "layers"],
        shows: "standard deviation of layer responses (He et al. 2015, Fig. 7)",
        draw: degradation::layer_responses,
    },
];

/// The figures of an instrument.
#[derive(Clone, Copy, Debug)]
pub struct InstrumentFigures {
    /// The instrument's table; without it there is nothing to draw.
    pub table: &'static str,
    /// Makes them, each with the stem of its files, or with why it cannot be drawn.
    pub draw: fn(&Tables) -> Vec<Named>,
}

/// The figures of all instruments.
pub const INSTRUMENT_FIGURES: &[InstrumentFigures] = &[
    InstrumentFigures {
        table: "lesion",
        draw: lesion::draw,
    },
    InstrumentFigures {
        table: "identity",
        draw: identity::figures,
    },
    InstrumentFigures {
        table: "expressivity",
        draw: expressivity::figures,
    },
    InstrumentFigures {
        table: "gradients",
        draw: gradients::figures,
    },
    InstrumentFigures {
        table: "shattering",
        draw: shattering::figures,
    },
    InstrumentFigures {
        table: "paths",
        draw: paths::draw,
    },
];

/// More groups than this make a folder nobody looks at; the rest is named as skipped.
const MOST_GROUPS: usize = 24;

/// A figure that was not drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Name of the figure.
    pub figure: String,
    /// Why.
    pub reason: String,
}

/// What a call of [`draw`] has left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// The files written, figures first.
    pub files: Vec<PathBuf>,
    /// Figures the tables do not suffice for.
    pub skipped: Vec<Skipped>,
    /// The verdicts, also in `figures/verdicts.json`.
    pub verdicts: Vec<Verdict>,
}

/// Redraws everything that the tables in `dir` suffice for into `dir/figures`.
pub fn draw(dir: &Path) -> Result<Drawing, FigureError> {
    draw_tables(&Tables::read(dir)?, &dir.join("figures"))
}

/// Draws everything that these tables suffice for into the folder `out`.
pub fn draw_tables(tables: &Tables, out: &Path) -> Result<Drawing, FigureError> {
    fs::create_dir_all(out).map_err(|error| FigureError::write(out, error))?;
    let mut drawing = Drawing {
        files: Vec::new(),
        skipped: Vec::new(),
        verdicts: claims::fitting(tables),
    };
    for instrument in INSTRUMENT_FIGURES {
        let rows = tables.instruments.get(instrument.table);
        if rows.is_none_or(|table| table.is_empty()) {
            continue;
        }
        for (name, figure) in (instrument.draw)(tables) {
            match figure {
                Ok(figure) => write_figure(&figure, out, &name, &mut drawing.files)?,
                Err(reason) => drawing.skipped.push(Skipped {
                    figure: name,
                    reason,
                }),
            }
        }
    }
    // This figure compares what keeps the runs of the others apart: it stands alone.
    if transfer::applies(tables) {
        let name = "error-by-examples";
        match transfer::error_by_examples(tables) {
            Ok(figure) => {
                write_figure(&figure, out, name, &mut drawing.files)?;
                return finish(drawing, out);
            }
            Err(reason) => drawing.skipped.push(Skipped {
                figure: name.into(),
                reason,
            }),
        }
    }
    // So does this one.
    if blocks_per_step::applies(tables) {
        let name = "error-by-blocks-per-step";
        match blocks_per_step::error_by_blocks(tables) {
            Ok(figure) => {
                write_figure(&figure, out, name, &mut drawing.files)?;
                return finish(drawing, out);
            }
            Err(reason) => drawing.skipped.push(Skipped {
                figure: name.into(),
                reason,
            }),
        }
    }
    if networks::apply(&tables.runs) {
        draw_networks(tables, out, &mut drawing)?;
        if networks::stand_alone(&tables.runs) {
            return finish(drawing, out);
        }
    }
    match study::groups(&tables.runs) {
        Ok(groups) => {
            for spec in &FIGURES {
                for (index, group) in groups.iter().enumerate() {
                    let name = file_stem(spec, group);
                    let figure = if index < MOST_GROUPS {
                        (spec.draw)(tables, group)
                    } else {
                        Err(format!(
                            "only the first {MOST_GROUPS} combinations of settings are drawn"
                        ))
                    };
                    match figure {
                        Ok(figure) => write_figure(&figure, out, &name, &mut drawing.files)?,
                        Err(reason) => drawing.skipped.push(Skipped {
                            figure: name,
                            reason,
                        }),
                    }
                }
            }
        }
        Err(reason) => drawing.skipped.extend(FIGURES.iter().map(|spec| Skipped {
            figure: spec.name.into(),
            reason: reason.clone(),
        })),
    }
    finish(drawing, out)
}

/// Networks that differ in architecture, one figure for each combination of other settings.
fn draw_networks(tables: &Tables, out: &Path, drawing: &mut Drawing) -> Result<(), FigureError> {
    let name = "error-by-network";
    let sets = match variants::error_by_network(tables) {
        Ok(sets) => sets,
        Err(reason) => vec![(String::new(), Err(reason))],
    };
    for (slug, figure) in sets.into_iter().take(MOST_GROUPS) {
        let stem = stem(name, &slug);
        match figure {
            Ok(figure) => write_figure(&figure, out, &stem, &mut drawing.files)?,
            Err(reason) => drawing.skipped.push(Skipped {
                figure: stem,
                reason,
            }),
        }
    }
    Ok(())
}

/// Writes the verdicts beside the figures.
fn finish(mut drawing: Drawing, out: &Path) -> Result<Drawing, FigureError> {
    let path = out.join("verdicts.json");
    write(&path, verdicts_json(&drawing.verdicts).as_bytes())?;
    drawing.files.push(path);
    Ok(drawing)
}

fn file_stem(spec: &Spec, group: &Group) -> String {
    stem(spec.name, &group.slug)
}

fn stem(name: &str, slug: &str) -> String {
    if slug.is_empty() {
        name.into()
    } else {
        // File systems end names at 255 bytes; the start of a long slug tells enough.
        let slug: String = slug.chars().take(120).collect();
        format!("{name}--{slug}")
    }
}

fn write_figure(
    figure: &Figure,
    out: &Path,
    name: &str,
    files: &mut Vec<PathBuf>,
) -> Result<(), FigureError> {
    let scene = lay_out(figure);
    let svg = out.join(format!("{name}.svg"));
    write(&svg, render::svg(&scene)?.as_bytes())?;
    files.push(svg);
    let png = out.join(format!("{name}.png"));
    write(&png, &render::png(&scene)?)?;
    files.push(png);
    Ok(())
}

fn verdicts_json(verdicts: &[Verdict]) -> String {
    // Plain data: serialising it cannot fail.
    let text = serde_json::to_string_pretty(verdicts).unwrap_or_default();
    format!("{text}\n")
}

/// Writes beside the place and renames, so that nobody sees half a file.
fn write(path: &Path, bytes: &[u8]) -> Result<(), FigureError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".tmp-{}", std::process::id()));
    let beside = PathBuf::from(beside);
    fs::write(&beside, bytes)
        .and_then(|()| fs::rename(&beside, path))
        .map_err(|error| FigureError::write(path, error))
}
