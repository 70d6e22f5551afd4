//! Exported surfaces are the table's, and the page works in a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;
use crate::papers::landscape::made::{Made, only, steps, tables};

fn file(tables: &Tables, end: &str) -> String {
    let found = exports(tables)
        .into_iter()
        .find(|file| file.path.ends_with(end));
    let bytes = found.expect(end).bytes.expect("made");
    String::from_utf8(bytes).expect("text")
}

/// The value of an attribute.
fn attribute<'t>(xml: &'t str, name: &str) -> &'t str {
    let start = xml.find(&format!(" {name}=\"")).expect(name) + name.len() + 3;
    xml[start..].split('"').next().expect(name)
}

fn array(xml: &str, name: &str) -> Option<Vec<f64>> {
    let start = xml.find(&format!("Name=\"{name}\""))?;
    let text = xml[start..].split('>').nth(1)?.split('<').next()?;
    let bytes = STANDARD.decode(text).ok()?;
    let (length, values) = bytes.split_at(8);
    assert_eq!(
        u64::from_le_bytes(length.try_into().ok()?),
        values.len() as u64
    );
    Some(
        values
            .chunks(8)
            .map(|eight| f64::from_le_bytes(eight.try_into().expect("eight")))
            .collect(),
    )
}

#[test]
fn vtk_files_have_the_grid_the_right_way_round() {
    // Not square, not symmetric, one point missing.
    let height = |x: f64, y: f64| {
        if x == 1.0 && y == 4.0 {
            f64::NAN
        } else {
            3.0 + x + 0.4 * y
        }
    };
    let tables = only(
        &Made {
            xs: steps(-1.0, 1.0, 3),
            ys: steps(-2.0, 4.0, 7),
            ..Made::default()
        },
        height,
    );
    assert_eq!(exports(&tables)[0].path, "vtk/plane-resnet-20-kept.vti");
    let xml = file(&tables, ".vti");
    assert_eq!(attribute(&xml, "WholeExtent"), "0 2 0 6 0 0");
    assert_eq!(attribute(&xml, "Extent"), "0 2 0 6 0 0");
    assert_eq!(attribute(&xml, "Origin"), "-1 -2 0");
    assert_eq!(attribute(&xml, "Spacing"), "1 1 1");
    let (loss, log) = (
        array(&xml, "loss").expect("loss"),
        array(&xml, "log10_loss").expect("log"),
    );
    assert_eq!(loss.len(), 21);
    for (index, (loss, log)) in loss.iter().zip(log).enumerate() {
        let (x, y) = ((index % 3) as f64 - 1.0, (index / 3) as f64 - 2.0);
        assert_eq!(loss.to_bits(), height(x, y).to_bits(), "{x} {y}");
        assert!(index == 20 || (log - loss.log10()).abs() < 1e-12);
    }
    assert!(array(&xml, "error").is_some());
}

#[test]
fn grids_with_uneven_steps_have_no_image_and_say_why() {
    let tables = only(
        &Made {
            xs: vec![0.0, 1.0, 3.0],
            ..Made::default()
        },
        |x, _| x,
    );
    let files = exports(&tables);
    assert!(
        files[0]
            .bytes
            .as_ref()
            .is_err_and(|reason| reason.contains("evenly"))
    );
    assert!(files[1].bytes.is_ok(), "the page takes any grid");
}

#[test]
fn lines_and_single_points_are_not_exported() {
    for made in [
        Made {
            surface: "line",
            ..Made::default()
        },
        Made {
            ys: vec![0.0],
            ..Made::default()
        },
    ] {
        assert!(exports(&only(&made, |x, _| x)).is_empty());
    }
}

fn data(page: &str) -> Value {
    let start = page.find("id=\"data\">").expect("data") + 10;
    serde_json::from_str(page[start..].split("</script>").next().expect("an end")).expect("JSON")
}

