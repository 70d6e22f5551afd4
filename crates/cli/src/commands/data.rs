//! `reslab data`: what data sets there are, whether they are sound, and getting them.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use reslab_nn::data::catalogue::{self, Listing, Place, Report};
use reslab_nn::data::{DataName, DataSettings, Places, download};
use reslab_results::summary::{Format, render, short};
use reslab_results::{Cell, ColumnSpec, Kind, Schema, Table};

use crate::arguments::DataCommand;
use crate::message::{self, Ending, Failure};
use crate::output;

/// Lists, checks or downloads.
pub fn data(command: &DataCommand) -> Result<Ending, Failure> {
    match command {
        DataCommand::List => list()?,
        DataCommand::Check { name, root, resize } => {
            let settings = DataSettings {
                name: parse(name)?,
                root: root.clone(),
                resize: *resize,
                ..DataSettings::default()
            };
            let report =
                catalogue::check(&settings).map_err(|error| Failure::from_error(&error))?;
            output::print(&in_words(&report))?;
        }
        DataCommand::Get { name, to, from } => {
            get(parse(name)?, to.as_deref(), from.as_deref())?;
        }
    }
    Ok(Ending::Well)
}

fn parse(name: &str) -> Result<DataName, Failure> {
    name.parse::<DataName>()
        .map_err(|error| Failure::from_error(&error))
}

/// One line a data set.
fn list() -> Result<(), Failure> {
    let listings = catalogue::list();
    let columns = ["name", "input", "classes", "train", "test", "place"];
    let columns = columns.map(|name| ColumnSpec::new(name, Kind::Text, "", ""));
    let mut table = Table::new(Schema::new("data", columns.to_vec()));
    table.rows.extend(listings.iter().map(row));
    output::print(&render(&table, Format::Table))
}

fn row(listing: &Listing) -> Vec<Cell> {
    let number =
        |number: Option<usize>| number.map_or(Cell::Null, |number| Cell::Text(number.to_string()));
    let place = match &listing.place {
        Place::BuiltIn => "built in".to_owned(),
        Place::Found(path) => path.display().to_string(),
        Place::BySettings => "where data.root says".to_owned(),
        Place::Missing { .. } => format!("not here: reslab data get {}", listing.name),
    };
    vec![
        Cell::Text(listing.name.to_string()),
        Cell::Text(listing.shape.to_owned()),
        number(listing.classes),
        number(listing.samples.map(|(train, _)| train)),
        number(listing.samples.map(|(_, test)| test)),
        Cell::Text(place),
    ]
}

/// What a sound data set holds.
fn in_words(report: &Report) -> String {
    let (train, test) = report.samples;
    let numbers = |numbers: &[f64]| {
        let numbers: Vec<String> = numbers.iter().map(|x| short(&Cell::Real(*x))).collect();
        numbers.join(", ")
    };
    let mut text = format!("{}: sound. {}\n", report.name, report.verdict);
    if let Some(path) = &report.path {
        text.push_str(&format!("place          {}\n", path.display()));
    }
    let outputs = if report.classes.is_empty() {
        format!("{} outputs", report.outputs)
    } else {
        format!("{} classes", report.outputs)
    };
    text.push_str(&format!(
        "inputs         {}, {outputs}\n\
         samples        {train} training, {test} test\n\
         normalised by  {}: mean {}, sd {}\n\
         checksum       {}\n\
         source         {}\n",
        report.shape,
        report.normalization,
        numbers(&report.mean),
        numbers(&report.std),
        report.checksum,
        report.attribution,
    ));
    text
}

/// Downloads with a bar where there is a terminal, and prints where the data are.
fn get(name: DataName, to: Option<&Path>, from: Option<&str>) -> Result<(), Failure> {
    let places = Places::from_environment();
    let Some(folder) = to.or(places.destination()) else {
        return Err(Failure::Input(
            "It is not clear where to put the data: give a folder with --to, or set RESLAB_DATA."
                .to_owned(),
        ));
    };
    message::say(&format!("{name}: downloading to {}", folder.display()));
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template(
        "{bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left",
    ) {
        bar.set_style(style.progress_chars("━╸─"));
    }
    let path = download::get(
        name,
        folder,
        &mut |done, total| {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(done);
        },
        from,
    );
    bar.finish_and_clear();
    let path = path.map_err(|error| Failure::from_error(&error))?;
    output::print(&format!("{}\n", path.display()))
}
