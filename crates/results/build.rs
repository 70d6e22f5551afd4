//! Tells the crate what it is built from: commit, whether the tree differs from it, compiler,
//! target. Without git, or outside a repository, commit and dirty are simply unknown.
//!
//! Run again only when HEAD moves. That the tree was edited since is found out at run time, where
//! the binary still stands in its tree (see `provenance.rs`).

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let commit = git(&["rev-parse", "HEAD"]);
    if let Some(commit) = &commit {
        println!("cargo::rustc-env=RESLAB_COMMIT={commit}");
        if let Some(changes) = git(&["status", "--porcelain"]) {
            println!("cargo::rustc-env=RESLAB_DIRTY={}", !changes.is_empty());
        }
        watch_head();
    }
    if let Some(rustc) = std::env::var("RUSTC")
        .ok()
        .and_then(|rustc| run(&rustc, &["--version"]))
    {
        println!("cargo::rustc-env=RESLAB_RUSTC={rustc}");
    }
    if let Ok(target) = std::env::var("TARGET") {
        println!("cargo::rustc-env=RESLAB_TARGET={target}");
    }
}

/// The files that change when HEAD moves: HEAD itself on a checkout, its log on every commit; the
/// branch where no log is kept. A path that does not exist would make cargo run this every time.
fn watch_head() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()) {
        let path = git(&["rev-parse", "--git-path", name]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    run("git", arguments)
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_string())
}
