//! Command-line options, read by name, and how a command can fail.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use pico_args::{Arguments, Error};

/// Why a command could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// The machine refused something the command cannot do without.
    Run(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Run(error)
    }
}

/// Options that were not read yet; what is left at the end is a mistake of the caller.
#[derive(Debug)]
pub struct Options {
    arguments: Arguments,
}

impl Options {
    /// The process's own arguments.
    pub fn from_environment() -> Self {
        Self { arguments: Arguments::from_env() }
    }

    #[cfg(test)]
    fn from_words(words: &[&str]) -> Self {
        Self { arguments: Arguments::from_vec(words.iter().map(OsString::from).collect()) }
    }

    /// Whether the caller asked for help.
    pub fn wants_help(&mut self) -> bool {
        self.arguments.contains(["-h", "--help"])
    }

    /// The first word.
    pub fn command(&mut self) -> Result<String, Failure> {
        match self.arguments.subcommand() {
            Ok(Some(command)) => Ok(command),
            Ok(None) => Err(Failure::Usage("a command is missing".to_owned())),
            Err(error) => Err(Failure::Usage(error.to_string())),
        }
    }

    /// The value of `key`, if it is given.
    pub fn optional<T>(&mut self, key: &'static str) -> Result<Option<T>, Failure>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.arguments.opt_value_from_str(key).map_err(|error| match error {
            Error::Utf8ArgumentParsingFailed { value, cause } => {
                Failure::Usage(format!("{key} '{value}': {cause}"))
            }
            other => Failure::Usage(other.to_string()),
        })
    }

    /// The value of `key`, or `default`.
    pub fn or<T>(&mut self, key: &'static str, default: T) -> Result<T, Failure>
    where
        T: FromStr,
        T::Err: Display,
    {
        Ok(self.optional(key)?.unwrap_or(default))
    }

    /// The value of `key`, which has no default.
    pub fn required<T>(&mut self, key: &'static str) -> Result<T, Failure>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.optional(key)?.ok_or_else(|| Failure::Usage(format!("{key} is missing")))
    }

    /// A count, at least 1.
    pub fn count(&mut self, key: &'static str, default: usize) -> Result<usize, Failure> {
        Ok(self.optional::<NonZeroUsize>(key)?.map_or(default, NonZeroUsize::get))
    }

    /// A time in seconds, with fractions.
    pub fn seconds(&mut self, key: &'static str, default: f64) -> Result<Duration, Failure> {
        Duration::try_from_secs_f64(self.or(key, default)?)
            .map_err(|error| Failure::Usage(format!("{key}: {error}")))
    }

    /// Ends the reading: an argument that was not read is an error.
    pub fn end(self) -> Result<(), Failure> {
        let rest: Vec<OsString> = self.arguments.finish();
        match rest.first() {
            None => Ok(()),
            Some(word) => {
                Err(Failure::Usage(format!("'{}' is not expected here", word.to_string_lossy())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage<T>(result: Result<T, Failure>) -> String {
        match result {
            Err(Failure::Usage(message)) => message,
            _ => panic!("a usage error was expected"),
        }
    }

    #[test]
    fn a_wrong_value_is_reported_with_its_option() {
        let message = usage(Options::from_words(&["--size", "many"]).count("--size", 64));
        assert!(message.starts_with("--size 'many': "), "{message}");
    }

    #[test]
    fn a_count_of_zero_is_refused() {
        usage(Options::from_words(&["--size", "0"]).count("--size", 64));
    }

    #[test]
    fn a_negative_time_is_refused() {
        usage(Options::from_words(&["--seconds", "-1"]).seconds("--seconds", 3.0));
    }

    #[test]
    fn an_unknown_option_is_reported() {
        assert_eq!(
            usage(Options::from_words(&["--sise", "4"]).end()),
            "'--sise' is not expected here"
        );
    }

    #[test]
    fn an_option_left_out_has_its_default() {
        let mut options = Options::from_words(&[]);
        assert_eq!(options.count("--size", 64).expect("the default"), 64);
        assert_eq!(
            options.seconds("--warmup", 0.5).expect("the default"),
            Duration::from_millis(500)
        );
    }
}