#[test]
fn the_page_holds_the_tables_numbers_and_nothing_from_outside() {
    let page = file(&tables(), "surface.html");
    let data = data(&page);
    let surfaces = data["surfaces"].as_array().expect("surfaces");
    // Four networks: two kinds of statistics, and a trajectory.
    assert_eq!(surfaces.len(), 4 * 3);
    for (surface, made) in surfaces
        .iter()
        .zip(super::surfaces(&Study::read(&tables()).expect("surfaces")))
    {
        let values: Vec<f64> = surface["loss"]
            .as_array()
            .expect("loss")
            .iter()
            .filter_map(Value::as_f64)
            .collect();
        assert_eq!(values, made.loss.values, "to the bit");
        assert_eq!(
            surface["path"].is_array(),
            made.key.cut.surface == "trajectory"
        );
    }
    // The deepest pair, plain left.
    let shown =
        |side: usize| &surfaces[data["first"][side].as_u64().expect("a place") as usize]["name"];
    assert_eq!(shown(0), "plain-56: plane, statistics kept");
    assert_eq!(shown(1), "ResNet-56: plane, statistics kept");
    for outside in [
        "http:", "https:", "src=", "href=", "import ", "fetch(", "url(",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(!page.contains("{{"));
}

/// Chromium, where there is one.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("RESLAB_CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH")?;
    let names = [
        "chromium",
        "chromium-browser",
        "google-chrome",
        "chrome-headless-shell",
    ];
    let found = names
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    named.into_iter().chain(found).find(|file| file.is_file())
}

/// The page's document after its scripts have run.
fn opened(browser: &Path, page: &str, fragment: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("surface.html");
    std::fs::write(&file, page).expect("written");
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=1200,800",
        ])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}{fragment}", file.display()))
        .output()
        .expect("the browser runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_page_draws_turns_and_scales_in_a_browser() {
    let Some(browser) = browser() else {
        eprintln!("skipped: no Chromium on PATH or in RESLAB_CHROMIUM");
        return;
    };
    let page = file(&tables(), "surface.html");
    let document = opened(&browser, &page, "#selftest");
    assert!(
        !document.contains("data-error"),
        "{}",
        attribute(&document, "data-error")
    );
    assert!(document.contains("data-drawn"), "drawn: {document:.300}");
    assert!(document.contains("data-selftest=\"done\""));
    let start = document
        .find("<pre id=\"selftest\"")
        .expect("what was found");
    let text = document[start..]
        .split('>')
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .expect("text");
    let found: Value = serde_json::from_str(&text.replace("&quot;", "\"")).expect("JSON");
    let picture = |name: &str| found[name].clone();
    for changed in ["scaleToggled", "turned", "zoomed"] {
        for side in 0..2 {
            assert_ne!(picture(changed)[side], picture("start")[side], "{changed}");
        }
    }
    for same in ["scaleBack", "reset"] {
        assert_eq!(picture(same), picture("start"), "{same}");
    }
    assert_ne!(picture("start")[0], picture("start")[1], "two surfaces");
    assert_eq!(found["linkedCameras"][0], found["linkedCameras"][1]);
    assert_ne!(found["unlinkedCameras"][0], found["unlinkedCameras"][1]);
    assert!(
        found["readout"]
            .as_str()
            .is_some_and(|text| text.contains("loss"))
    );
    let study = tables();
    let study = Study::read(&study).expect("surfaces");
    for (sum, surface) in found["sums"]
        .as_array()
        .expect("sums")
        .iter()
        .zip(surfaces(&study))
    {
        let expected: f64 = surface.loss.values.iter().sum();
        assert!((sum.as_f64().expect("a sum") - expected).abs() < 1e-9 * expected);
    }
}

#[test]
fn a_page_with_one_surface_and_gaps_draws_too() {
    let Some(browser) = browser() else {
        eprintln!("skipped: no Chromium on PATH or in RESLAB_CHROMIUM");
        return;
    };
    let hole = |x: f64, y: f64| {
        if x > 0.4 {
            f64::INFINITY
        } else {
            x * x + y * y
        }
    };
    let page = file(&only(&Made::default(), hole), "surface.html");
    let document = opened(&browser, &page, "#selftest");
    assert!(
        !document.contains("data-error"),
        "{}",
        attribute(&document, "data-error")
    );
    assert!(document.contains("data-selftest=\"done\""));
}
