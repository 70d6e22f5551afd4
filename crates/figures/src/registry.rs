//! Which figures there are, what tables they need, and drawing all of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::claims::{self, Verdict};
use crate::papers::{
    blocks_per_step, degradation, expressivity, generalisation, gradients, hessian, identity,
    jacobian, landscape, learning_rate, lesion, paths, shattering, smoothness, transfer, variants,
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
        table: "jacobian_theory",
        draw: jacobian::theory::figures,
    },
    InstrumentFigures {
        table: "hessian",
        draw: hessian::figures,
    },
    InstrumentFigures {
        table: "paths",
        draw: paths::draw,
    },
    InstrumentFigures {
        table: "jacobian",
        draw: jacobian::figures,
    },
    InstrumentFigures {
        table: "landscape",
        draw: landscape::figures,
    },
    InstrumentFigures {
        table: "smoothness",
        draw: smoothness::figures,
    },
    InstrumentFigures {
        table: "sharpness",
        draw: generalisation::figures,
    },
];

/// More groups than this make a folder nobody looks at; the rest is named as skipped.
const MOST_GROUPS: usize = 24;
/// The same beside figures of instruments.
const MOST_BESIDE_INSTRUMENTS: usize = 4;

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
    let beside = draw_instruments(tables, out, &mut drawing)?;
    export_surfaces(tables, out, &mut drawing)?;
    // These compare what keeps the runs of the others apart: they stand alone.
    if transfer::applies(tables)
        && drawing.add(
            "error-by-examples",
            transfer::error_by_examples(tables),
            out,
        )?
    {
        return finish(drawing, out);
    }
    if blocks_per_step::applies(tables) {
        let figure = blocks_per_step::error_by_blocks(tables);
        if drawing.add("error-by-blocks-per-step", figure, out)? {
            return finish(drawing, out);
        }
    }
    if learning_rate::applies(tables) {
        let mut any = false;
        for (name, figure) in learning_rate::figures(tables) {
            any |= drawing.add(&name, figure, out)?;
        }
        if any {
            return finish(drawing, out);
        }
    }
    if networks::apply(&tables.runs) {
        draw_networks(tables, out, &mut drawing, beside)?;
        if networks::stand_alone(&tables.runs) {
            return finish(drawing, out);
        }
    }
    draw_groups(tables, out, &mut drawing, beside)?;
    finish(drawing, out)
}

/// The figures of instruments that have rows; whether there were any.
fn draw_instruments(
    tables: &Tables,
    out: &Path,
    drawing: &mut Drawing,
) -> Result<bool, FigureError> {
    let mut any = false;
    for instrument in INSTRUMENT_FIGURES {
        let rows = tables.instruments.get(instrument.table);
        if rows.is_none_or(|table| table.is_empty()) {
            continue;
        }
        for (name, figure) in (instrument.draw)(tables) {
            any |= drawing.add(&name, figure, out)?;
        }
    }
    Ok(any)
}

/// Loss surfaces for other programs.
fn export_surfaces(tables: &Tables, out: &Path, drawing: &mut Drawing) -> Result<(), FigureError> {
    for export in landscape::exports(tables) {
        let bytes = match export.bytes {
            Ok(bytes) => bytes,
            Err(reason) => {
                drawing.skip(&export.path, reason);
                continue;
            }
        };
        let path = out.join(&export.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| FigureError::write(folder, error))?;
        }
        write(&path, &bytes)?;
        drawing.files.push(path);
    }
    Ok(())
}

/// Plain and residual networks over depth: each figure for each combination of other settings.
/// `beside` says whether instruments have figures.
fn draw_groups(
    tables: &Tables,
    out: &Path,
    drawing: &mut Drawing,
    beside: bool,
) -> Result<(), FigureError> {
    let groups = study::groups(&tables.runs);
    let groups = groups.and_then(|groups| few_enough(beside, groups.len()).map(|()| groups));
    let groups = match groups {
        Ok(groups) => groups,
        Err(reason) => {
            for spec in &FIGURES {
                drawing.skip(spec.name, reason.clone());
            }
            return Ok(());
        }
    };
    for spec in &FIGURES {
        for (index, group) in groups.iter().enumerate() {
            let figure = if index < MOST_GROUPS {
                (spec.draw)(tables, group)
            } else {
                Err(format!(
                    "only the first {MOST_GROUPS} combinations of settings are drawn"
                ))
            };
            drawing.add(&file_stem(spec, group), figure, out)?;
        }
    }
    Ok(())
}

