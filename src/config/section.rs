//! The macros that make sections of options out of structs, so that no option is written twice.

use super::OptionSpec;

/// A section of the file as the table knows it. Two entries may have one name; their options differ.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its name, between the brackets.
    pub name: &'static str,
    /// What it is about, in the lines of the doc comment of its struct.
    pub help: &'static [&'static str],
    /// Its options.
    pub options: &'static [OptionSpec],
}

/// Makes a struct of options: its fields, the table of what they may be (`OPTIONS`), and `read`.
///
/// A field is `name: type = "default text"`, then in brackets what limits or marks it: the methods of
/// [`OptionSpec`]. Its doc comment is the option's help text.
macro_rules! section {
    ($(
        $(#[doc = $about:literal])+
        pub struct $section:ident {$(
            $(#[doc = $help:literal])+
            $field:ident: $type:ty = $default:literal $([$($mark:ident $(($argument:expr))?),+])?,
        )+}
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub struct $section {$(
            $(#[doc = $help])+
            pub $field: $type,
        )+}

        impl $section {
            /// What the section is about.
            pub(in crate::config) const ABOUT: &'static [&'static str] = &[$($about),+];

            /// The options, in the order of the fields.
            pub(in crate::config) const OPTIONS: [$crate::config::OptionSpec; [$(stringify!($field)),+].len()] = [$(
                $crate::config::OptionSpec::of::<$type>(stringify!($field), $default, &[$($help),+])
                $($(.$mark($($argument)?))+)?
            ),+];

            /// Reads the fields from the values of that section.
            pub(in crate::config) fn read(
                group: &'static str,
                values: &mut $crate::config::values::Values,
            ) -> Result<Self, $crate::config::ConfigError> {
                let [$($field),+] = &Self::OPTIONS;
                Ok(Self {$($field: values.read(group, $field)?),+})
            }
        }
    )+};
}

/// Makes a type of a few names out of an enum, each variant with its text.
macro_rules! choice {
    ($(
        $(#[doc = $about:literal])+
        pub enum $choice:ident {$(
            $(#[doc = $help:literal])+
            $variant:ident = $text:literal,
        )+}
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $choice {$(
            $(#[doc = $help])+
            $variant,
        )+}

        impl $crate::config::value::OptionValue for $choice {
            const KIND: $crate::config::value::Kind = $crate::config::value::Kind::String;
            const CHOICES: &'static [&'static str] = &[$($text),+];

            fn from_text(text: &str) -> Option<Self> {
                match text.trim().to_ascii_lowercase().as_str() {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    )+};
}

/// Makes the configuration out of its sections: the struct, the table of groups (`TABLE`), and `read`.
macro_rules! sections {
    ($($field:ident: $section:ty = $group:literal,)+) => {
        /// All options of the service.
        #[derive(Clone, Debug)]
        pub struct Config {
            $(
                #[doc = concat!("The options of `[", $group, "]`.")]
                pub $field: $section,
            )+
            /// What the operator should hear once at start, one line each: options and sections that are unknown,
            /// have an old name, or have no effect here.
            pub notes: Vec<String>,
            /// The files that were read, in order; later ones override.
            pub files: Vec<String>,
            /// The directories in which files that options name relatively are looked for, in order.
            pub search_path: Vec<std::path::PathBuf>,
            places: values::Places,
        }

        /// Every section, in the order of the sample.
        static TABLE: &[Group] = &[$(
            Group { name: $group, help: <$section>::ABOUT, options: &<$section>::OPTIONS },
        )+];

        impl Config {
            /// Reads every section.
            fn read(values: &mut values::Values) -> Result<Self, ConfigError> {
                Ok(Self {
                    $($field: <$section>::read($group, values)?,)+
                    notes: Vec::new(),
                    files: Vec::new(),
                    search_path: Vec::new(),
                    places: values.places.clone(),
                })
            }
        }
    };
}

pub(super) use {choice, section, sections};
