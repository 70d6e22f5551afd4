//! The instruction set: detected once, or forced by `RESLAB_SIMD=avx512|avx2|portable`.

use std::fmt;
use std::sync::OnceLock;

/// An instruction set that this machine has: a value exists only where it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Isa(pub(crate) Kind);

/// All sets there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

/// Why `RESLAB_SIMD` cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IsaError {
    /// Not the name of a set.
    #[error("RESLAB_SIMD is `{0}`; accepted are avx512, avx2 and portable.")]
    Unknown(String),
    /// The machine does not have it.
    #[error("RESLAB_SIMD asks for {asked}, which this machine does not have; it has {available}.")]
    Unavailable {
        /// The set asked for.
        asked: String,
        /// The sets there are.
        available: String,
    },
}

impl Isa {
    /// Plain Rust, for any machine.
    pub const PORTABLE: Isa = Isa(Kind::Portable);

    /// The sets this machine has, best first.
    pub fn available() -> &'static [Isa] {
        static FOUND: OnceLock<Vec<Isa>> = OnceLock::new();
        FOUND.get_or_init(|| {
            let mut found = Vec::new();
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                    found.push(Isa(Kind::Avx512));
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    found.push(Isa(Kind::Avx2));
                }
            }
            found.push(Isa(Kind::Portable));
            found
        })
    }

    /// The set to use: the one `RESLAB_SIMD` names, or the best. Read once.
    pub fn chosen() -> Result<Isa, IsaError> {
        static CHOSEN: OnceLock<Result<Isa, IsaError>> = OnceLock::new();
        CHOSEN
            .get_or_init(|| match std::env::var_os("RESLAB_SIMD") {
                None => Ok(Isa::available()[0]),
                Some(name) => Isa::named(&name.to_string_lossy()),
            })
            .clone()
    }

    /// The set to use, or the best where `RESLAB_SIMD` cannot be followed. A program reports the
    /// error of [`Isa::chosen`] when it starts, before anything is computed.
    pub fn current() -> Isa {
        Isa::chosen().unwrap_or(Isa::available()[0])
    }

    /// The set of that name, if the machine has it.
    pub fn named(name: &str) -> Result<Isa, IsaError> {
        let found = Isa::available().iter().find(|isa| isa.name() == name);
        match (found, name) {
            (Some(&isa), _) => Ok(isa),
            (None, "avx512" | "avx2") => Err(IsaError::Unavailable {
                asked: name.to_owned(),
                available: Isa::available()
                    .iter()
                    .map(|i| i.name())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
            (None, _) => Err(IsaError::Unknown(name.to_owned())),
        }
    }

    /// `avx512`, `avx2` or `portable`.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            Kind::Portable => "portable",
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_the_sets_the_machine_has() {
        for &isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Ok(isa));
        }
        assert_eq!(Isa::available().last(), Some(&Isa::PORTABLE));
    }

    #[test]
    fn an_unknown_name_is_reported_with_what_is_accepted() {
        let message = Isa::named("sse9").unwrap_err().to_string();
        assert!(message.contains("sse9") && message.contains("avx512, avx2 and portable"));
    }
}