impl Drawing {
    /// Writes a figure, or notes why it cannot be drawn; whether it was.
    fn add(
        &mut self,
        name: &str,
        figure: Result<Figure, String>,
        out: &Path,
    ) -> Result<bool, FigureError> {
        match figure {
            Ok(figure) => {
                write_figure(&figure, out, name, &mut self.files)?;
                Ok(true)
            }
            Err(reason) => {
                self.skip(name, reason);
                Ok(false)
            }
        }
    }

    fn skip(&mut self, figure: &str, reason: String) {
        let figure = figure.to_owned();
        self.skipped.push(Skipped { figure, reason });
    }
}

/// Refuses more combinations of settings than should be drawn beside figures of instruments, which
/// they would only hide.
fn few_enough(beside: bool, combinations: usize) -> Result<(), String> {
    if !beside || combinations <= MOST_BESIDE_INSTRUMENTS {
        return Ok(());
    }
    Err(format!(
        "beside figures of instruments at most {MOST_BESIDE_INSTRUMENTS} combinations of settings \
         are drawn, and there are {combinations}"
    ))
}

/// Networks that differ in architecture, one figure for each combination of other settings.
fn draw_networks(
    tables: &Tables,
    out: &Path,
    drawing: &mut Drawing,
    beside: bool,
) -> Result<(), FigureError> {
    let name = "error-by-network";
    let sets = match variants::error_by_network(tables) {
        Ok(sets) => sets,
        Err(reason) => vec![(String::new(), Err(reason))],
    };
    if let Err(reason) = few_enough(beside, sets.len()) {
        drawing.skip(name, reason);
        return Ok(());
    }
    for (slug, figure) in sets.into_iter().take(MOST_GROUPS) {
        drawing.add(&stem(name, &slug), figure, out)?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Synthetic, settings};
    use reslab_results::{Cell, Table, schema};

    /// Plain and residual networks at `rates` weight decays.
    fn tables(rates: i64) -> Tables {
        let mut made = Synthetic::default();
        for rate in 1..=rates {
            for (depth, residual) in [(20, false), (56, false), (20, true), (56, true)] {
                let decay = 0.01 * rate as f64;
                let settings = settings(depth, residual, 0).with("train_weight_decay", decay);
                made.run(settings, "finished", 0.1, 0.2);
            }
        }
        made.tables()
    }

    fn drawn(tables: &Tables) -> (usize, Vec<Skipped>) {
        let out = tempfile::tempdir().expect("a folder");
        let drawing = draw_tables(tables, out.path()).expect("drawn");
        let by_depth = |file: &&PathBuf| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("error-by-depth") && name.ends_with("svg")
        };
        let count = drawing.files.iter().filter(by_depth).count();
        (count, drawing.skipped)
    }

    #[test]
    fn many_combinations_do_not_hide_the_figures_of_instruments() {
        let mut table = Table::new(schema::identity());
        let mut row = vec![Cell::Null; table.schema.columns.len()];
        for (name, cell) in [
            ("run_id", Cell::from("r3")),
            ("epoch", 0_i64.into()),
            ("block", 0_i64.into()),
            ("ratio", 0.5.into()),
        ] {
            row[table.index(name).expect("a column")] = cell;
        }
        table.push(row).expect("a row");
        assert_eq!(drawn(&tables(6)).0, 6);
        for (rates, expected) in [(4, 4), (5, 0)] {
            let mut tables = tables(rates);
            tables
                .instruments
                .insert("identity".to_owned(), table.clone());
            let (count, skipped) = drawn(&tables);
            assert_eq!(count, expected);
            let told = skipped.iter().any(|s| s.reason.contains("there are 5"));
            assert_eq!(told, expected == 0, "{skipped:?}");
        }
    }
}
