//! A fault of reslab itself: said in three lines, not in a backtrace.

use std::panic::PanicHookInfo;

/// Replaces the panic message. `RUST_BACKTRACE=1` brings Rust's own back.
pub fn install_hook() {
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0") {
        std::panic::set_hook(Box::new(report));
    }
}

fn report(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let literal = payload.downcast_ref::<&str>().copied();
    let cause = literal
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    crate::message::error(&format!(
        "this is a fault in reslab {}, not in your experiment: {cause}\n  at {place}\n  \
         Finished runs are safe. Please report it with the command you typed; \
         RUST_BACKTRACE=1 tells more.",
        env!("CARGO_PKG_VERSION"),
    ));
}
